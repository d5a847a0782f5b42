use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use everwire_core::protocol::SUBPROTOCOL;
use everwire_test_client::TIMEOUT;
use tokio::time::{interval, timeout};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_everwire-server");

/// A process of the binary. Dropping it kills it, as SIGKILL does.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts the binary on a free port and reads its address from the first line of output.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut program = Command::new(PROGRAM);
        program.args(["--listen", "127.0.0.1:0"]).args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim_end().rsplit_once("//").and_then(|(_, address)| address.parse().ok()) {
            Some(address) => Self { child, address },
            None => panic!("{line:?} instead of the address; the log says {}", log_of(&mut child)),
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        // The shell has a `kill` of its own also where the program of that name is not installed.
        let kill = format!("kill {signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let ended = async {
            let mut pace = interval(Duration::from_millis(10));
            loop {
                pace.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        timeout(TIMEOUT, ended).await.expect("the process ends")
    }

    /// A client that has sent nothing.
    pub(crate) async fn connect(&self) -> Client {
        let protocol = [("sec-websocket-protocol", SUBPROTOCOL)];
        let client = everwire_test_client::Client::try_connect(self.address, "/everwire", &protocol).await.unwrap();
        Client { client, received: VecDeque::new() }
    }

    /// A client with a new session, and its `welcome`.
    pub(crate) async fn attach(&self) -> (Client, String) {
        let mut client = self.connect().await;
        let welcome = client.ask("hello attempt=0", "welcome ").await;
        (client, welcome)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(child: &mut Child) -> String {
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

/// A client that speaks lines.
pub(crate) struct Client {
    pub(crate) client: everwire_test_client::Client,
    received: VecDeque<String>,
}

impl Client {
    /// The next line, with its payload behind a line feed.
    pub(crate) async fn line(&mut self) -> String {
        while self.received.is_empty() {
            let text = self.client.text().await;
            self.received.extend(text.split('\u{1e}').map(str::to_owned));
        }
        self.received.pop_front().unwrap()
    }

    /// The next line, which must begin like this.
    pub(crate) async fn expect(&mut self, start: &str) -> String {
        let line = self.line().await;
        assert!(line.starts_with(start), "{line} instead of {start}");
        line
    }

    /// Sends lines, which are separated by U+001E, written as `␞`, and expects the next one to begin like this.
    pub(crate) async fn ask(&mut self, lines: &str, start: &str) -> String {
        self.client.send(&lines.replace(" ␞ ", "\u{1e}")).await;
        self.expect(start).await
    }
}

/// A word of a line's header, counted from 0.
pub(crate) fn word(line: &str, index: usize) -> &str {
    line.split(['\n', ' ']).nth(index).unwrap()
}

/// The value of an option of a line.
pub(crate) fn option<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let header = line.split('\n').next().unwrap();
    header.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

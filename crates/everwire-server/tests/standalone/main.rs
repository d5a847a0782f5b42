//! The binary `everwire-server`, as operators, back ends and clients use it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod api;
mod process;

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use everwire_core::protocol::SUBPROTOCOL;
use everwire_test_client::{TIMEOUT, connect, end_of};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_everwire-server");
pub(crate) const KEY: &str = "a-key-of-the-tests";

/// A process of the binary. Dropping it kills it, as SIGKILL does.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// That of `--api-listen`, or else the same.
    pub(crate) api: SocketAddr,
}

impl Process {
    /// Starts the binary on a free port, with a key, and reads its address from the first line of output.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::by(&mut program(&[&["--api-key", KEY], flags].concat()))
    }

    pub(crate) fn by(program: &mut Command) -> Self {
        let has_api_address = program.get_args().any(|arg| arg == "--api-listen");
        let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || {
            let line = lines.next().expect("a line of output").unwrap();
            line.rsplit_once("//").and_then(|(_, address)| address.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
        };
        let listen = address();
        let api = if has_api_address { address() } else { listen };
        Self { child, address: listen, api }
    }

    /// A server without rules, as a back end tries it.
    pub(crate) fn open() -> Self {
        Self::start(&["--allow-all"])
    }

    pub(crate) fn signal(&self, signal: &str) {
        everwire_test_client::signal(&self.child, signal);
    }

    /// Limits the size of files.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_file_size(&self, bytes: u64) {
        let limits = Some((bytes, rlimit::INFINITY));
        rlimit::prlimit(self.child.id().try_into().unwrap(), rlimit::Resource::FSIZE, limits, None).unwrap();
    }

    pub(crate) async fn health(&self) -> HttpResponse {
        request(connect(self.address), self.address, "GET", "/healthz", "", b"").await
    }

    /// Waits until it has ended.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        end_of(&mut self.child).await
    }

    /// A client that has sent nothing.
    pub(crate) async fn connect(&self) -> Client {
        self.connect_with(&[]).await
    }

    pub(crate) async fn connect_with(&self, headers: &[(&'static str, &str)]) -> Client {
        let headers = [&[("sec-websocket-protocol", SUBPROTOCOL)], headers].concat();
        let client = everwire_test_client::Client::try_connect(self.address, "/everwire", &headers).await.unwrap();
        Client { client, received: VecDeque::new() }
    }

    /// A client with a new session, and its `welcome`.
    pub(crate) async fn attach(&self) -> (Client, String) {
        let mut client = self.connect().await;
        let welcome = client.ask("hello attempt=0", "welcome ").await;
        (client, welcome)
    }

    /// A client that is subscribed.
    pub(crate) async fn subscribed(&self, sub: &str) -> Client {
        let (mut client, _) = self.attach().await;
        client.ask(sub, "subscribed ").await;
        client
    }

    /// Sends a request with the key to the API.
    pub(crate) async fn api(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> HttpResponse {
        let headers = format!("Authorization: Bearer {KEY}\r\n{headers}");
        request(connect(self.api), self.api, method, &format!("/api{path}"), &headers, body).await
    }

    /// The answer to a request of the API that must succeed.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let headers = if body.starts_with('{') { "Content-Type: application/json\r\n" } else { "" };
        let answer = self.api(method, path, headers, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.json()
    }

    /// The status and the code of a request of the API that must fail.
    pub(crate) async fn refused(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let answer = self.api(method, path, headers, body).await;
        (answer.status, answer.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary with these flags.
pub(crate) fn program(flags: &[&str]) -> Command {
    let mut program = Command::new(PROGRAM);
    program.args(["--listen", "127.0.0.1:0"]).args(flags).env_remove("EVERWIRE_API_KEY").stderr(Stdio::null());
    program
}

/// The status and the log of the binary, which must not start.
pub(crate) fn failure(program: &mut Command) -> (Option<i32>, String) {
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if !line.is_empty() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(line, "", "it has started");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A folder with a file.
pub(crate) fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// A server with this configuration file.
pub(crate) fn configured(toml: &str) -> Process {
    let (_folder, path) = file("everwire.toml", toml);
    Process::start(&["--config", path.to_str().unwrap()])
}

/// A response to an HTTP request.
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl HttpResponse {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of the error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {}", self.body)).to_owned()
    }

    /// The message of the error.
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// Sends a request, and reads until the server closes.
pub(crate) async fn request(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> HttpResponse {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    let bytes = [format!("{head}{headers}\r\n").as_bytes(), body].concat();
    let mut answer = Vec::new();
    let exchange = async { tokio::join!(writer.write_all(&bytes), reader.read_to_end(&mut answer)) };
    let (written, read) = timeout(TIMEOUT, exchange).await.expect("an answer in time");
    written.unwrap();
    read.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    HttpResponse { status, head: head.to_owned(), body: body.to_owned() }
}

/// A client that speaks lines.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) client: everwire_test_client::Client<S>,
    received: VecDeque<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(client: everwire_test_client::Client<S>) -> Self {
        Self { client, received: VecDeque::new() }
    }

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

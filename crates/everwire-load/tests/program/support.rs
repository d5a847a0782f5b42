//! Starts the server and the program, and reads the output.

use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};

use everwire_companion::{Config, RunningServer, Server};
use everwire_load::{Record, Second, Summary};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// The companion server, with faults.
pub(crate) struct TestServer {
    server: RunningServer,
    scheme: &'static str,
}

/// The JSON output of the program.
pub(crate) struct Report {
    pub(crate) seconds: Vec<Second>,
    pub(crate) summary: Summary,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self { server: Server::bind(config()).await.unwrap().start(), scheme: "ws" }
    }

    #[cfg(feature = "rustls-own-roots")]
    pub(crate) async fn start_with_tls(tls: everwire_server::Tls) -> Self {
        let config = Config { tls: Some(tls), ..config() };
        Self { server: Server::bind(config).await.unwrap().start(), scheme: "wss" }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.server.local_addr())
    }

    pub(crate) async fn measure(&self, path: &str, flags: &str) -> Report {
        let flags = flags.replace("HOST", &self.url(""));
        let output = run(&format!("{} {flags} --json - --quiet", self.url(path))).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Report::read(&String::from_utf8(output.stdout).unwrap())
    }
}

fn config() -> Config {
    let listen = ([127, 0, 0, 1], 0).into();
    Config { listen, faults: true, drain: core::time::Duration::ZERO, ..Config::default() }
}

impl Report {
    /// Parses the output of `--json`.
    pub(crate) fn read(lines: &str) -> Self {
        let (seconds, summary) = lines.trim_end().rsplit_once('\n').unwrap_or(("", lines));
        let Record::Summary(summary) = record(summary) else { panic!("the last line is the summary") };
        Self { seconds: Self::seconds(seconds), summary: *summary }
    }

    /// Parses the lines before the summary.
    pub(crate) fn seconds(lines: &str) -> Vec<Second> {
        let seconds = lines.lines().map(|line| match record(line) {
            Record::Second(second) => *second,
            Record::Summary(_) => panic!("there is one summary"),
        });
        seconds.collect()
    }
}

fn record(line: &str) -> Record {
    serde_json::from_str(line).unwrap()
}

/// Runs the program to its end.
pub(crate) async fn run(args: &str) -> Output {
    command(&args.split_whitespace().collect::<Vec<_>>()).output().await.unwrap()
}

/// A path that no other test uses, where nothing is yet.
pub(crate) fn temporary_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("everwire-load-{}-{name}", std::process::id()))
}

/// A running program.
pub(crate) struct Program {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

/// The output of a program that has exited.
pub(crate) struct ProgramOutput {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// Starts the program in a process group of its own, as a shell would.
    pub(crate) fn start(args: &str) -> Self {
        Self::of(&args.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn of(args: &[&str]) -> Self {
        let mut command = command(args);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take(), BufReader::new(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends a signal to all of its process group, as a terminal does.
    pub(crate) async fn signal(&self, name: &str) {
        signal(name, &format!("-{}", self.pid())).await;
    }

    /// Closes the reading end of its stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Waits until a line on stderr contains this text.
    pub(crate) async fn until_stderr(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.stderr.read_line(&mut line).await.unwrap() > 0, "stderr ended without {text}");
        }
    }

    /// Waits until it has exited.
    pub(crate) async fn end(mut self) -> ProgramOutput {
        let mut stderr = String::new();
        let mut stdout = String::new();
        let out = async {
            match &mut self.stdout {
                Some(out) => out.read_to_string(&mut stdout).await,
                None => Ok(0),
            }
        };
        let (read, said) = tokio::join!(out, self.stderr.read_to_string(&mut stderr));
        read.and(said).unwrap();
        ProgramOutput { status: self.child.wait().await.unwrap(), stdout, stderr }
    }
}

/// Sends a signal to a process, or to a process group by its negative number.
pub(crate) async fn signal(signal: &str, to: &str) {
    // The shell has `kill` built in, so that no program of that name has to be installed.
    let status = Command::new("sh").args(["-c", &format!("kill -s {signal} -- {to}")]).status().await.unwrap();
    assert!(status.success());
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everwire-load"));
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

//! The binary, as a person or a test driver starts it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tokio::time::timeout;

use crate::client::Client;
use crate::harness::PATIENCE;
#[cfg(target_os = "linux")]
use crate::harness::http;

const PROGRAM: &str = env!("CARGO_BIN_EXE_everwire-server");

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts the binary on a free port and reads its address from the first line of output.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::by(Command::new(PROGRAM), flags)
    }

    /// The same by another program, which is to become the binary.
    fn by(mut starter: Command, flags: &[&str]) -> Self {
        let mut child = starter
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").expect("the address in the first line");
        Self { address: address.parse().unwrap(), child }
    }

    pub(crate) fn signal(&self, signal: &str) {
        // The shell has a `kill` of its own also where the program of that name is not installed.
        let kill = format!("kill {signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_and_ctrl_c_close_the_sockets_with_1001_and_end_with_success() {
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start(&["--drain", "0.2"]);
        let mut client = Client::connect(process.address, "/echo").await;
        assert_eq!(client.ask("hi").await, "hi");
        process.signal(signal);
        assert_eq!(client.closed().await.0, 1001, "{signal}");
        drop(client);
        assert!(process.child.wait().unwrap().success(), "{signal}");
    }
}

#[test]
fn help_says_how_to_begin() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "ws://127.0.0.1:9001/echo",
        "--listen",
        "--dist",
        "--faults",
        "--allow-origin",
        "--drain",
        "--monitor",
        "--replay",
        "--tls-cert",
        "--max-connections",
        "--max-store-bytes",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_in_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(PROGRAM).args(["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("choose another address with --listen"));
}

/// Many systems start programs with a limit of 1,024 open files and let them raise it.
#[cfg(unix)]
#[tokio::test]
async fn a_server_that_may_open_more_files_than_it_was_started_with_does() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -S -n 64 && exec \"$0\" \"$@\"", PROGRAM]);
    let process = Process::by(shell, &["--drain", "0"]);
    let mut clients = Vec::new();
    for number in 0..200 {
        let client = timeout(PATIENCE, Client::connect(process.address, "/echo")).await;
        clients.push(client.unwrap_or_else(|_| panic!("{number} connections and no more")));
    }
    for client in &mut clients {
        assert_eq!(client.ask("hi").await, "hi");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_connection_costs_at_most_16_kb() {
    const CONNECTIONS: u64 = 900;
    let process = Process::start(&[]);
    let mut clients = vec![Client::connect(process.address, "/tracker").await];
    let before = resident_bytes(&process).await;
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(process.address, "/tracker").await;
        client.text().await;
        clients.push(client);
    }
    let each = (resident_bytes(&process).await - before) / CONNECTIONS;
    assert!(each <= 16 << 10, "{each} bytes");
}

#[cfg(target_os = "linux")]
async fn resident_bytes(process: &Process) -> u64 {
    let metrics = http(process.address, "/metrics", "").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.expect("the resident memory").parse().unwrap()
}

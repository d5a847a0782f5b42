//! The binary, as a person or a test driver starts it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use std::time::Duration;

#[cfg(target_os = "linux")]
use everwire_test_client::http;
use everwire_test_client::{Client, TIMEOUT, end_of};
#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use futures_util::future::join_all;
#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use tokio::time::interval;
use tokio::time::timeout;
#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use tokio_tungstenite::tungstenite::Message;

#[cfg(target_os = "linux")]
use crate::files_client::{Sender, key};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_everwire-companion");

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts the binary on a free port and reads its address from the first line of output.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::by(Command::new(PROGRAM), flags, Stdio::null())
    }

    /// The same with a log, which is discarded otherwise.
    pub(crate) fn with_log(log: impl Into<Stdio>, level: &str, flags: &[&str]) -> Self {
        let mut program = Command::new(PROGRAM);
        program.env("RUST_LOG", level);
        Self::by(program, flags, log.into())
    }

    /// The same with a limit on open files.
    #[cfg(unix)]
    pub(crate) fn with_open_files(most: usize, flags: &[&str]) -> Self {
        Self::after(&format!("ulimit -n {most}"), flags)
    }

    /// The same by a shell that first runs a command.
    #[cfg(unix)]
    pub(crate) fn after(preparation: &str, flags: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{preparation} && exec \"$0\" \"$@\""), PROGRAM]);
        Self::by(shell, flags, Stdio::null())
    }

    /// The same by another program, which replaces itself with the binary.
    fn by(mut starter: Command, flags: &[&str], log: Stdio) -> Self {
        let mut child =
            starter.args(["--listen", "127.0.0.1:0"]).args(flags).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").expect("the address in the first line");
        Self { address: address.parse().unwrap(), child }
    }

    pub(crate) fn signal(&self, signal: &str) {
        everwire_test_client::signal(&self.child, signal);
    }

    /// Waits until it has ended.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        end_of(&mut self.child).await
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
async fn sigterm_sighup_and_ctrl_c_close_the_sockets_with_1001_and_end_with_success() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let mut process = Process::start(&["--drain", "0.2"]);
        let mut client = Client::connect(process.address, "/echo").await;
        assert_eq!(client.ask("hi").await, "hi");
        process.signal(signal);
        assert_eq!(client.closed().await.0, 1001, "{signal}");
        drop(client);
        assert!(process.end().await.success(), "{signal}");
    }
}

/// Closing a terminal sends the signal twice: the system does, and the shell.
#[cfg(unix)]
#[tokio::test]
async fn a_second_sighup_does_not_cut_the_drain_short_and_another_signal_does() {
    let mut process = Process::start(&["--drain", "3600"]);
    // Number 0 has the first turn, at once; number 1 has the rest of the hour.
    let mut first = Client::connect(process.address, "/echo").await;
    first.ask("hi").await;
    let mut second = Client::connect(process.address, "/echo").await;
    second.ask("hi").await;
    process.signal("-HUP");
    assert_eq!(first.closed().await.0, 1001);
    process.signal("-HUP");
    for _ in 0..100 {
        assert_eq!(second.ask("still?").await, "still?");
    }
    process.signal("-TERM");
    assert_eq!(process.end().await.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_was_started_by_nohup_outlives_its_terminal() {
    let mut process = Process::after("trap '' HUP", &["--drain", "0"]);
    let mut client = Client::connect(process.address, "/echo").await;
    process.signal("-HUP");
    for _ in 0..100 {
        assert_eq!(client.ask("still?").await, "still?");
    }
    process.signal("-TERM");
    assert_eq!(client.closed().await.0, 1001);
    assert!(process.end().await.success());
}

/// The write end of a pipe without a reader.
#[cfg(target_os = "linux")]
fn closed_pipe() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

/// A file on a disk that is full.
#[cfg(target_os = "linux")]
fn full_disk() -> std::fs::File {
    std::fs::File::options().write(true).open("/dev/full").unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_that_cannot_be_written_does_not_end_the_server_in_the_middle_of_a_drain() {
    for log in [Stdio::from(closed_pipe()), Stdio::from(full_disk())] {
        let mut process = Process::with_log(log, "info", &["--drain", "0"]);
        let mut client = Client::connect(process.address, "/echo").await;
        client.ask("hi").await;
        process.signal("-TERM");
        assert_eq!(client.closed().await.0, 1001);
        assert!(process.end().await.success());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_without_a_reader_blocks_nothing() {
    let (_unread, log) = std::io::pipe().unwrap();
    let mut process = Process::with_log(log, "trace", &["--drain", "0"]);
    let mut client = Client::connect(process.address, "/echo").await;
    // Each is several lines, of which a pipe holds some hundreds.
    for _ in 0..2000 {
        client.ask("hi").await;
    }
    process.signal("-TERM");
    assert_eq!(client.closed().await.0, 1001);
    assert!(process.end().await.success());
}

/// On one disk the log has no room either.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_sender_of_a_file_gets_an_error_if_neither_the_file_nor_the_log_can_be_written() {
    let flags = ["--files-dir", "/dev/null/files", "--max-file-bytes", "10", "--max-store-bytes", "10"];
    let process = Process::with_log(full_disk(), "info", &flags);
    let mut sender = Sender::at(process.address, "/files").await;
    for number in 0..2 {
        assert_eq!(sender.ready("a", 10, &key(number)).await, 0, "the room of the one before is free");
        sender.chunk(0, b"ab").await;
        let failed = sender.next().await;
        assert!(failed["error"].as_str().unwrap().contains("cannot write the file"), "{failed}");
    }
}

#[test]
fn help_names_an_address_to_try_and_the_flags() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "ws://127.0.0.1:9001/echo",
        "--listen",
        "--dist",
        "--journal",
        "--token-ttl",
        "--faults",
        "--allow-origin",
        "--drain",
        "--monitor",
        "--supervise",
        "--replay",
        "--tls-cert",
        "--max-connections",
        "--max-store-bytes",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn a_port_in_use_is_reported_with_advice() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(PROGRAM).args(["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("choose another address with --listen"));
}

/// Many systems start programs with a limit of 1,024 open files and let them raise it.
#[cfg(unix)]
#[tokio::test]
async fn a_server_raises_its_limit_on_open_files() {
    let process = Process::after("ulimit -S -n 64", &["--drain", "0"]);
    let mut clients = Vec::new();
    for number in 0..200 {
        let client = timeout(TIMEOUT, Client::connect(process.address, "/echo")).await;
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

/// All at the same time, so that memory that is needed once lies between memory that is kept.
#[cfg(all(target_os = "linux", feature = "jemalloc"))]
#[tokio::test]
async fn the_memory_of_large_messages_is_returned_afterwards() {
    const CONNECTIONS: u64 = 100;
    let mut program = Command::new(PROGRAM);
    // jemalloc returns pages after ten seconds by default, which would only make this test slower.
    program.env("_RJEM_MALLOC_CONF", "dirty_decay_ms:300");
    let process = Process::by(program, &[], Stdio::null());
    let mut clients = vec![Client::connect(process.address, "/echo").await];
    let before = resident_bytes(&process).await;
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(process.address, "/echo").await);
    }
    let large = Message::binary(vec![7; 300_000]);
    join_all(clients.iter_mut().map(|client| client.echoes(large.clone()))).await;
    // In addition to what connections need, the allocator keeps a few megabytes.
    let most = CONNECTIONS * (8 << 10) + (4 << 20);
    let mut more = u64::MAX;
    let mut looks = interval(Duration::from_millis(200));
    let released = async {
        while more > most {
            looks.tick().await;
            more = resident_bytes(&process).await.saturating_sub(before);
        }
    };
    let is_released = timeout(TIMEOUT, released).await;
    assert!(is_released.is_ok(), "{more} bytes more");
}

#[cfg(target_os = "linux")]
async fn resident_bytes(process: &Process) -> u64 {
    let metrics = http(process.address, "/metrics", "").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.expect("the resident memory").parse().unwrap()
}

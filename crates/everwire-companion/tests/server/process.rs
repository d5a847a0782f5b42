//! The binary, as a person or a test driver starts it, and how a server stops.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use everwire_test_client::{Client, TIMEOUT, end_of, http};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::Harness;

#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use futures_util::future::join_all;

#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use tokio::time::interval;

#[cfg(all(target_os = "linux", feature = "jemalloc"))]
use tokio_tungstenite::tungstenite::Message;

#[cfg(target_os = "linux")]
use crate::files::{Sender, key};

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

#[tokio::test]
async fn every_socket_is_closed_with_1001_and_not_before_its_turn_in_the_period() {
    let period = Duration::from_millis(1000);
    let harness = Harness::start(|config| config.drain = period).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let path = ["/echo", "/ticker?rate=1000", "/tracker", "/broadcast"][number % 4];
        let mut client = harness.client(path).await;
        // Whatever the answer is, the server counts it among the connected.
        client.ask(r#"{"ping":1}"#).await;
        clients.push(client);
    }
    let start = Instant::now();
    let waiting: Vec<_> = clients
        .into_iter()
        .map(|mut client| tokio::spawn(async move { (client.closed().await.0, start.elapsed()) }))
        .collect();
    harness.server.stop().await;
    let mut times = Vec::new();
    for closed in waiting {
        let (code, at) = closed.await.unwrap();
        assert_eq!(code, 1001);
        times.push(at);
    }
    times.sort();
    // Twenty turns are spread evenly, so that in each tenth of the period there is one or another.
    assert!((0..10).all(|tenth| times[tenth * 2 + 1] >= period * tenth as u32 / 10), "{times:?}");
}

/// A server that takes an hour to stop.
async fn harness_with_long_drain() -> Harness {
    Harness::start(|config| (config.drain, config.reuse_port) = (Duration::from_secs(3600), true)).await
}

/// Starts the drain of a server. Returns a client whose turn is later.
async fn stopping(harness: Harness) -> (Client, JoinHandle<()>) {
    // Number 0 has the first turn, at once; number 1 has the rest of the hour.
    let mut first = harness.client("/echo").await;
    let mut second = harness.client("/echo").await;
    first.ask("hi").await;
    second.ask("hi").await;
    let stopping = tokio::spawn(harness.server.stop());
    assert_eq!(first.closed().await.0, 1001);
    (second, stopping)
}

#[tokio::test]
async fn a_connection_works_until_its_turn_and_new_ones_are_refused() {
    let harness = harness_with_long_drain().await;
    let address = harness.address();
    // Held without listening, so that the system gives the port to no other process.
    let held = TcpSocket::new_v4().unwrap();
    held.set_reuseport(true).unwrap();
    held.bind(address).unwrap();
    let (mut second, stopping) = stopping(harness).await;
    assert_eq!(second.ask("still?").await, "still?");
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    stopping.abort();
}

#[tokio::test]
async fn a_drain_ends_when_all_clients_have_left() {
    let (second, stopping) = stopping(harness_with_long_drain().await).await;
    drop(second);
    timeout(TIMEOUT, stopping).await.expect("no client is left to wait for").unwrap();
}

#[tokio::test]
async fn a_mounted_router_refuses_new_sockets_while_it_drains() {
    let companion = everwire_companion::Companion::new(everwire_companion::Config::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = companion.router();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = Client::connect(address, "/echo").await;
    client.ask("hi").await;
    let (closed, ()) = tokio::join!(client.closed(), companion.everwire().drain(Duration::ZERO));
    assert_eq!(closed.0, 1001);
    let (status, sentence) = Client::try_connect(address, "/echo", &[]).await.err().unwrap();
    assert_eq!((status, sentence.contains("stopping")), (503, true));
    assert!(http(address, "/healthz", "").await.starts_with("HTTP/1.1 503 "));
}

/// A process that is stopped (SIGSTOP) for longer than its limits allow, and continued.
#[cfg(unix)]
mod stopped {
    use std::time::Duration;

    use everwire_test_client::{Client, TIMEOUT, connect, http};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::{sleep, timeout};

    use super::Process;

    /// The limit that passes while the process is stopped.
    const LIMIT: &str = "0.5";

    impl Process {
        /// Stops the process, lets `meanwhile` send, and continues it when the limit is over.
        async fn stopped(&self, meanwhile: impl Future<Output = ()>) {
            self.signal("-STOP");
            meanwhile.await;
            // No event ends this: it is the time itself that has to pass.
            sleep(Duration::from_millis(800)).await;
            self.signal("-CONT");
        }
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut answer = vec![0; 1 << 10];
        let count = timeout(TIMEOUT, stream.read(&mut answer)).await.expect("an answer in time").unwrap();
        String::from_utf8_lossy(&answer[..count]).into_owned()
    }

    #[tokio::test]
    async fn a_message_that_came_while_the_process_was_stopped_keeps_its_connection_open() {
        let process = Process::start(&["--idle-timeout", LIMIT]);
        let mut client = Client::connect(process.address, "/echo").await;
        process.stopped(client.send("still here")).await;
        assert_eq!(client.text().await, "still here");
    }

    #[tokio::test]
    async fn a_request_that_came_while_the_process_was_stopped_is_answered() {
        let process = Process::start(&["--handshake-timeout", LIMIT]);
        let mut stream = connect(process.address);
        // The server has accepted the connection before this one.
        http(process.address, "/healthz", "").await;
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", process.address);
        process.stopped(async { stream.write_all(request.as_bytes()).await.unwrap() }).await;
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn a_second_request_that_came_while_the_process_was_stopped_is_answered() {
        let process = Process::start(&["--handshake-timeout", LIMIT]);
        let mut stream = connect(process.address);
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", process.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
        // A second more is what a request on a connection that has served one may take.
        process
            .stopped(async {
                stream.write_all(request.as_bytes()).await.unwrap();
                sleep(Duration::from_secs(1)).await;
            })
            .await;
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

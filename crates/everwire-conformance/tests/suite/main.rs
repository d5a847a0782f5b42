//! The checks against this project's server, against the same server behind a proxy with faults, and as a program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod coverage;
#[allow(dead_code, reason = "the tests of the protocol use other parts of the specification")]
#[path = "../../../everwire-core/tests/protocol/specification.rs"]
mod specification;

use std::fs;
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use everwire_conformance::{Fault, FaultyProxy, Hook, Options, Report, Verdict, checks, run, run_with};
use everwire_server::broker::{Broker, Journal, JournalError, Memory, Retention};
use everwire_server::channels::{Action, AllowAll, Authentication, Authorize, ChannelOptions, Denied, Identity};
use everwire_server::{Everwire, Server as TlsServer, ServerConfig, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const ADA: &str = "Ada";
const EVE: &str = "Eve";

/// How long a client may take to send `hello`.
const HELLO: Duration = Duration::from_secs(2);

/// Two names may log in, and may use everything but one channel.
struct Rules;

impl Authorize for Rules {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        match request.credentials().and_then(|credentials| credentials.as_text()) {
            Some(name @ (ADA | EVE)) => Ok(Identity::user(name)),
            _ => Err(Denied::new("only Ada and Eve may log in")),
        }
    }

    fn allows(&self, _: &Identity, action: Action<'_>) -> bool {
        !matches!(action, Action::Subscribe("denied") | Action::Publish("denied"))
    }
}

/// A server on a free port that offers every feature that the checks can use. It has a runtime of its own, so that a restart ends it with all
/// its connections, without close frames.
struct Server {
    address: SocketAddr,
    make_broker: Box<dyn Fn() -> Box<dyn FnOnce() -> Everwire + Send> + Send + Sync>,
    running: Mutex<Option<Running>>,
}

struct Running {
    everwire: Everwire,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts a server whose broker is made for each of its starts.
    fn start<B: Broker>(broker: impl Fn() -> B + Clone + Send + Sync + 'static) -> Arc<Self> {
        let make_broker = move || -> Box<dyn FnOnce() -> Everwire + Send> {
            let broker = broker.clone();
            Box::new(move || build(broker()))
        };
        let server =
            Self { address: ([127, 0, 0, 1], 0).into(), make_broker: Box::new(make_broker), running: Mutex::default() };
        let (address, running) = server.run(server.address);
        *server.running.lock().unwrap() = Some(running);
        Arc::new(Self { address, ..server })
    }

    fn in_memory() -> Arc<Self> {
        let broker = Memory::default();
        Self::start(move || broker.clone())
    }

    fn run(&self, address: SocketAddr) -> (SocketAddr, Running) {
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = mpsc::channel();
        let build = (self.make_broker)();
        let thread = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let everwire = build();
                let listener = TcpListener::bind(address).await.unwrap();
                started.send((listener.local_addr().unwrap(), everwire.clone())).unwrap();
                let app = Router::new().merge(everwire.router()).into_make_service_with_connect_info::<SocketAddr>();
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.unwrap(),
                    // Also when the test has ended.
                    _ = stopped => {}
                }
            });
        });
        let (address, everwire) = starts.recv().unwrap();
        (address, Running { everwire, stop, thread })
    }

    fn restart(&self) {
        let mut running = self.running.lock().unwrap();
        let Running { everwire, stop, thread } = running.take().unwrap();
        drop((everwire, stop));
        thread.join().unwrap();
        *running = Some(self.run(self.address).1);
    }

    /// Starts a drain that takes longer than the check.
    fn drain(&self) {
        let everwire = self.running.lock().unwrap().as_ref().unwrap().everwire.clone();
        tokio::spawn(async move { everwire.drain(Duration::from_secs(3_600)).await });
    }

    fn options(self: &Arc<Self>) -> Options {
        let mut options = Options::new(format!("ws://{}/everwire", self.address));
        options.credentials = Some(ADA.to_owned());
        options.refused_credentials = Some("Bob".to_owned());
        options.other_credentials = Some(EVE.to_owned());
        options.request = Some("now".to_owned());
        options.slow_request = Some("slow".to_owned());
        options.denied = Some("denied".to_owned());
        options.state = Some("values".to_owned());
        options.short_history = Some("short".to_owned());
        options.no_history = Some("no-history".to_owned());
        options.small_messages = Some("small".to_owned());
        options.timeout = Duration::from_secs(20);
        options.hello_timeout = Some(HELLO);
        let server = Arc::clone(self);
        options.restart_command = Some(Hook::new(move || {
            let server = Arc::clone(&server);
            async move { tokio::task::spawn_blocking(move || server.restart()).await.map_err(|error| error.to_string()) }
        }));
        let server = Arc::clone(self);
        options.drain_command = Some(Hook::new(move || {
            server.drain();
            async { Ok(()) }
        }));
        options
    }
}

fn build(broker: impl Broker) -> Everwire {
    let builder = Everwire::builder().authorize(Rules).broker(broker).channels(|name| {
        let mut options = ChannelOptions::default();
        match name {
            "values" => options = ChannelOptions::state(),
            "short" => options.retention = Retention::stream().with_count(16),
            "no-history" => options.has_history = false,
            "small" => options.message_bytes = 1_000,
            _ => {}
        }
        options
    });
    let everwire = builder.channel_limits(|limits| limits.hello = HELLO).build();
    everwire.on_request("now", |_, (): ()| async { Ok("noon") });
    everwire.on_request("slow", |_, (): ()| async {
        pending::<()>().await;
        Ok(())
    });
    everwire
}

/// Opens the journal. The thread that writes it ends after the server that was stopped.
fn open(directory: &Path) -> Journal {
    let start = Instant::now();
    loop {
        match Journal::open(directory) {
            Err(JournalError::InUse { .. }) if start.elapsed() < HELLO * 5 => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// The reports of the checks that did not pass.
async fn not_passed(options: &Options) -> Vec<String> {
    let mut reports = Vec::new();
    for check in checks() {
        reports.push(run(&check, options).await);
    }
    assert!(reports.len() > 100, "{} checks", reports.len());
    let is_wrong = |report: &Report| report.verdict != Verdict::Passed;
    reports.into_iter().filter(is_wrong).map(|report| report.to_string()).collect()
}

#[tokio::test]
async fn the_server_passes_every_check_with_the_memory_broker() {
    assert_eq!(not_passed(&Server::in_memory().options()).await, [""; 0]);
}

#[tokio::test]
async fn the_server_passes_every_check_with_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let server = Server::start(move || open(&path));
    assert_eq!(not_passed(&server.options()).await, [""; 0]);
}

// Faults.

/// Whether the check that is named for a fault detects it.
async fn is_detected(fault: Fault) -> bool {
    let mut options = Server::in_memory().options();
    // Omissions are detected after this time.
    options.timeout = Duration::from_secs(2);
    let report = run_with(fault, &options).await.unwrap();
    let report = report.unwrap_or_else(|| panic!("{fault:?}: there is no check {}", fault.found_by()));
    println!("{fault:?}: {report}");
    matches!(report.verdict, Verdict::Failed(_))
}

#[tokio::test]
async fn each_fault_of_a_server_is_detected() {
    let found: Vec<_> = Fault::ALL.iter().map(|fault| (fault, tokio::spawn(is_detected(*fault)))).collect();
    let mut missed = Vec::new();
    for (fault, found) in found {
        if !found.await.unwrap() {
            missed.push(fault);
        }
    }
    assert_eq!(missed, Vec::<&Fault>::new());
}

/// So the checks detect the fault, and not the proxy.
#[tokio::test]
async fn a_proxy_without_a_fault_passes_every_check() {
    let mut options = Server::in_memory().options();
    let proxy = FaultyProxy::start(&options, None).await.unwrap();
    options.url = proxy.url();
    assert_eq!(not_passed(&options).await, [""; 0]);
}

// TLS.

/// The verdicts of some checks that need neither credentials nor options.
async fn verdicts(options: &Options) -> Vec<Verdict> {
    let names = ["the-subprotocol-is-chosen-among-others", "a-publish-is-answered-before-its-own-copy"];
    let mut verdicts = Vec::new();
    for check in checks().iter().filter(|check| names.contains(&check.name())) {
        verdicts.push(run(check, options).await.verdict);
    }
    verdicts
}

#[tokio::test]
async fn a_server_with_tls_is_checked_if_its_certificate_is_trusted() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert_file, cert.pem()).unwrap();
    fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let everwire = Everwire::builder().authorize(AllowAll).build();
    let config = ServerConfig::new(([127, 0, 0, 1], 0)).tls(Tls::from_pem_files(&cert_file, &key_file).unwrap());
    let server = TlsServer::bind(&everwire, config).await.unwrap().start(Router::new().merge(everwire.router()));
    let mut options = Options::new(format!("wss://localhost:{}/everwire", server.local_addr().port()));
    for verdict in verdicts(&options).await {
        assert!(matches!(&verdict, Verdict::Failed(reason) if reason.contains("certificate")), "{verdict:?}");
    }
    options.ca = Some(cert_file);
    assert_eq!(verdicts(&options).await, [Verdict::Passed, Verdict::Passed]);
    // The proxy of the faults connects in the same way.
    let proxy = FaultyProxy::start(&options, None).await.unwrap();
    assert_eq!(verdicts(&Options::new(proxy.url())).await, [Verdict::Passed, Verdict::Passed]);
}

// The program.

/// Runs the program while the server of the test answers. Returns its exit status and the lines that it prints.
async fn run_program(arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everwire-conformance"));
    command.args(arguments).args(["--credentials", ADA]);
    let Output { status, stdout, .. } = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn the_program_prints_each_check_and_a_summary_and_skips_what_no_option_names() {
    let server = Server::in_memory();
    let url = server.options().url;
    let (status, lines) = run_program(&[&url, "--filter", "request"]).await;
    assert_eq!(status, Some(0), "{lines:?}");
    assert_eq!(lines[0], "ok a-request-without-a-handler-is-refused");
    assert_eq!(lines[1], "skipped a-request-is-answered-in-parts: needs --request");
    assert_eq!(lines.last().unwrap(), "passed=1 failed=0 skipped=8");
}

#[tokio::test]
async fn the_program_fails_with_what_was_expected_and_what_came() {
    let server = Server::in_memory();
    let proxy = FaultyProxy::start(&server.options(), Some(Fault::OmitsProducer)).await.unwrap();
    let (status, lines) = run_program(&[&proxy.url(), "--filter", "who-published"]).await;
    assert_eq!((status, lines.len()), (Some(1), 2), "{lines:?}");
    assert!(lines[0].starts_with("FAILED a-message-says-who-published-it: expected by="), "{lines:?}");
    assert_eq!(lines[1], "passed=0 failed=1 skipped=0");
}

#[tokio::test]
async fn the_program_gives_a_server_faults_and_says_which_are_found() {
    let server = Server::in_memory();
    let url = server.options().url;
    let (status, lines) = run_program(&[&url, "--faults", "--timeout", "0.2", "--request", "now"]).await;
    assert_eq!(status, Some(0), "{lines:?}");
    assert_eq!(lines.len(), Fault::ALL.len() + 1);
    let skipped = lines.iter().filter(|line| line.starts_with("skipped ")).count();
    let found = Fault::ALL.len() - skipped;
    assert_eq!(lines.last().unwrap(), &format!("found={found} missed=0 skipped={skipped}"));
}

#[tokio::test]
async fn a_command_that_fails_fails_its_check_with_what_it_printed() {
    let server = Server::in_memory();
    let command = ["--restart-command", "echo no such service >&2; exit 3", "--filter", "a-restart"];
    let (status, lines) = run_program(&[&[&*server.options().url], &command[..]].concat()).await;
    assert_eq!(status, Some(1), "{lines:?}");
    let reason = lines[0].strip_prefix("FAILED a-restart-neither-loses-nor-repeats-anything: --restart-command: ");
    assert!(reason.is_some_and(|reason| reason.ends_with("exit status: 3 no such service")), "{lines:?}");
}

#[tokio::test]
async fn a_filter_that_no_check_passes_is_a_failure() {
    let (status, lines) = run_program(&["ws://127.0.0.1:1/everwire", "--filter", "no such check"]).await;
    assert_eq!(status, Some(1), "{lines:?}");
}

#[tokio::test]
async fn the_list_has_each_name_once_each_cell_of_the_table_and_each_group_of_vectors() {
    let (status, lines) = run_program(&["--list"]).await;
    assert_eq!((status, lines.len()), (Some(0), checks().len()));
    let mut names = lines.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), lines.len());
    let count = |part: &str| lines.iter().filter(|name| name.contains(part)).count();
    assert_eq!((count("-is-treated-as-"), count("-message-closes-the-connection")), (33, 14), "{lines:?}");
}

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use everwire_conformance::{Hook, Options, Report, Verdict, checks, run};
use everwire_server::Everwire;
use everwire_server::broker::{Broker, Journal, JournalError, Memory, Retention};
use everwire_server::channels::{Action, Authentication, Authorize, ChannelOptions, Denied, Identity};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

pub(crate) const ADA: &str = "Ada";
const EVE: &str = "Eve";

/// How long a client may take to say `hello`.
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

/// A server on a free port that offers all that the checks can use. It has a runtime of its own, so that a restart ends it with all of its
/// connections, without a word.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    make_broker: Box<dyn Fn() -> Box<dyn FnOnce() -> Everwire + Send> + Send + Sync>,
    running: Mutex<Option<Running>>,
}

struct Running {
    wire: Everwire,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts a server whose broker is made for each of its starts.
    pub(crate) fn start<B: Broker>(broker: impl Fn() -> B + Clone + Send + Sync + 'static) -> Arc<Self> {
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

    pub(crate) fn in_memory() -> Arc<Self> {
        let broker = Memory::default();
        Self::start(move || broker.clone())
    }

    fn run(&self, address: SocketAddr) -> (SocketAddr, Running) {
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = mpsc::channel();
        let build = (self.make_broker)();
        let thread = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let wire = build();
                let listener = TcpListener::bind(address).await.unwrap();
                started.send((listener.local_addr().unwrap(), wire.clone())).unwrap();
                let app = axum::Router::new().merge(wire.router()).into_make_service_with_connect_info::<SocketAddr>();
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.unwrap(),
                    // Also when the test has ended.
                    _ = stopped => {}
                }
            });
        });
        let (address, wire) = starts.recv().unwrap();
        (address, Running { wire, stop, thread })
    }

    fn restart(&self) {
        let mut running = self.running.lock().unwrap();
        let Running { wire, stop, thread } = running.take().unwrap();
        drop((wire, stop));
        thread.join().unwrap();
        *running = Some(self.run(self.address).1);
    }

    /// Starts a drain that takes longer than the check.
    fn drain(&self) {
        let wire = self.running.lock().unwrap().as_ref().unwrap().wire.clone();
        tokio::spawn(async move { wire.drain(Duration::from_secs(3_600)).await });
    }

    pub(crate) fn options(self: &Arc<Self>) -> Options {
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
    let wire = builder.channel_limits(|limits| limits.hello = HELLO).build();
    wire.on_request("now", |_, (): ()| async { Ok("noon") });
    wire.on_request("slow", |_, (): ()| async {
        pending::<()>().await;
        Ok(())
    });
    wire
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

/// Those that did not pass.
pub(crate) async fn not_passed(options: &Options) -> Vec<String> {
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

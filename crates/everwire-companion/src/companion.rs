//! The state behind the routes, the routes, and which pages may read what they answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use everwire_companion_api::server::Faults;
use everwire_server::broker::{Journal, JournalConfig};
use everwire_server::{DropReason, Everwire, HandshakeError};
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio_util::task::TaskTracker;

use crate::channels::Tokens;
use crate::config::Config;
use crate::endpoints::Groups;
use crate::files::Store;
use crate::lab::Lab;
use crate::monitor::Monitor;
use crate::pages::Pages;
use crate::protocol::PATHS;
use crate::server::StartError;
use crate::ticker::Streams;
use crate::tracker::Tracker;
use crate::{channels, endpoints, files, lab};

/// Files of the journal, which connections must not use up.
const JOURNAL_FILES: usize = 16;

/// How long `POST /kill` waits, so that the answer leaves the process first.
#[cfg(unix)]
const KILL_DELAY: std::time::Duration = std::time::Duration::from_millis(50);

/// The state behind the routes. A clone is cheap and shares the state.
#[derive(Clone, Debug)]
pub struct Companion(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    everwire: Everwire,
    tokens: Arc<Tokens>,
    groups: Groups,
    streams: Streams,
    monitor: Monitor,
    lab: Lab,
    files: Arc<Store>,
    tracker: Arc<Tracker>,
    pages: Option<Pages>,
    tasks: TaskTracker,
}

impl Companion {
    /// The state of a server without connections.
    ///
    /// # Errors
    /// If [`Config::journal`] names a folder that cannot be used.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let tracker = Arc::new(Tracker::new(config.clock.clone()));
        let mut everwire = Everwire::builder()
            .origins(config.origins.clone())
            .limits(|limits| *limits = config.limits.clone())
            .connection_limits(|limits| *limits = config.connection.clone())
            .clock(config.clock.clone())
            // Uploads are files that stay open.
            .reserved_files(config.files.files + JOURNAL_FILES);
        if let Some(folder) = &config.journal {
            let mut settings = JournalConfig::default();
            settings.broker.clock = config.clock.clone();
            everwire = everwire.broker(Journal::open_with(folder, settings)?);
        }
        let tokens = Arc::new(Tokens::new(&config)?);
        let everwire = channels::configure(everwire, &config, &tokens, &tracker);
        Ok(Self(Arc::new(Shared {
            everwire: everwire.build(),
            tokens,
            pages: config.dist.as_deref().map(Pages::new),
            groups: Groups::default(),
            streams: Streams::default(),
            monitor: Monitor::default(),
            lab: Lab::default(),
            tracker,
            tasks: TaskTracker::new(),
            files: Store::new(config.files.clone(), config.clock.clone()),
            config,
        })))
    }

    /// All routes of the server.
    pub fn router(&self) -> Router {
        let pages = files::routes().merge(lab::routes()).route("/metrics", get(metrics)).fallback(fallback);
        let visitors = Router::new()
            .route("/faults", get(faults))
            .route("/kill", post(kill))
            .route("/token", get(channels::token))
            .route_layer(from_fn_with_state(self.clone(), check_origin));
        let guarded = self.everwire().guard(pages.merge(visitors));
        // The endpoints check the host themselves, and count what they refuse.
        guarded.merge(endpoints::routes(self)).with_state(self.clone()).merge(self.everwire().healthz())
    }

    /// The connections, their limits and counters.
    pub fn everwire(&self) -> &Everwire {
        &self.0.everwire
    }

    /// Runs a task until the server has stopped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let everwire = self.0.everwire.clone();
        self.0.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = everwire.drained() => {}
            }
        });
    }

    /// Completes when all tasks have ended, which they do once the server is drained: until then they keep the journal open.
    pub(crate) async fn tasks_ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.0.groups
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.0.lab
    }

    pub(crate) fn files(&self) -> &Arc<Store> {
        &self.0.files
    }

    pub(crate) fn tracker(&self) -> &Arc<Tracker> {
        &self.0.tracker
    }

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.as_ref()
    }
}

/// `GET /faults`: what a visitor can do to the server.
async fn faults(State(companion): State<Companion>) -> Json<Faults> {
    Json(Faults { faults: companion.config().faults, kill: companion.config().can_be_killed() })
}

/// `POST /kill`: ends this process by SIGKILL, once the answer is on its way. Its supervisor starts another one.
async fn kill(State(companion): State<Companion>, request: Parts) -> Result<StatusCode, HandshakeError> {
    companion.everwire().check_admitted(&request)?;
    if !companion.config().can_be_killed() {
        let message = "This server does not start again by itself; start it with --supervise and --faults.";
        return Err(HandshakeError::new(StatusCode::FORBIDDEN, DropReason::Fault, message));
    }
    #[cfg(unix)]
    tokio::spawn(async {
        tokio::time::sleep(KILL_DELAY).await;
        crate::supervisor::kill_this_process();
    });
    Ok(StatusCode::NO_CONTENT)
}

/// The library's metrics and the memory of the process.
async fn metrics(State(companion): State<Companion>) -> Response {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(companion.everwire().collector()));
    if let Some(bytes) = resident_bytes() {
        let memory = ConstGauge::new(bytes);
        registry.register("process_resident_memory_bytes", "Resident memory of the server's process", memory);
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

/// The resident memory of this process in bytes, if the system reports it.
fn resident_bytes() -> Option<u64> {
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new().ok()?;
    let memory = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, memory);
    Some(system.process(pid)?.memory())
}

async fn fallback(State(companion): State<Companion>, request: Request) -> Response {
    if let Some(pages) = companion.pages() {
        return pages.serve(&companion, request).await;
    }
    let (request, _) = request.into_parts();
    if let Err(error) = companion.everwire().check_admitted(&request) {
        return error.into_response();
    }
    let sentence = format!(
        "There is nothing at {}. WebSockets are at {}; /healthz and /metrics answer HTTP. \
         Start the server with --dist DIR to serve pages.\n",
        request.uri.path(),
        PATHS.join(", ")
    );
    (StatusCode::NOT_FOUND, sentence).into_response()
}

/// Middleware: refuses pages that may not connect, and lets the others read the response. A page that may connect by WebSocket may also
/// read what HTTP answers.
async fn check_origin(State(companion): State<Companion>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (request, body) = request.into_parts();
    let response = match companion.everwire().check_origin(&request) {
        Ok(()) => next.run(Request::from_parts(request, body)).await,
        Err(error) => error.into_response(),
    };
    readable_by(origin, response)
}

/// Lets the page of an origin read the response, unless it was refused.
pub(crate) fn readable_by(origin: Option<HeaderValue>, mut response: Response) -> Response {
    let is_forbidden = response.status() == StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|_| !is_forbidden) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

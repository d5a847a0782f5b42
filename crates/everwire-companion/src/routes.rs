use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use everwire_companion_api::server::Faults;
use everwire_server::{DropReason, HandshakeError};
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::companion::Companion;
use crate::protocol::PATHS;
use crate::{channels, cross_origin, endpoints, files, lab};

/// How long the answer to `POST /kill` has to leave the process.
#[cfg(unix)]
const BEFORE_KILL: std::time::Duration = std::time::Duration::from_millis(50);

impl Companion {
    /// All routes of the server.
    pub fn router(&self) -> Router {
        let pages = files::routes().merge(lab::routes()).route("/metrics", get(metrics)).fallback(fallback);
        let visitors = Router::new()
            .route("/faults", get(faults))
            .route("/kill", post(kill))
            .route("/token", get(channels::token))
            .route_layer(from_fn_with_state(self.clone(), cross_origin::checked));
        let guarded = self.everwire().guard(pages.merge(visitors));
        // They check the host by themselves, and count what they refuse.
        guarded.merge(endpoints::routes(self)).with_state(self.clone()).merge(self.everwire().healthz())
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
        tokio::time::sleep(BEFORE_KILL).await;
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

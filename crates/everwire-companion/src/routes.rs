use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::companion::Companion;
use crate::endpoints::PATHS;
use crate::memory::resident_bytes;
use crate::{endpoints, files, lab};

impl Companion {
    /// Everything that the server has.
    pub fn router(&self) -> Router {
        let pages = files::routes().merge(lab::routes()).route("/metrics", get(metrics)).fallback(elsewhere);
        let guarded = self.everwire().guard(pages);
        // They check the host by themselves, and count what they refuse.
        guarded.merge(endpoints::routes(self)).with_state(self.clone()).merge(health(self))
    }
}

/// The library's probe of health.
fn health(companion: &Companion) -> Router {
    companion.everwire().healthz()
}

/// The library's metrics, and one of the process.
async fn metrics(State(companion): State<Companion>) -> Response {
    let mut text = companion.everwire().metrics_text();
    if let Some(bytes) = resident_bytes() {
        let name = "process_resident_memory_bytes";
        text +=
            &format!("# HELP {name} Resident memory of the server's process.\n# TYPE {name} gauge\n{name} {bytes}\n");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn elsewhere(State(companion): State<Companion>, request: Request) -> Response {
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

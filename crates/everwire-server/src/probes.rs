use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::everwire::Everwire;

impl Everwire {
    /// The routes `/healthz` and `/metrics`, to merge or nest into an application. The first is answered with 503 while the server
    /// drains, so that a load balancer sends no more clients; the second in the text format of Prometheus.
    ///
    /// Anyone who reaches the server can read both.
    pub fn probes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let metrics = Router::new().route("/metrics", get(metrics));
        self.healthz().merge(self.guard(metrics.with_state(self.clone())))
    }

    /// The route `/healthz` alone, for an application that serves [`metrics_text`](Self::metrics_text) with more of its own.
    pub fn healthz<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.guard(Router::new().route("/healthz", get(healthz)).with_state(self.clone()))
    }

    /// Has the routes of an application answered only under a name of the server's: see [`check_host`](Self::check_host).
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        routes.layer(from_fn_with_state(self.clone(), check_host))
    }
}

async fn check_host(State(everwire): State<Everwire>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match everwire.check_host(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    }
}

async fn healthz(State(everwire): State<Everwire>) -> Response {
    if everwire.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

async fn metrics(State(everwire): State<Everwire>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], everwire.metrics_text()).into_response()
}

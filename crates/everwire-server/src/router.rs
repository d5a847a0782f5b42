use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::endpoints::Endpoint;
use crate::{Config, Everwire, files, handshake, lab};

/// The routes of a server, to merge or nest into an application of your own.
///
/// Serve the application with `into_make_service_with_connect_info::<SocketAddr>()`, or the limit of connections
/// per address cannot hold. To close the sockets when it stops, make the routes with [`Everwire::router`] instead.
pub fn router(config: Config) -> Router {
    Everwire::new(config).router()
}

impl Everwire {
    /// The routes over this state.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for endpoint in Endpoint::ALL {
            let answer = move |State(everwire), request| handshake::answer(everwire, endpoint, request);
            router = router.route(endpoint.path(), any(answer));
        }
        router
            .merge(files::routes())
            .merge(lab::routes())
            .route("/healthz", get(healthz))
            .route("/metrics", get(metrics))
            .fallback(elsewhere)
            .with_state(self.clone())
    }
}

/// Alive, and taking connections: a load balancer must stop sending some as soon as the server drains.
async fn healthz(State(everwire): State<Everwire>) -> Response {
    if everwire.drain_state().has_started() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

async fn metrics(State(everwire): State<Everwire>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], everwire.metrics().render()).into_response()
}

async fn elsewhere(State(everwire): State<Everwire>, request: Request) -> Response {
    if let Some(pages) = everwire.pages() {
        return pages.serve(request).await;
    }
    let endpoints: Vec<&str> = Endpoint::ALL.into_iter().map(Endpoint::path).collect();
    let path = request.uri().path();
    let sentence = format!(
        "There is nothing at {path}. WebSockets are at {}; /healthz and /metrics answer HTTP. \
         Start the server with --dist DIR to serve pages.\n",
        endpoints.join(", ")
    );
    (StatusCode::NOT_FOUND, sentence).into_response()
}

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::endpoints::Endpoint;
use crate::{Config, Everwire, files, handshake, lab};

/// The routes of a server, to merge or nest into an application of your own: see [`Everwire::router`], which they are made with where
/// the application also wants to close the sockets when it stops, or to have `/healthz` and `/metrics`.
pub fn router(config: Config) -> Router {
    Everwire::new(config).router()
}

impl Everwire {
    /// The endpoints, `/files` and `/lab`, to merge or nest into an application of your own.
    ///
    /// There is no fallback among them, so that the application's own answers to every other path; with [`Config::dist`] there is one,
    /// which serves the pages, and then the application can have none. Served alone, or merged into an application that has
    /// neither a fallback nor these paths, they also answer `/healthz` and `/metrics`; an application that counts on these, or nests
    /// the routes, adds [`probes`](Self::probes).
    ///
    /// Serve the application with `into_make_service_with_connect_info::<SocketAddr>()`, or the limit of connections
    /// per address cannot hold.
    pub fn router(&self) -> Router {
        let routes = match self.pages() {
            Some(_) => self.routes().fallback(elsewhere),
            None => self.routes(),
        };
        // A layer is also around the fallback that every router has by itself, and that gives way to any other. A route would collide
        // with the application's, which axum answers with a panic.
        let routes = routes.layer(from_fn_with_state(self.clone(), probe));
        routes.layer(from_fn_with_state(self.clone(), check_host)).with_state(self.clone())
    }

    /// `/healthz` and `/metrics`, to merge or nest into an application that has none of its own. They tell of this state.
    pub fn probes(&self) -> Router {
        probes().route_layer(from_fn_with_state(self.clone(), check_host)).with_state(self.clone())
    }

    /// Everything that a server has.
    pub(crate) fn site(&self) -> Router {
        let routes = self.routes().merge(probes()).fallback(elsewhere);
        routes.layer(from_fn_with_state(self.clone(), check_host)).with_state(self.clone())
    }

    fn routes(&self) -> Router<Self> {
        let mut router = Router::new();
        for endpoint in Endpoint::ALL {
            let answer = move |State(everwire), request| handshake::answer(everwire, endpoint, request);
            router = router.route(endpoint.path(), any(answer));
        }
        router.merge(files::routes()).merge(lab::routes())
    }
}

fn probes() -> Router<Everwire> {
    Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics))
}

/// Passes on what names the server by one of its names. A page that was read under another one could read everything else, too.
async fn check_host(State(everwire): State<Everwire>, request: Request, next: Next) -> Response {
    match handshake::check_host(&everwire, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let endpoint = Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == request.uri().path());
            if let Some(endpoint) = endpoint {
                everwire.metrics().of(endpoint).dropped(error.reason);
            }
            error.into_response()
        }
    }
}

/// Answers what no route is for.
async fn probe(everwire: State<Everwire>, request: Request, next: Next) -> Response {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz") => healthz(everwire).await,
        (&Method::GET | &Method::HEAD, "/metrics") => metrics(everwire).await,
        _ => next.run(request).await,
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
        return pages.serve(&everwire, request).await;
    }
    if let Err(error) = handshake::check_place(&everwire, &request) {
        return error.into_response();
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

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::handler::Handler as AxumHandler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use hyper::body::Body as _;

use crate::connection::Environment;
use crate::everwire::Everwire;
use crate::handshake::is_upgrade;
use crate::limits::ConnectionLimits;
use crate::metrics::{DropReason, EndpointMetrics};

/// A WebSocket endpoint of an application: its name in the metrics, its limits, and its [`route`](Self::route).
#[derive(Clone, Debug)]
#[must_use = "an endpoint serves nothing until it is on a route"]
pub struct Endpoint {
    everwire: Everwire,
    metrics: Arc<EndpointMetrics>,
    limits: ConnectionLimits,
    answers_pings: bool,
}

/// The request extension from which [`Upgrade`](crate::Upgrade) is extracted.
#[derive(Clone, Debug)]
pub(crate) struct Mounted {
    pub(crate) everwire: Everwire,
    pub(crate) environment: Arc<Environment>,
}

/// Whether the request has a body, which an extractor of its parts cannot see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HasBody(pub(crate) bool);

impl Endpoint {
    /// An endpoint with this name in the metrics. Endpoints of the same name share their counters.
    pub fn new(everwire: &Everwire, name: &str) -> Self {
        Self {
            everwire: everwire.clone(),
            metrics: everwire.endpoint_metrics(name),
            limits: everwire.connection_limits().clone(),
            answers_pings: true,
        }
    }

    /// Changes the limits of the endpoint's connections. The defaults are those of [`Builder::connection_limits`].
    ///
    /// [`Builder::connection_limits`]: crate::Builder::connection_limits
    pub fn limits(mut self, change: impl FnOnce(&mut ConnectionLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Whether the heartbeats of Everwire's clients, texts like `{"ping":1}`, are answered instead of reaching the
    /// [`Handler`](crate::Handler). On by default. WebSocket pings are always answered.
    pub fn answer_pings(mut self, answer: bool) -> Self {
        self.answers_pings = answer;
        self
    }

    /// Declares [reasons of the application](DropReason::Application), so that the metrics list them from the start. Others appear
    /// with the first connection that is dropped for them.
    pub fn drop_reasons(self, reasons: impl IntoIterator<Item = DropReason>) -> Self {
        reasons.into_iter().for_each(|reason| self.metrics.declare(reason));
        self
    }

    /// The endpoint's counters.
    pub fn metrics(&self) -> &EndpointMetrics {
        &self.metrics
    }

    /// A route for an axum handler function that takes an [`Upgrade`](crate::Upgrade), and any other extractors before or after it.
    ///
    /// A response of the function that is not the upgrade's refuses the handshake. It is counted by the reason of its
    /// [`HandshakeError`](crate::HandshakeError), and otherwise as [`DropReason::Rejected`] if its status is an error.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::http::{HeaderMap, StatusCode};
    /// use axum::response::{IntoResponse, Response};
    /// use everwire_server::{Connection, Endpoint, Everwire, Handler, Message, Upgrade};
    ///
    /// struct Echo(Connection);
    ///
    /// impl Handler for Echo {
    ///     fn on_message(&mut self, message: Message) {
    ///         self.0.send(message);
    ///     }
    /// }
    ///
    /// async fn echo(headers: HeaderMap, upgrade: Upgrade) -> Response {
    ///     if !headers.contains_key("authorization") {
    ///         return (StatusCode::UNAUTHORIZED, "log in first").into_response();
    ///     }
    ///     upgrade.accept(|connection| Echo(connection.clone()))
    /// }
    ///
    /// let everwire = Everwire::default();
    /// let endpoint = Endpoint::new(&everwire, "/echo").limits(|limits| limits.message_bytes = 64 << 10);
    /// let app: Router = Router::new().route("/echo", endpoint.route(echo));
    /// # drop(app);
    /// ```
    pub fn route<H, T, S>(&self, handler: H) -> MethodRouter<S>
    where
        H: AxumHandler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let environment = self.everwire.environment(self.metrics.name(), self.limits.clone(), self.answers_pings);
        let mounted = Mounted { everwire: self.everwire.clone(), environment };
        any(handler).layer(from_fn_with_state(mounted, mount))
    }
}

/// Adds the extensions that [`Upgrade`](crate::Upgrade) needs, and counts refusals.
async fn mount(State(mounted): State<Mounted>, mut request: Request, next: Next) -> Response {
    let is_upgrade = is_upgrade(request.headers());
    let metrics = Arc::clone(&mounted.environment.metrics);
    let has_body = HasBody(!request.body().is_end_stream());
    request.extensions_mut().insert(has_body);
    request.extensions_mut().insert(mounted);
    let response = next.run(request).await;
    let named = response.extensions().get::<DropReason>().copied();
    // A plain request, for instance of a crawler, is not a dropped connection. One for a foreign host counts.
    let named = named.filter(|reason| is_upgrade || *reason == DropReason::Origin);
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if let Some(reason) = named.or((is_upgrade && is_error).then_some(DropReason::Rejected)) {
        tracing::debug!(endpoint = metrics.name(), status = %response.status(), reason = reason.label(), "refused");
        metrics.record_drop(reason);
    }
    response
}

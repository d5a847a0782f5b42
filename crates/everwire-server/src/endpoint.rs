//! From a route to a connection: [`Endpoint`] prepares the requests of a route, from which [`Upgrade`] is extracted.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri, Request, State};
use axum::handler::Handler as AxumHandler;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use hyper::body::Body as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::admission::Permit;
use crate::connection::{
    Connection, ConnectionTask, Environment, FramedTransport, Handler, Interceptor, OutboundQueue, ProtocolHandler, Tcp,
};
use crate::everwire::{Everwire, peer_address};
use crate::handshake::{self, Handshake, HandshakeError, is_upgrade};
use crate::limits::ConnectionLimits;
use crate::metrics::{DropReason, EndpointMetrics};
use crate::stream::into_tcp;

/// A WebSocket endpoint of an application: its name in the metrics, its limits, and its [`route`](Self::route).
#[derive(Clone, Debug)]
#[must_use = "an endpoint serves nothing until it is on a route"]
pub struct Endpoint {
    everwire: Everwire,
    metrics: Arc<EndpointMetrics>,
    limits: ConnectionLimits,
    answers_pings: bool,
}

/// The request extension from which [`Upgrade`] is extracted.
#[derive(Clone, Debug)]
struct EndpointContext {
    everwire: Everwire,
    environment: Arc<Environment>,
}

/// Whether the request has a body, which an extractor of its parts cannot see.
#[derive(Clone, Copy, Debug)]
struct HasBody(bool);

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
    /// [`Handler`]. On by default. WebSocket pings are always answered.
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

    /// A route for an axum handler function that takes an [`Upgrade`], and any other extractors before or after it.
    ///
    /// A response of the function that is not the upgrade's refuses the handshake. It is counted by the reason of its
    /// [`HandshakeError`], and otherwise as [`DropReason::Rejected`] if its status is an error.
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
        let context = EndpointContext { everwire: self.everwire.clone(), environment };
        any(handler).layer(from_fn_with_state(context, prepare_request))
    }
}

/// Adds the extensions that [`Upgrade`] needs, and counts refusals.
async fn prepare_request(State(context): State<EndpointContext>, mut request: Request, next: Next) -> Response {
    let is_upgrade = is_upgrade(request.headers());
    let metrics = Arc::clone(&context.environment.metrics);
    let has_body = HasBody(!request.body().is_end_stream());
    request.extensions_mut().insert(has_body);
    request.extensions_mut().insert(context);
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

/// A valid WebSocket handshake that was admitted within the limits: an extractor for the functions that
/// [`Endpoint::route`](crate::Endpoint::route) takes.
///
/// Return the response of [`accept`](Self::accept), or any other to refuse. The function may wait before that, for instance for a
/// database to check the token of a cookie. It is not called for a request that is not a handshake, comes from the page of another
/// origin, or arrives while the server is full or draining; these are refused. To answer a plain GET, take an `Option<Upgrade>`, or check
/// [`is_requested`](Self::is_requested).
pub struct Upgrade {
    everwire: Everwire,
    environment: Arc<Environment>,
    address: Option<IpAddr>,
    handshake: Handshake,
    granted: Option<HeaderValue>,
    permit: Permit,
    interceptor: Option<Box<dyn Interceptor>>,
    is_observed: bool,
}

impl Upgrade {
    /// Whether a request asks for a WebSocket.
    pub fn is_requested(headers: &HeaderMap) -> bool {
        handshake::is_upgrade(headers)
    }

    /// The address of the client: see [`peer_address`].
    pub fn peer_address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn offered_protocols(&self) -> &[String] {
        self.handshake.offered()
    }

    /// Grants the first of these subprotocols, in the server's order of preference, that the client offers. If it offers none of
    /// them, none is granted, and [`protocol`](Self::protocol) returns `None`; the application decides whether to accept without one.
    /// Browsers fail a connection that has offered subprotocols and is granted none.
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use axum::response::{IntoResponse, Response};
    /// use everwire_server::{Connection, Handler, Message, Upgrade};
    ///
    /// struct Chat {
    ///     connection: Connection,
    ///     version: u8,
    /// }
    /// # impl Handler for Chat { fn on_message(&mut self, _: Message) { self.connection.send(self.version.to_string()) } }
    ///
    /// async fn chat(upgrade: Upgrade) -> Response {
    ///     let upgrade = upgrade.protocols(["v2.chat", "v1.chat"]);
    ///     let version = match upgrade.protocol() {
    ///         Some("v2.chat") => 2,
    ///         Some(_) => 1,
    ///         None => return (StatusCode::BAD_REQUEST, "this server speaks v2.chat and v1.chat").into_response(),
    ///     };
    ///     upgrade.accept(move |connection| Chat { connection: connection.clone(), version })
    /// }
    /// ```
    pub fn protocols<P: AsRef<str>>(mut self, known: impl IntoIterator<Item = P>) -> Self {
        let offered = self.handshake.offered();
        let granted = known.into_iter().find_map(|known| offered.iter().find(|name| *name == known.as_ref()));
        // The name of an offered subprotocol is a token, and so a header's value.
        self.granted = granted.and_then(|name| HeaderValue::from_str(name).ok());
        self
    }

    /// The granted subprotocol.
    pub fn protocol(&self) -> Option<&str> {
        self.granted.as_ref().and_then(|granted| granted.to_str().ok())
    }

    #[cfg(feature = "channels")]
    pub(crate) fn everwire(&self) -> &Everwire {
        &self.everwire
    }

    /// The largest message that the connection will take.
    #[cfg(feature = "channels")]
    pub(crate) fn message_bytes(&self) -> usize {
        self.environment.limits.message_bytes
    }

    /// Puts an [`Interceptor`] between the connection and its client, which excludes direct writes.
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptor = Some(Box::new(interceptor));
        self
    }

    /// Lets the [observer](crate::StreamObserver) of the connection observe the WebSocket as well, which excludes direct writes. By
    /// default it observes only the handshake.
    pub fn observe(mut self) -> Self {
        self.is_observed = true;
        self
    }

    /// Accepts the handshake. Return this response. Once it has been sent, `open` creates the handler of the connection and may send
    /// the first messages. `open` is not called if the client has gone meanwhile.
    pub fn accept<H: Handler>(self, open: impl FnOnce(&Connection) -> H + Send + 'static) -> Response {
        let Self { everwire, environment, address, handshake, granted, permit, interceptor, is_observed } = self;
        let held = everwire.drain_state().hold();
        let (response, upgraded) = handshake.accept(granted);
        let accepted = AcceptedUpgrade { everwire, environment, address, interceptor };
        tokio::spawn(async move {
            let Ok(stream) = upgraded.await else { return };
            let tcp = if is_observed { Err(stream) } else { into_tcp(stream) };
            match tcp {
                Ok((stream, unread)) => {
                    let stream = Tcp::new(stream);
                    // An interceptor acts on each message, so none may be written directly.
                    let is_direct = accepted.interceptor.is_none();
                    let direct = is_direct.then(|| stream.direct_writer(&accepted.environment.metrics));
                    let backlog_bytes = accepted.environment.limits.backlog_bytes;
                    let queue = match direct {
                        Some(direct) => OutboundQueue::with_direct(backlog_bytes, direct),
                        None => OutboundQueue::new(backlog_bytes),
                    };
                    accepted.serve(stream, unread, queue, open).await;
                }
                Err(stream) => {
                    let queue = OutboundQueue::new(accepted.environment.limits.backlog_bytes);
                    accepted.serve(TokioIo::new(stream), Bytes::new(), queue, open).await;
                }
            }
            drop((permit, held));
        });
        response
    }
}

/// An accepted connection whose stream is not available yet.
struct AcceptedUpgrade {
    everwire: Everwire,
    environment: Arc<Environment>,
    address: Option<IpAddr>,
    interceptor: Option<Box<dyn Interceptor>>,
}

impl AcceptedUpgrade {
    /// Serves the connection to its end.
    async fn serve<S, H>(self, stream: S, unread: Bytes, queue: OutboundQueue, open: impl FnOnce(&Connection) -> H)
    where
        S: AsyncRead + AsyncWrite + Unpin,
        H: Handler,
    {
        let Self { everwire, environment, address, interceptor } = self;
        let queue = Arc::new(queue.with_charge(everwire.charge(address)));
        let transport =
            FramedTransport::new(stream, unread, environment.limits.message_bytes, everwire.charge(address));
        let guard = everwire.register(&queue, &environment.metrics);
        let handler = Box::new(open(&Connection::new(Arc::clone(&queue))));
        let protocol = ProtocolHandler::new(environment, handler, queue, interceptor);
        ConnectionTask::new(transport, protocol).run(guard).await;
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = HandshakeError;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let Some(EndpointContext { everwire, environment }) = request.extensions.get::<EndpointContext>().cloned()
        else {
            tracing::error!(path = request.uri.path(), "an `Upgrade` needs a route of `Endpoint::route`");
            let message = "This WebSocket is set up wrongly; the server's log says how.";
            return Err(HandshakeError::new(StatusCode::INTERNAL_SERVER_ERROR, DropReason::BadRequest, message));
        };
        everwire.check_host(request)?;
        if !Self::is_requested(&request.headers) {
            let path = original_path(request);
            let message = format!("{path} is a WebSocket; connect to it with ws: or wss:.");
            return Err(HandshakeError::new(StatusCode::UPGRADE_REQUIRED, DropReason::BadRequest, message));
        }
        if everwire.is_draining() {
            let message = "The server is stopping; connect again in a few seconds.";
            return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::Draining, message));
        }
        everwire.check_origin(request)?;
        let has_body = request.extensions.get::<HasBody>().is_some_and(|has_body| has_body.0);
        let handshake = Handshake::from_request(request, has_body)?;
        let permit = everwire.admit(request)?;
        Ok(Self {
            address: peer_address(request),
            everwire,
            environment,
            handshake,
            granted: None,
            permit,
            interceptor: None,
            is_observed: false,
        })
    }
}

/// `None` for a request that does not ask for a WebSocket.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Upgrade {
    type Rejection = HandshakeError;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        if Self::is_requested(&request.headers) {
            return <Self as FromRequestParts<S>>::from_request_parts(request, state).await.map(Some);
        }
        match request.extensions.get::<EndpointContext>() {
            Some(context) => context.everwire.check_host(request).map(|()| None),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Upgrade");
        debug.field("endpoint", &self.environment.metrics.name());
        debug.field("address", &self.address).field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

/// The path as the client sent it, also if the application nests the route.
fn original_path(request: &Parts) -> &str {
    let uri = request.extensions.get::<OriginalUri>().map_or(&request.uri, |original| &original.0);
    uri.path()
}

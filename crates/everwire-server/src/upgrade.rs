use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::{
    Connection, ConnectionTask, Environment, FramedTransport, Handler, Interceptor, OutboundQueue, ProtocolHandler, Tcp,
};
use crate::endpoint::{HasBody, Mounted};
use crate::everwire::{Everwire, peer_address};
use crate::handshake::{self, Handshake};
use crate::handshake_error::HandshakeError;
use crate::limits::Permit;
use crate::metrics::DropReason;
use crate::stream::bare_tcp;

/// A valid request to become a WebSocket that has a place within the limits: an extractor for the functions that
/// [`Endpoint::route`](crate::Endpoint::route) takes.
///
/// Return the response of [`accept`](Self::accept), or any other to refuse. The function may wait before that, for instance for a
/// database to check the token of a cookie. It is not called for a request that is not a handshake, comes from a foreign page, or
/// finds the server full or draining; these are refused. To answer a plain GET, take an `Option<Upgrade>`, or check
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
        let accepted = Accepted { everwire, environment, address, interceptor };
        tokio::spawn(async move {
            let Ok(stream) = upgraded.await else { return };
            let bare = if is_observed { Err(stream) } else { bare_tcp(stream) };
            match bare {
                Ok((stream, unread)) => {
                    let stream = Tcp::new(stream);
                    // An interceptor acts on each message, so none may be written directly.
                    let is_direct = accepted.interceptor.is_none();
                    let direct = is_direct.then(|| stream.direct_writer(&accepted.environment));
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
struct Accepted {
    everwire: Everwire,
    environment: Arc<Environment>,
    address: Option<IpAddr>,
    interceptor: Option<Box<dyn Interceptor>>,
}

impl Accepted {
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
        let guard = everwire.enter(&queue, &environment.metrics);
        let handler = Box::new(open(&Connection::new(Arc::clone(&queue))));
        let protocol = ProtocolHandler::new(environment, handler, queue, interceptor);
        ConnectionTask::new(transport, protocol).run(guard).await;
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = HandshakeError;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let Some(Mounted { everwire, environment }) = request.extensions.get::<Mounted>().cloned() else {
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
        match request.extensions.get::<Mounted>() {
            Some(mounted) => mounted.everwire.check_host(request).map(|()| None),
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

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use everwire_core::protocol::SUBPROTOCOL;

use super::authorize::RequestHead;
use super::connection::ChannelsHandler;
use crate::endpoint::{Endpoint, Upgrade};
use crate::everwire::Everwire;

/// The path of [`Everwire::router`].
const PATH: &str = "/everwire";

/// Channels, with the feature `channels`.
impl Everwire {
    /// The route `/everwire`, on which clients find the channels.
    ///
    /// ```
    /// use axum::Router;
    /// use everwire_server::Everwire;
    /// use everwire_server::channels::AllowAll;
    ///
    /// let wire = Everwire::builder().authorize(AllowAll).build();
    /// let app: Router = Router::new().merge(wire.router());
    /// # drop(app);
    /// ```
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.router_at(PATH)
    }

    /// Like [`router`](Self::router), on another path.
    pub fn router_at<S: Clone + Send + Sync + 'static>(&self, path: &str) -> Router<S> {
        let connect = async |OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade| {
            upgrade.accept_channels(headers, uri)
        };
        Router::new().route(path, self.channels_endpoint(path).route(connect))
    }

    /// An endpoint for channels, with this name in the metrics, whose handshakes a function of the application handles: it may refuse
    /// some, or put an [`Interceptor`](crate::Interceptor) in between. It hands the others to [`Upgrade::accept_channels`].
    ///
    /// ```
    /// use axum::Router;
    /// use axum::extract::OriginalUri;
    /// use axum::http::{HeaderMap, StatusCode};
    /// use axum::response::{IntoResponse, Response};
    /// use everwire_server::channels::AllowAll;
    /// use everwire_server::{Everwire, Upgrade};
    ///
    /// async fn connect(OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade) -> Response {
    ///     if !headers.contains_key("cookie") {
    ///         return (StatusCode::UNAUTHORIZED, "log in first").into_response();
    ///     }
    ///     upgrade.accept_channels(headers, uri)
    /// }
    ///
    /// let wire = Everwire::builder().authorize(AllowAll).build();
    /// let app: Router = Router::new().route("/live", wire.channels_endpoint("/live").route(connect));
    /// # drop(app);
    /// ```
    pub fn channels_endpoint(&self, name: &str) -> Endpoint {
        let silence = self.hub().limits().heartbeat * 3;
        Endpoint::new(self, name).answer_pings(false).limits(|limits| {
            limits.idle = if limits.idle.is_zero() { silence } else { limits.idle.min(silence) };
        })
    }
}

/// Channels, with the feature `channels`.
impl Upgrade {
    /// Accepts the handshake of a client of channels, on an [`Everwire::channels_endpoint`]. Return this response; it is 400 if the client
    /// does not offer the subprotocol `everwire.v1`.
    ///
    /// [`Authorize::authenticate`](super::Authorize::authenticate) gets the headers and the address of the request.
    pub fn accept_channels(self, headers: HeaderMap, uri: Uri) -> Response {
        let upgrade = self.protocols([SUBPROTOCOL]);
        if upgrade.protocol().is_none() {
            let text = format!("connect with the subprotocol {SUBPROTOCOL}");
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
        let head = RequestHead { headers, uri, address: upgrade.peer_address() };
        let (hub, message_bytes) = (Arc::clone(upgrade.everwire().hub()), upgrade.message_bytes());
        upgrade.accept(move |connection| ChannelsHandler::new(&hub, connection, head, message_bytes))
    }
}

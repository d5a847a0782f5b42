use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use everwire_core::protocol::SUBPROTOCOL;

use super::authorize::RequestHead;
use super::connection::ChannelsHandler;
use crate::endpoint::Endpoint;
use crate::everwire::Everwire;
use crate::upgrade::Upgrade;

/// The path of [`Everwire::router`].
const PATH: &str = "/everwire";

impl Everwire {
    /// The route `/everwire`, on which clients find the channels. Of the feature `channels`.
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
        let silence = self.hub().limits().heartbeat * 3;
        let endpoint = Endpoint::new(self, path).answer_pings(false).limits(|limits| {
            limits.idle = if limits.idle.is_zero() { silence } else { limits.idle.min(silence) };
        });
        let message_bytes = self.connection_limits().message_bytes;
        let everwire = self.clone();
        let connect = move |OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade| async move {
            connect(&everwire, RequestHead { headers, uri, address: upgrade.peer_address() }, upgrade, message_bytes)
        };
        Router::new().route(path, endpoint.route(connect))
    }
}

fn connect(everwire: &Everwire, head: RequestHead, upgrade: Upgrade, message_bytes: usize) -> Response {
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.protocol().is_none() {
        let text = format!("connect with the subprotocol {SUBPROTOCOL}");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let hub = std::sync::Arc::clone(everwire.hub());
    upgrade.accept(move |connection| ChannelsHandler::new(&hub, connection, head, message_bytes))
}

//! The stock feed: `/ticker`, and what `channels::ticker` publishes.
//!
//! # Layout
//! - `streams`: all streams and their limits; `selection`: the symbols and the rate that a client selects
//! - `market`: plays one feed to all streams of the same symbols
//! - `stream`: sends its subscribers a snapshot and numbered updates at one rate
//! - `channel_feed`: the latest quotes of a channel
//! - [`FeedSource`] starts a `walk`, which is a random walk, or a `replay` of a recording
//! - `feed`: what both of these implement, and the companies whose stock is traded

mod channel_feed;
mod feed;
mod market;
mod replay;
mod selection;
mod source;
mod stream;
mod streams;
mod walk;

pub(crate) use channel_feed::ChannelFeed;
pub(crate) use feed::{Company, Feed};
pub use replay::{Recording, RecordingError};
pub use source::FeedSource;
pub(crate) use streams::Streams;
pub use streams::TickerLimits;
pub(crate) use walk::Walk;

use axum::extract::State as AxumState;
use axum::response::Response;
use everwire_companion_api::ticker::Companies;
use everwire_server::{Connection, Handler, HandshakeError, Membership, Message};

use crate::companion::Companion;
use crate::protocol::SendJson;
use crate::upgrade::UpgradeRequest;
use selection::Selection;
use stream::State;
use streams::Listener;

/// The feed of a channel, which does not play yet.
pub(crate) fn channel_feed(companion: &Companion, rate: u32, companies: Companies) -> ChannelFeed {
    let selection = Selection::of_channel(rate, companies, &companion.config().feed);
    companion.streams().channel_feed(companion.config(), &selection)
}

/// Accepts a handshake with the stream that the client selects.
pub(crate) async fn open(
    AxumState(companion): AxumState<Companion>,
    UpgradeRequest { upgrade, query }: UpgradeRequest,
) -> Result<Response, HandshakeError> {
    let selection = Selection::from_query(&query, &companion.config().feed)?;
    let listener = companion.streams().listen(companion.config(), &selection, upgrade.peer_address())?;
    Ok(upgrade.accept(move |connection| TickerHandler::new(listener, connection)))
}

/// One subscriber.
struct TickerHandler {
    _subscription: Membership<State>,
    _listener: Listener,
    connection: Connection,
}

impl TickerHandler {
    fn new(listener: Listener, connection: &Connection) -> Self {
        let subscription = listener.stream.subscribe(connection);
        Self { _subscription: subscription, _listener: listener, connection: connection.clone() }
    }
}

impl Handler for TickerHandler {
    fn on_message(&mut self, _: Message) {
        self.connection.send_error("the ticker only sends; choose with ?symbols=NVDA,XOM (or *) and ?rate=1..100000");
    }
}

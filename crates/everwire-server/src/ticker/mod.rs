//! The stock feed: `/ticker`.
//!
//! A [`Feed`] makes trades; a `market` plays it to all streams of the same symbols; a `stream` is one rate of that, with a
//! snapshot for newcomers and sequence numbers; `streams` keeps them, and who listens.

mod board;
mod companies;
mod feed;
mod market;
mod replay;
mod selection;
mod source;
mod stream;
mod streams;
mod walk;

pub use replay::{Recording, RecordingError};
pub use source::FeedSource;
pub(crate) use streams::Streams;

use std::net::IpAddr;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use crate::Everwire;
use crate::connection::OutboundQueue;
use crate::endpoints::Opening;
use crate::group::Membership;
use crate::handler::Handler;
use crate::handshake_error::HandshakeError;
use crate::query::Query;
use companies::Company;
use feed::{Feed, Trade};
use market::Step;
use selection::Selection;
use stream::State;
use streams::Listener;

/// Reads which stream is wanted and listens to it.
pub(crate) fn prepare(everwire: &Everwire, query: &Query, address: Option<IpAddr>) -> Result<Opening, HandshakeError> {
    let selection = Selection::from_query(query, &everwire.config().feed)?;
    let listener = everwire.streams().listen(everwire.config(), &selection, address)?;
    Ok(Box::new(move |outbound| Box::new(TickerHandler::new(listener, outbound))))
}

/// One subscriber.
struct TickerHandler {
    _subscription: Membership<State>,
    _listener: Listener,
    outbound: Arc<OutboundQueue>,
}

impl TickerHandler {
    fn new(listener: Listener, outbound: &Arc<OutboundQueue>) -> Self {
        let subscription = listener.stream.subscribe(outbound);
        Self { _subscription: subscription, _listener: listener, outbound: Arc::clone(outbound) }
    }
}

impl Handler for TickerHandler {
    fn on_message(&mut self, _: Message) {
        self.outbound.send_error("the ticker only sends; choose with ?symbols=NVDA,XOM (or *) and ?rate=1..100000");
    }
}

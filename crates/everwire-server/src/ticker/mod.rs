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
use crate::connection::Mailbox;
use crate::endpoints::Opening;
use crate::hub::Membership;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::session::Session;
use companies::Company;
use feed::{Feed, Quote, Trade};
use market::Step;
use selection::Selection;
use stream::State;
use streams::Listener;

/// Reads which stream is wanted and listens to it.
pub(crate) fn prepare(everwire: &Everwire, query: &Query, address: Option<IpAddr>) -> Result<Opening, Refusal> {
    let selection = Selection::from_query(query, &everwire.config().feed)?;
    let listener = everwire.streams().listen(everwire.config(), &selection, address)?;
    Ok(Box::new(move |mailbox| Box::new(Ticker::new(listener, mailbox))))
}

/// One subscriber.
struct Ticker {
    _subscription: Membership<State>,
    _listener: Listener,
    mailbox: Arc<Mailbox>,
}

impl Ticker {
    fn new(listener: Listener, mailbox: &Arc<Mailbox>) -> Self {
        let subscription = listener.stream.subscribe(mailbox);
        Self { _subscription: subscription, _listener: listener, mailbox: Arc::clone(mailbox) }
    }
}

impl Session for Ticker {
    fn received(&mut self, _: Message) {
        self.mailbox.send_error("the ticker only sends; choose with ?symbols=NVDA,XOM (or *) and ?rate=1..100000");
    }
}

//! The stock feed: `/ticker`.
//!
//! A [`Feed`] makes trades; a `stream` plays one feed to all its subscribers, with a snapshot for newcomers and
//! sequence numbers; `streams` keeps the running ones, one for each selection of symbols and rate.

mod board;
mod companies;
mod feed;
mod replay;
mod selection;
mod source;
mod stream;
mod streams;
mod walk;

pub use replay::{Recording, RecordingError};
pub use source::FeedSource;
pub(crate) use streams::Streams;

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
use selection::Selection;
use stream::{Market, Stream};

/// Reads which stream is wanted and finds or starts it.
pub(crate) fn prepare(everwire: &Everwire, query: &Query) -> Result<Opening, Refusal> {
    let selection = Selection::from_query(query, &everwire.config().feed)?;
    let stream = everwire.streams().find_or_start(everwire, &selection)?;
    Ok(Box::new(move |mailbox| Box::new(Ticker::new(stream, mailbox))))
}

/// One subscriber.
struct Ticker {
    _subscription: Membership<Market>,
    /// Held so that the stream is known to be in use.
    _stream: Arc<Stream>,
    mailbox: Arc<Mailbox>,
}

impl Ticker {
    fn new(stream: Arc<Stream>, mailbox: &Arc<Mailbox>) -> Self {
        Self { _subscription: stream.subscribe(mailbox), _stream: stream, mailbox: Arc::clone(mailbox) }
    }
}

impl Session for Ticker {
    fn received(&mut self, _: Message) {
        self.mailbox.send_error("the ticker only sends; choose with ?symbols=NVDA,XOM (or *) and ?rate=1..100000");
    }
}

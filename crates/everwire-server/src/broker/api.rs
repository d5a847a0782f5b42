use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use everwire_core::protocol::Cursor;

use super::error::BrokerError;
use super::history::{EarlierPage, History, Page, PageLimits};
use super::message::{Publication, Stored};
use super::names::{ChannelName, SessionId};
use super::sessions::{SessionExpiry, StoredSession};

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Keeps the messages of channels, and what sessions need after a reconnect.
///
/// A channel exists as soon as it is named, with an epoch and at its first position. The epoch changes when the history is lost: with
/// the broker, or when the broker forgets a channel. Offsets within an epoch ascend by one.
///
/// What stores takes effect in the order of the calls; dropping its future does not cancel it. What reads sees at least what was
/// acknowledged before the call.
pub trait Broker: Debug + Send + Sync + 'static {
    /// Stores a message. The future resolves to its position when it is as durable as the broker promises, and after all listeners have
    /// returned from [`Listener::stored`].
    ///
    /// A publication whose producer's number the session has stored already is not stored again: the future resolves to the position
    /// that it has got then, or to [`BrokerError::Forgotten`] if that is not among the session's answers any more. This
    /// requires that the session [is stored](Self::store_session); the numbers of a session may have gaps, and must ascend.
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>>;

    /// Stores messages that come together: like [`publish`](Self::publish) of each in turn, with a future for each. A broker that can store
    /// and report them in one step does so here.
    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        publications.into_iter().map(|publication| self.publish(publication)).collect()
    }

    /// Ready while little waits to be stored. Otherwise the context's waker is woken once that is so. A publish while it is
    /// pending may fail with [`BrokerError::Busy`].
    fn poll_ready(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// What the channel has. [`History::found`] is the position of the message at the offset `at`, if the broker still knows it. Of
    /// the latest message and of the latest trimmed one it always does.
    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>>;

    /// The messages after the offset `after`, by ascending offset. [`Page::history`] shows whether some of those were trimmed.
    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>>;

    /// The latest message of each key, of those with an offset above `after`, by ascending offset. Messages without a key are left out,
    /// and removals too if `after` is 0. In a stream, it is the same as [`read`](Self::read).
    fn read_state(&self, channel: &ChannelName, after: u64, limits: PageLimits)
    -> BoxFuture<Result<Page, BrokerError>>;

    /// Reports each message that is stored from now on. The broker owns the listener as long as it lives: one that owns the broker keeps it
    /// open.
    fn listen(&self, listener: Arc<dyn Listener>);

    /// Stores a session, or replaces what was stored of it. Its answers stay.
    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>>;

    /// The session, if it is stored and has not expired.
    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>>;

    /// Removes a session and its answers.
    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>>;
}

impl dyn Broker {
    /// The latest messages before an offset, by ascending offset: for a list that loads older messages as its reader scrolls up. Pass
    /// `u64::MAX` for the latest of all, and then the offset of the first message that is there. Where messages are too large together,
    /// the oldest are left for the next page.
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::broker::{ChannelName, PageLimits};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let wire = Everwire::default();
    /// for text in ["one", "two", "three"] {
    ///     wire.publish_raw("news", text).await?;
    /// }
    /// let (news, limits) = (ChannelName::try_from("news")?, PageLimits { count: 2, ..PageLimits::default() });
    /// let latest = wire.broker().read_before(&news, u64::MAX, limits).await?;
    /// assert_eq!((latest.messages[0].payload.clone(), latest.is_first), (Some("two".into()), false));
    /// let earlier = wire.broker().read_before(&news, latest.messages[0].cursor.offset, limits).await?;
    /// assert_eq!((earlier.messages[0].payload.clone(), earlier.is_first), (Some("one".into()), true));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the history cannot be read.
    pub async fn read_before(
        &self,
        channel: &ChannelName,
        before: u64,
        limits: PageLimits,
    ) -> Result<EarlierPage, BrokerError> {
        let mut history = self.history(channel, 0).await?;
        let end = before.min(history.last.offset.saturating_add(1));
        let count = u64::try_from(limits.count.max(1)).unwrap_or(u64::MAX);
        let mut after = end.saturating_sub(1).saturating_sub(count).max(history.trimmed.offset);
        let mut messages = Vec::new();
        // The limit in bytes holds from the end, so that each page is read whole.
        while after.saturating_add(1) < end {
            let page = self.read(channel, after, PageLimits::default()).await?;
            if page.history.epoch() != history.epoch() {
                messages.clear();
            }
            history = page.history;
            let Some(last) = page.messages.last() else { break };
            after = last.cursor.offset;
            messages.extend(page.messages.into_iter().take_while(|message| message.cursor.offset < end));
        }
        let mut bytes = 0;
        let fits = |message: &&Arc<Stored>| {
            bytes += message.size();
            bytes <= limits.bytes || bytes == message.size()
        };
        let left_out = messages.len() - messages.iter().rev().take_while(fits).count();
        messages.drain(..left_out);
        let first = messages.first().map_or(end, |message| message.cursor.offset);
        Ok(EarlierPage { messages, is_first: first <= history.trimmed.offset.saturating_add(1), history })
    }
}

/// Receives what a broker has stored.
pub trait Listener: Debug + Send + Sync + 'static {
    /// These messages were stored, of one or several channels. Each channel's messages come in the order of their offsets, each once, one
    /// call after another. A message whose epoch differs from that of the message before it begins another history.
    ///
    /// It has to return soon, and must neither publish nor call [`Broker::listen`]. It may take locks under which the broker is
    /// read, but none under which something is published.
    fn stored(&self, messages: &[Arc<Stored>]);
}

//! The traits of a broker, [`Broker`] and [`Listener`], with its limits, its errors and what it keeps of sessions.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::Cursor;

use super::message::{ChannelName, EarlierPage, History, Page, PageLimits, Publication, SessionId, Stored};
use crate::time::Clock;

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Stores the messages of channels, and what sessions need after a reconnect.
///
/// A channel exists as soon as it is used, with an epoch and at its first position. The epoch changes when the history is lost: with the
/// broker, or when the broker evicts a channel. Offsets within an epoch increase by one.
///
/// Writes take effect in the order of the calls; dropping the future of a write does not cancel it. A read sees at least everything that
/// was acknowledged before the call.
pub trait Broker: Debug + Send + Sync + 'static {
    /// Stores a message. The future resolves to its position when it is as durable as the broker promises, and after all listeners have
    /// returned from [`Listener::stored`].
    ///
    /// A publication whose number its session has stored already is not stored again: the future resolves to the original position, or to
    /// [`BrokerError::Forgotten`] if the session's answers no longer include it. This requires that the session [is
    /// stored](Self::store_session); the numbers of a session may have gaps, and must ascend.
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>>;

    /// Stores several messages: like [`publish`](Self::publish) of each in turn, with a future for each. Override it in a broker that can
    /// store and report them in one step.
    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        publications.into_iter().map(|publication| self.publish(publication)).collect()
    }

    /// Ready while the queue of publishes is below its high-water mark; otherwise the context's waker is woken once it is. While it is
    /// pending, a publish may fail with [`BrokerError::Busy`].
    fn poll_ready(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// The positions of a channel. [`History::found`] is that of the message at the offset `at`, if the broker still knows it; for the
    /// latest message and the latest trimmed one it always does.
    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>>;

    /// The messages after the offset `after`, by ascending offset. [`Page::history`] shows whether some of those were trimmed.
    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>>;

    /// The latest message of each key with an offset above `after`, by ascending offset. Messages without a key are left out, and so are
    /// removals if `after` is 0. In a stream, it is the same as [`read`](Self::read).
    fn read_state(&self, channel: &ChannelName, after: u64, limits: PageLimits)
    -> BoxFuture<Result<Page, BrokerError>>;

    /// Reports each message that is stored from now on. The broker holds the listener as long as it lives, so a listener that holds the
    /// broker keeps it open.
    fn listen(&self, listener: Arc<dyn Listener>);

    /// Stores a session, or replaces its record. Its answers are kept.
    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>>;

    /// The session, if it is stored and has not expired.
    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>>;

    /// Removes a session and its answers.
    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>>;
}

impl dyn Broker {
    /// The latest messages before an offset, by ascending offset: for a list that loads older messages as its reader scrolls up. Pass
    /// `u64::MAX` for the latest of all, and then the offset of the first message of the page. If the messages exceed the limit in bytes,
    /// the oldest are left for the next page.
    ///
    /// ```
    /// use everwire_server::Everwire;
    /// use everwire_server::broker::{ChannelName, PageLimits};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let everwire = Everwire::default();
    /// for text in ["one", "two", "three"] {
    ///     everwire.publish_raw("news", text).await?;
    /// }
    /// let (news, limits) = (ChannelName::try_from("news")?, PageLimits { count: 2, ..PageLimits::default() });
    /// let latest = everwire.broker().read_before(&news, u64::MAX, limits).await?;
    /// assert_eq!((latest.messages[0].payload.clone(), latest.is_first), (Some("two".into()), false));
    /// let earlier = everwire.broker().read_before(&news, latest.messages[0].cursor.offset, limits).await?;
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
        // The limit in bytes applies from the end, so that each page is read whole.
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
    /// Called with the messages that were stored, of one or several channels. Each message of a channel is reported once, in the order of
    /// the offsets, and calls do not overlap. A message whose epoch differs from that of the message before it begins another history.
    ///
    /// It must return quickly, and must neither publish nor call [`Broker::listen`]. It may take locks that are held while the broker is
    /// read, but none that are held while something is published.
    fn stored(&self, messages: &[Arc<Stored>]);
}

/// When a stored session expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionExpiry {
    /// Not while the broker is open. A broker on disk that is opened again keeps it for this long, since a server that was killed could
    /// not detach it.
    Attached(Duration),
    /// This long from now.
    Detached(Duration),
}

/// A session as a broker has stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSession {
    /// What was stored.
    pub record: Bytes,
    /// Its most recent stored publishes, by ascending number, with their positions.
    pub answers: Vec<(u64, Cursor)>,
}

/// Limits on all channels and all sessions of a broker together.
///
/// ```
/// use everwire_server::broker::{BrokerConfig, Memory};
///
/// let mut config = BrokerConfig::default();
/// config.bytes = 1 << 30;
/// let broker = Memory::new(config);
/// # drop(broker);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// The greatest size of all messages together in bytes, [as each counts](super::Stored::size). Above it, the history of the least
    /// recently published channel is trimmed first. 256 MiB by default.
    pub bytes: u64,
    /// The greatest number of channels whose position is known. Above it, the least recently published channel is evicted; when it is
    /// used again, it has another epoch. 100,000 by default, which take about 50 MB.
    pub channels: usize,
    /// The greatest number of sessions. Above it, the detached session that would expire first is removed. 100,000 by default.
    pub sessions: usize,
    /// How many stored publishes of each session are remembered: at least as many as it may have unanswered. 64 by default; each
    /// takes 32 bytes.
    pub answers: usize,
    /// The offset before the first message of a channel, 0 by default. Set another one to test whether clients handle offsets above 2⁵³.
    pub first_offset: u64,
    /// The clock for the times of messages, their age and the sessions' expiry.
    pub clock: Clock,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        let clock = Clock::system();
        Self { bytes: 256 << 20, channels: 100_000, sessions: 100_000, answers: 64, first_offset: 0, clock }
    }
}

impl BrokerConfig {
    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.now_ms() as u64
    }
}

/// Why a call of a broker failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The queue of publishes is full.
    #[error(
        "the queue of the broker is full; publish again later, and wait for `poll_ready` to publish no faster than the broker stores"
    )]
    Busy,
    /// The broker cannot store or read at present: the disk is full, or fails. The publish was certainly not stored.
    #[error("the broker is unavailable ({reason}); try again later")]
    Unavailable {
        /// What failed.
        reason: Arc<str>,
    },
    /// The commit failed, and only when the broker works again it is known whether the publish was stored. Publishing it again with the
    /// same session and number stores it once.
    #[error(
        "not known yet whether this publish was stored; publish it again later with the same number of the same session"
    )]
    Undecided,
    /// The session has stored a later publish, and no longer remembers whether it has stored this one.
    #[error("whether this publish was stored is no longer known; read the history before publishing it again")]
    Forgotten,
    /// All sessions that the broker may keep are attached.
    #[error("{limit} sessions are attached; raise `BrokerConfig::sessions`, or try again later")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
    /// The broker is closed.
    #[error("the broker is closed; open it again")]
    Closed,
}

impl BrokerError {
    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable { .. } | Self::Undecided | Self::TooManySessions { .. })
    }
}

use std::time::Duration;

use everwire_core::protocol::Cursor;

use super::names::{ChannelName, Key, SessionId};
use crate::message::Message;

/// What a message counts for against limits in bytes, besides its payload and its key.
const OVERHEAD: usize = 64;

/// A message to store.
///
/// ```
/// use everwire_server::broker::{ChannelName, Key, Publication, Retention};
///
/// # fn main() -> Result<(), everwire_server::broker::BadName> {
/// let position = Publication::new(ChannelName::try_from("buses")?, "52.51,13.38")
///     .with_key(Key::try_from("bus-7")?)
///     .with_retention(Retention::state());
/// # drop(position);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Publication {
    /// The channel, which need not exist yet.
    pub channel: ChannelName,
    /// Opaque to the broker. `None` differs from an empty payload.
    pub payload: Option<Message>,
    /// What the message is the latest value of.
    pub key: Option<Key>,
    /// The key has no value after this message.
    pub is_removed: bool,
    /// The session that publishes, and its number.
    pub by: Option<Producer>,
    /// How much history the channel keeps from now on.
    pub retention: Retention,
}

impl Publication {
    /// A message without key and producer, with the default retention.
    pub fn new(channel: ChannelName, payload: impl Into<Message>) -> Self {
        Self { payload: Some(payload.into()), ..Self::without_payload(channel) }
    }

    /// A message that is only its header.
    pub fn without_payload(channel: ChannelName) -> Self {
        let retention = Retention::default();
        Self { channel, payload: None, key: None, is_removed: false, by: None, retention }
    }

    /// Sets the key.
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Removes the value of the key.
    pub fn removed(mut self) -> Self {
        self.is_removed = true;
        self
    }

    /// Sets the producer.
    pub fn by(mut self, session: SessionId, seq: u64) -> Self {
        self.by = Some(Producer { session, seq });
        self
    }

    /// Sets the retention.
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }
}

/// Who published a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The session.
    pub session: SessionId,
    /// The number of the publish in its session, from 1.
    pub seq: u64,
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The channel.
    pub channel: ChannelName,
    /// The position after this message. Within a channel times never decrease.
    pub cursor: Cursor,
    /// The offset of the message before it in the channel, or where the epoch began.
    pub previous: u64,
    /// The session that published it.
    pub by: Option<Producer>,
    /// What it is the latest value of.
    pub key: Option<Key>,
    /// The key has no value any more.
    pub is_removed: bool,
    /// What was published.
    pub payload: Option<Message>,
}

impl Stored {
    /// What the message counts for against limits in bytes: its payload, its key, and 64 for the rest.
    pub fn size(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.as_str().len());
        Self::size_of(key, self.payload.as_ref().map_or(0, Message::len))
    }

    pub(super) fn size_of(key: usize, payload: usize) -> usize {
        payload + key + OVERHEAD
    }
}

/// Whether a channel keeps more than its most recent messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HistoryKind {
    /// The most recent messages: a chat, a log.
    #[default]
    Stream,
    /// The most recent messages, and besides these the latest message of each key until the key is removed: positions, prices.
    State,
}

/// How much history a channel keeps. A message goes when one of the limits is exceeded, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Whether the latest message of each key stays although `count` and `age` are exceeded.
    pub kind: HistoryKind,
    /// The most messages that a subscriber can resume over. 0 keeps none.
    pub count: u64,
    /// The most bytes of all messages of the channel together, [as each counts](Stored::size). Where they are exceeded, even the
    /// latest messages of keys go, after all others.
    pub bytes: u64,
    /// The greatest age of a message that a subscriber can resume over.
    pub age: Option<Duration>,
}

impl Retention {
    /// A stream of at most 1,000 messages and 4 MiB, of any age.
    pub const fn stream() -> Self {
        Self { kind: HistoryKind::Stream, count: 1_000, bytes: 4 << 20, age: None }
    }

    /// The latest message of each key, and in all at most 4 MiB and 1,000 messages besides.
    pub const fn state() -> Self {
        Self { kind: HistoryKind::State, ..Self::stream() }
    }

    /// Sets the most messages that a subscriber can resume over.
    pub const fn with_count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Sets the most bytes.
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the greatest age.
    pub const fn with_age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::stream()
    }
}

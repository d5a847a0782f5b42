//! What goes into a broker and comes out of it: messages, their channels and keys, and pages of history.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwire_core::protocol::{Cursor, is_id, is_name};

use crate::message::Message;

/// What a message counts towards limits in bytes, in addition to its payload and its key.
const OVERHEAD: usize = 64;

/// A message to store.
///
/// ```
/// use everwire_server::broker::{ChannelName, Key, Publication, Retention};
///
/// # fn main() -> Result<(), everwire_server::broker::InvalidName> {
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
    /// The key whose latest value the message is.
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

    /// A message without a payload.
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
    /// The key whose latest value it is.
    pub key: Option<Key>,
    /// The key has no value any more.
    pub is_removed: bool,
    /// What was published.
    pub payload: Option<Message>,
}

impl Stored {
    /// What the message counts towards limits in bytes: its payload, its key, and 64 for the rest.
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
    /// The most recent messages, and in addition the latest message of each key until the key is removed: positions, prices.
    State,
}

/// How much history a channel keeps. When a limit is exceeded, the oldest messages are trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Whether the latest message of each key stays although `count` and `age` are exceeded.
    pub kind: HistoryKind,
    /// The greatest number of messages that a subscriber can resume over. 0 keeps none.
    pub count: u64,
    /// The greatest size of all messages of the channel in bytes, [as each counts](Stored::size). If it is exceeded, even the latest
    /// messages of keys are trimmed, after all others.
    pub bytes: u64,
    /// The greatest age of a message that a subscriber can resume over.
    pub age: Option<Duration>,
}

impl Retention {
    /// A stream of at most 1,000 messages and 4 MiB, of any age.
    pub const fn stream() -> Self {
        Self { kind: HistoryKind::Stream, count: 1_000, bytes: 4 << 20, age: None }
    }

    /// The latest message of each key and up to 1,000 other messages, at most 4 MiB in total.
    pub const fn state() -> Self {
        Self { kind: HistoryKind::State, ..Self::stream() }
    }

    /// Sets the greatest number of messages that a subscriber can resume over.
    pub const fn with_count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Sets the greatest size in bytes.
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

/// The positions of a channel: enough to decide whether a subscriber can resume from its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// The current position: after the latest message, also when that was trimmed. Before the first message its offset is where the epoch
    /// began, which is 0 unless [configured](super::BrokerConfig::first_offset), and its time is 0.
    pub last: Cursor,
    /// The position after the latest message that was trimmed. Every message after it is available.
    pub trimmed: Cursor,
    /// The offset of the latest trimmed message that no later message of its key replaces: a removal, or a value that the limit in
    /// bytes pushed out. After it, [`read_state`](super::Broker::read_state) is complete. In a stream it is that of `trimmed`.
    pub state_trimmed: u64,
    /// The position of the message at the requested offset, if its time is known.
    pub found: Option<Cursor>,
}

impl History {
    /// The epoch of the channel.
    pub fn epoch(&self) -> u64 {
        self.last.epoch
    }

    /// How many messages a subscriber can resume over.
    pub fn len(&self) -> u64 {
        self.last.offset - self.trimmed.offset
    }

    /// Whether there is no message that a subscriber could resume over.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn empty(epoch: u64, offset: u64) -> Self {
        let start = Cursor { epoch, offset, time: 0 };
        Self { last: start, trimmed: start, state_trimmed: offset, found: None }
    }
}

/// Limits of a read, which returns at least one message if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageLimits {
    /// Messages.
    pub count: usize,
    /// Bytes, [as each message counts](Stored::size).
    pub bytes: usize,
}

impl Default for PageLimits {
    /// 256 messages, 256 KiB.
    fn default() -> Self {
        Self { count: 256, bytes: 256 << 10 }
    }
}

/// A part of a channel's history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The messages, by ascending offset.
    pub messages: Vec<Arc<Stored>>,
    /// Whether no message follows in this history.
    pub is_last: bool,
    /// The history that the messages were read from. It shows whether messages after the requested offset were trimmed.
    pub history: History,
}

/// The part of a channel's history before an offset.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EarlierPage {
    /// The messages, by ascending offset.
    pub messages: Vec<Arc<Stored>>,
    /// Whether these are the oldest messages that are kept.
    pub is_first: bool,
    /// The history that the messages were read from.
    pub history: History,
}

/// Collects messages until the limits are reached.
pub(super) fn take_page<E>(
    messages: impl IntoIterator<Item = Result<Arc<Stored>, E>>,
    limits: PageLimits,
) -> Result<(Vec<Arc<Stored>>, bool), E> {
    let mut page = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let message = message?;
        bytes += message.size();
        if !page.is_empty() && (page.len() >= limits.count || bytes > limits.bytes) {
            return Ok((page, false));
        }
        page.push(message);
    }
    Ok((page, true))
}

/// The error for a name or an id that the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {what}: {rule}")]
pub struct InvalidName {
    word: Box<str>,
    what: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$attributes:meta])* $Name:ident, $is_valid:path, $what:literal, $rule:literal) => {
        $(#[$attributes])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $Name {
            type Error = InvalidName;

            fn try_from(word: &str) -> Result<Self, InvalidName> {
                if $is_valid(word) {
                    Ok(Self(word.into()))
                } else {
                    Err(InvalidName { word: word.into(), what: $what, rule: $rule })
                }
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name!(
    /// The name of a channel: 1 to 128 bytes, no space, no control character. A clone shares the text.
    ChannelName,
    is_name,
    "channel",
    "1 to 128 bytes, no space, no control character"
);
name!(
    /// The key of a message: 1 to 128 bytes, no space, no control character. A clone shares the text.
    Key,
    is_name,
    "key",
    "1 to 128 bytes, no space, no control character"
);
name!(
    /// The id of a session: 1 to 64 characters of `A–Z a–z 0–9 - _`. A clone shares the text.
    SessionId,
    is_id,
    "session",
    "1 to 64 characters of A-Z a-z 0-9 - _"
);

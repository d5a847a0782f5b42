use alloc::string::String;
use core::{fmt, time::Duration};

use crate::Time;

/// How much may wait to be sent while the connection is down or the network does not keep up, and what happens beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxLimits<Time = Duration> {
    /// The most messages (4,096).
    pub max_messages: usize,
    /// The most bytes (8 MiB).
    pub max_bytes: usize,
    /// What happens to a message that does not fit.
    pub when_full: WhenFull,
    /// How long a message may wait unless it says otherwise; `None`, the default: as long as it takes.
    pub time_to_live: Option<Time>,
}

impl<T: From<Time>> OutboxLimits<T> {
    /// The defaults, in any kind of time.
    pub fn standard() -> Self {
        Self { max_messages: 4_096, max_bytes: 8 << 20, when_full: WhenFull::Refuse, time_to_live: None }
    }
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self::standard()
    }
}

impl<T: Into<Time>> OutboxLimits<T> {
    /// The same with the core's own times.
    pub(crate) fn timed(self) -> OutboxLimits<Time> {
        let Self { max_messages, max_bytes, when_full, time_to_live } = self;
        OutboxLimits { max_messages, max_bytes, when_full, time_to_live: time_to_live.map(Into::into) }
    }
}

/// What happens to a message that does not fit into the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused: the sender has it back and knows at once.
    #[default]
    Refuse,
    /// The oldest messages make room; each is reported.
    DropOldest,
}

/// What a single message asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendOptions<Key = String, Time = Duration> {
    /// How long it may wait before it is discarded; `None`: as the outbox says.
    pub time_to_live: Option<Time>,
    /// Makes it the latest of its kind: a waiting message with the same key is discarded in its favour and reported. For
    /// positions, prices and other values of which only the newest counts.
    pub key: Option<Key>,
    /// On an open connection it goes out at once, before what waits in the outbox and whatever the platform's buffer holds: for
    /// credentials and subscriptions that answer [`Event::Opened`](crate::Event::Opened). Elsewhere it waits like any other.
    pub ahead: bool,
}

/// Why the outbox let go of a message that it had accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum DiscardReason {
    /// Its time to live ran out.
    Expired,
    /// It was the oldest when a newer one needed its place ([`WhenFull::DropOldest`]).
    Evicted,
    /// A newer message with the same key took its place.
    Replaced,
    /// The connection was closed for good before it could be sent.
    Closed,
}

impl fmt::Display for DiscardReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Expired => "it waited longer than its time to live",
            Self::Evicted => "the outbox was full and it was the oldest",
            Self::Replaced => "a newer message with the same key took its place",
            Self::Closed => "the connection was closed before it could be sent",
        })
    }
}

/// A message that was not accepted, and why. The message itself comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused<M> {
    /// The message, unchanged.
    pub message: M,
    /// Why it was not accepted.
    pub refusal: Refusal,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The outbox has no room for it.
    Full,
    /// The connection was closed; it can be sent after a reconnect.
    Closed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => {
                "the outbox is full: wait until the socket is ready, raise its limits, or let it drop the oldest"
            }
            Self::Closed => "the connection is closed: reconnect before sending",
        })
    }
}

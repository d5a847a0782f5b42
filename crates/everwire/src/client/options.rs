//! How a subscription, a publish and a request are configured.

use everwire_core::{
    Time,
    protocol::{Cursor, Mode, Start},
};

/// The most messages that may wait in a subscription before it is paused.
const MAX_WAITING: usize = 1_024;

/// The most bytes of the messages that wait.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// Where a subscription starts, and what it gets if it is slow.
///
/// ```
/// use everwire::client::SubscribeOptions;
///
/// let options = SubscribeOptions::default().last(50);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Where it starts; `None`: with the next message, or where the channel is one of the latest messages by key, with these.
    pub start: Option<Start>,
    /// What it gets if it is slower than the channel (each message, later). Another subscription of the channel that wants each message
    /// makes it get each, too.
    pub mode: Mode,
    /// The most messages that may wait to be read (1,024). Above that, or above 4 MiB, the client has the server wait, and no message is
    /// lost. Room for less than a few hundred costs traffic: the server sends history in pages of up to 256 messages, and sends what a
    /// subscription had no room for again.
    pub max_waiting: usize,
    /// The most bytes of the messages that wait (4 MiB).
    pub max_waiting_bytes: usize,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self { start: None, mode: Mode::Each, max_waiting: MAX_WAITING, max_waiting_bytes: MAX_WAITING_BYTES }
    }
}

impl SubscribeOptions {
    /// Starts after this position, such as one that [`Subscription::cursor`](crate::client::Subscription::cursor) returned in an
    /// earlier run of the program.
    #[must_use]
    pub fn from(self, cursor: Cursor) -> Self {
        Self { start: Some(Start::From(cursor)), ..self }
    }

    /// Starts with so many of the latest messages.
    #[must_use]
    pub fn last(self, messages: u64) -> Self {
        Self { start: Some(Start::Last(messages)), ..self }
    }

    /// Starts with the next message.
    #[must_use]
    pub fn live(self) -> Self {
        Self { start: Some(Start::Live), ..self }
    }

    /// Starts with the latest message of each key, and does so again after a [gap](crate::Delivery::Gap).
    #[must_use]
    pub fn state(self) -> Self {
        Self { start: Some(Start::State), ..self }
    }

    /// If it is slower than the channel, gets only the latest message of each key.
    #[must_use]
    pub fn latest(self) -> Self {
        Self { mode: Mode::Latest, ..self }
    }

    /// Sets [`max_waiting`](field@Self::max_waiting).
    #[must_use]
    pub fn max_waiting(self, messages: usize) -> Self {
        Self { max_waiting: messages.max(1), ..self }
    }

    /// Sets [`max_waiting_bytes`](field@Self::max_waiting_bytes).
    #[must_use]
    pub fn max_waiting_bytes(self, bytes: usize) -> Self {
        Self { max_waiting_bytes: bytes, ..self }
    }
}

/// The options of a single publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PublishOptions {
    /// The message is the latest of this key: 1 to 128 bytes without spaces and control characters.
    pub key: Option<String>,
    /// How long it may wait to be sent, or sent again; `None`: as long as the client lives.
    pub time_to_live: Option<Time>,
}

impl PublishOptions {
    /// Sets [`key`](field@Self::key).
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets [`time_to_live`](field@Self::time_to_live).
    #[must_use]
    pub fn time_to_live(mut self, time: impl Into<Time>) -> Self {
        self.time_to_live = Some(time.into());
        self
    }
}

/// The options of a single request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RequestOptions {
    /// After which time the answer is no longer useful, also on the server. `None`: as long as the client lives.
    pub timeout: Option<Time>,
}

impl RequestOptions {
    /// Sets [`timeout`](field@Self::timeout).
    #[must_use]
    pub fn timeout(mut self, time: impl Into<Time>) -> Self {
        self.timeout = Some(time.into());
        self
    }
}

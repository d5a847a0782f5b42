use core::{convert::Infallible, time::Duration};

use everwire_core::{AtRisk, DiscardReason, MessageId};

use crate::{Cause, Ended, Message};

/// What a socket reports to its application.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<T = Message> {
    /// The connection is open, for the first time or again.
    Opened(Opened),
    /// A message arrived.
    Message(T),
    /// A ping was answered: a sample of the round trip.
    Latency(Duration),
    /// The connection was lost or an attempt failed, and another attempt follows.
    Dropped(Dropped),
    /// A message that had been accepted will not be sent.
    Discarded(Discarded),
    /// A message for which `send` returned [`Sent::Queued`](crate::Sent::Queued) was handed to the platform. Reported only with
    /// [`SocketBuilder::report_transmitted`](crate::SocketBuilder::report_transmitted).
    Transmitted(MessageId),
    /// The application did not read for so long that the inbox overflowed.
    Lagged {
        /// How many messages, the oldest, were dropped.
        missed: u64,
    },
    /// The connection is over; no attempt follows unless the application calls `reconnect`.
    Closed(Closed),
}

impl<T> Event<T> {
    /// The same event with another kind of message.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Event<U> {
        let Ok(event) = self.try_map(|message| Ok::<_, Infallible>(convert(message)));
        event
    }

    /// The same event with another kind of message.
    ///
    /// # Errors
    /// What `convert` returns for a message.
    pub fn try_map<U, E>(self, convert: impl FnOnce(T) -> Result<U, E>) -> Result<Event<U>, E> {
        Ok(match self {
            Self::Message(message) => Event::Message(convert(message)?),
            Self::Opened(opened) => Event::Opened(opened),
            Self::Latency(round_trip) => Event::Latency(round_trip),
            Self::Dropped(dropped) => Event::Dropped(dropped),
            Self::Discarded(discarded) => Event::Discarded(discarded),
            Self::Transmitted(id) => Event::Transmitted(id),
            Self::Lagged { missed } => Event::Lagged { missed },
            Self::Closed(closed) => Event::Closed(closed),
        })
    }
}

/// A connection that is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Opened {
    /// The URL that was connected to, as the platform writes it; in native programs without user and password.
    pub url: String,
    /// The subprotocol that the server chose; empty if it chose none.
    pub protocol: String,
    /// The extensions in use, as the platform reports them; empty if it does not.
    pub extensions: String,
    /// Whether there was an open connection before.
    pub is_reconnect: bool,
    /// How many attempts failed since a connection was last stable.
    pub failures: u32,
    /// Which socket it is, for a protocol on top of it.
    pub(crate) socket: u64,
}

impl Opened {
    /// A first connection to this URL, without subprotocol and extensions: for tests of an application's own code. The fields can be
    /// set one by one.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }
}

/// A connection that was lost, or an attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Why.
    pub cause: Cause,
    /// What was handed to the platform and may not have reached the network.
    pub at_risk: AtRisk,
    /// The number of the attempt that follows, since a connection was last stable, from 1.
    pub attempt: u32,
    /// How long until then; `None`: until the page comes back from the back/forward cache.
    pub retry_in: Option<Duration>,
}

impl Dropped {
    /// A connection that was lost for this cause, with nothing at risk and a first attempt in a second: for tests of an application's
    /// own code. The fields can be set one by one.
    pub fn new(cause: Cause) -> Self {
        Self { cause, at_risk: AtRisk::default(), attempt: 1, retry_in: Some(Duration::from_secs(1)) }
    }
}

/// A message that had been accepted and will not be sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Discarded {
    /// The id that `send` returned for it.
    pub id: MessageId,
    /// The message itself.
    pub message: Message,
    /// Why.
    pub reason: DiscardReason,
}

impl Discarded {
    /// A message that was discarded: for tests of an application's own code.
    pub fn new(id: MessageId, message: impl Into<Message>, reason: DiscardReason) -> Self {
        Self { id, message: message.into(), reason }
    }
}

/// A connection that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// How it ended.
    pub ended: Ended,
    /// What was handed to the platform and may not have reached the network.
    pub at_risk: AtRisk,
}

impl Closed {
    /// A connection that ended so, with nothing at risk: for tests of an application's own code.
    pub fn new(ended: Ended) -> Self {
        Self { ended, at_risk: AtRisk::default() }
    }
}

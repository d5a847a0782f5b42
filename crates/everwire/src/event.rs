//! What a socket reports: its events, why a connection was lost or is over, and what its methods return as errors.

#[cfg(not(target_family = "wasm"))]
use core::any::Any;
use core::{convert::Infallible, fmt, time::Duration};
use std::borrow::Cow;

use everwire_core::{
    AtRisk, CloseCode, CloseOutcome, CloseReason, ClosingHandshake, DiscardReason, DropCause, MessageId,
};
use thiserror::Error;

use crate::Message;

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
    /// A connection that was lost for this cause, with nothing at risk and the next attempt in one second: for tests of an application's
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

/// The code that a platform reports where the connection ended without a close frame (RFC 6455, section 7.1.5).
const NO_CLOSE_FRAME: u16 = 1006;

/// Why a connection was lost or an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Cause {
    /// The socket closed. A refused connection is code 1006 in a browser, and so is a handshake answered with any HTTP status but 101.
    Closed {
        /// The close code; 1005 where the frame had none, 1006 where there was no frame, 1009 with an unclean close where this side
        /// ended the connection because of a message above its limit.
        code: u16,
        /// The reason in the close frame; in native programs also the error that ended the connection.
        reason: String,
        /// Whether both sides took part in the closing handshake.
        was_clean: bool,
        /// Whether no close frame came and the network changed, or the page or the machine woke, just before: the fault is then
        /// probably on this side.
        local_fault: bool,
    },
    /// The attempt took too long.
    ConnectTimeout,
    /// The link did not answer.
    HeartbeatTimeout {
        /// Whether any ping was ever answered, on this socket or on one before; true where the heartbeat sends none. If none ever
        /// was, the server does not answer pings: choose another heartbeat.
        ever_answered: bool,
    },
    /// The network of the attempt is gone, or the machine slept meanwhile.
    NetworkChanged,
    /// The provider of the address failed.
    ProviderFailed(String),
    /// The platform refuses the address or the subprotocols; it would refuse them again.
    AddressRefused(String),
    /// The page went into the back/forward cache, which does not admit open sockets.
    Suspended,
    /// The application requested a new connection.
    Requested,
}

impl Cause {
    /// A close as the platform reported it.
    pub fn closed(code: u16, reason: impl Into<String>, was_clean: bool) -> Self {
        Self::Closed { code, reason: reason.into(), was_clean, local_fault: false }
    }

    /// A connection that was lost because the application's code panicked in one of the driver's tasks.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let message =
            panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let reason = format!("a task of the connection panicked: {}", message.unwrap_or("without a message"));
        Self::closed(1006, reason, false)
    }

    /// The cause that the core reports, with the text of the latest drop.
    pub(crate) fn new(cause: DropCause, text: &str) -> Self {
        match cause {
            DropCause::Closed { code, was_clean, local_fault } => {
                Self::Closed { code, reason: text.to_owned(), was_clean, local_fault }
            }
            DropCause::ConnectTimeout => Self::ConnectTimeout,
            DropCause::HeartbeatTimeout { ever_answered } => Self::HeartbeatTimeout { ever_answered },
            DropCause::NetworkChanged => Self::NetworkChanged,
            DropCause::ProviderFailed => Self::ProviderFailed(text.to_owned()),
            DropCause::AddressRefused => Self::AddressRefused(text.to_owned()),
            DropCause::Suspended => Self::Suspended,
            DropCause::Requested => Self::Requested,
        }
    }

    /// The cause as the core knows it, and the text that it does not keep.
    pub(crate) fn split(self) -> (DropCause, String) {
        match self {
            Self::Closed { code, reason, was_clean, local_fault } => {
                (DropCause::Closed { code, was_clean, local_fault }, reason)
            }
            Self::ProviderFailed(text) => (DropCause::ProviderFailed, text),
            Self::AddressRefused(text) => (DropCause::AddressRefused, text),
            Self::ConnectTimeout => (DropCause::ConnectTimeout, String::new()),
            Self::HeartbeatTimeout { ever_answered } => (DropCause::HeartbeatTimeout { ever_answered }, String::new()),
            Self::NetworkChanged => (DropCause::NetworkChanged, String::new()),
            Self::Suspended => (DropCause::Suspended, String::new()),
            Self::Requested => (DropCause::Requested, String::new()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { code, reason, .. } if reason.is_empty() => write!(formatter, "closed with code {code}"),
            Self::Closed { code, reason, .. } => write!(formatter, "closed with code {code}: {reason}"),
            Self::ConnectTimeout => formatter.write_str("the attempt took longer than the connect timeout"),
            Self::HeartbeatTimeout { ever_answered: true } => formatter.write_str("the link fell silent"),
            Self::HeartbeatTimeout { ever_answered: false } => formatter
                .write_str("no ping was answered: if the server does not answer pings, choose another heartbeat"),
            Self::NetworkChanged => formatter.write_str("the network changed during the attempt"),
            Self::ProviderFailed(error) => write!(formatter, "the provider of the address failed: {error}"),
            Self::AddressRefused(error) => write!(formatter, "the address was refused: {error}"),
            Self::Suspended => formatter.write_str("the page went into the back/forward cache"),
            Self::Requested => formatter.write_str("the application requested a new connection"),
        }
    }
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Ended {
    /// The application closed it.
    ByApplication {
        /// The code of the closing handshake; 1006 where the server did not complete it in time.
        code: u16,
        /// The reason of the closing handshake.
        reason: String,
        /// Whether both sides took part in the closing handshake.
        was_clean: bool,
    },
    /// The reconnect policy decided that another attempt would fail the same way.
    Final(Cause),
    /// As many attempts were made as allowed; this is how the last one failed.
    Exhausted(Cause),
}

impl Ended {
    /// The outcome that the core reports, with the text of the latest drop, and what the application closed with.
    pub(crate) fn new(outcome: CloseOutcome, text: &str, close: (CloseCode, CloseReason)) -> Self {
        let unclean = |code, reason| Self::ByApplication { code, reason, was_clean: false };
        match outcome {
            CloseOutcome::Final(cause) => Self::Final(Cause::new(cause, text)),
            CloseOutcome::Exhausted(cause) => Self::Exhausted(Cause::new(cause, text)),
            CloseOutcome::ByApplication(handshake) => match handshake {
                ClosingHandshake::NotOpen => unclean(close.0.value(), close.1.into()),
                ClosingHandshake::Ended { code, was_clean } => {
                    Self::ByApplication { code, reason: text.to_owned(), was_clean }
                }
                ClosingHandshake::TimedOut => {
                    unclean(NO_CLOSE_FRAME, "the server did not complete the closing handshake in time".to_owned())
                }
                ClosingHandshake::Suspended => {
                    unclean(NO_CLOSE_FRAME, "the page went into the back/forward cache".to_owned())
                }
            },
        }
    }
}

/// Why a socket could not be opened. A failed attempt is an event instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not a valid WebSocket URL.
    #[error("{url:?} is not a valid WebSocket URL: {problem}")]
    Address {
        /// The URL as it was passed, without credentials.
        url: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The platform has no WebSocket.
    #[error(
        "there is no WebSocket in this environment: a browser's window or worker, or Node.js from version 22, has one"
    )]
    Unsupported,
    /// A native program opened a socket outside of a tokio runtime.
    #[error("a socket needs a tokio runtime: open it from within one, such as under #[tokio::main]")]
    NoRuntime,
}

impl OpenError {
    pub(crate) fn address(url: &str, problem: &str) -> Self {
        Self::Address { url: without_credentials(url).into_owned(), problem: problem.to_owned() }
    }
}

/// An address without `user:password@`, for logs and errors. It need not be valid.
pub(crate) fn without_credentials(url: &str) -> Cow<'_, str> {
    let is_before_authority = |c: char| matches!(c, '/' | '\\') || c.is_whitespace() || c.is_control();
    let scheme = url.find(':').map_or(0, |colon| colon + 1);
    let (scheme, rest) = url.split_at(scheme);
    let authority = rest.trim_start_matches(is_before_authority);
    let start = url.len() - authority.len();
    let authority = authority.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    match (authority.rfind('@'), scheme.contains('@')) {
        (Some(at), false) => Cow::Owned([&url[..start], &url[start + at + 1..]].concat()),
        _ => Cow::Borrowed(url),
    }
}

/// A URL without what may be a credential, for logs and for causes: without `user:password@`, query and fragment.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn without_secrets(url: &str) -> String {
    let url = without_credentials(url);
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Why a message was not accepted, or why waiting for room or for a flush ended.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The outbox has no room for the message, which comes back.
    #[error("the outbox is full: await ready() before sending, raise OutboxLimits, or let it drop the oldest")]
    Full(Message),
    /// The connection was closed before the message was sent, which comes back.
    #[error("the connection is closed: call reconnect() before sending")]
    Closed(Message),
    /// The connection was closed while `ready`, `flush` or a method of `Sink` waited. What could not be sent was reported by
    /// [`Event::Discarded`](crate::Event::Discarded).
    #[error("the connection was closed before the wait was over: call reconnect() to go on")]
    ClosedWhileWaiting,
}

impl SendError {
    /// Whether the same message may be accepted later, without a call of [`reconnect`](crate::SocketHandle::reconnect).
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// The message that was not accepted, to send it later.
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Full(message) | Self::Closed(message) => Some(message),
            Self::ClosedWhileWaiting => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_removed_also_from_invalid_addresses() {
        for (url, printed) in [
            ("wss://user:pass@host/x@y?z@", "wss://host/x@y?z@"),
            ("wss://a@b:c@host", "wss://host"),
            ("ws:\\\\user:pass@host\\x", "ws:\\\\host\\x"),
            ("ws: \n//user:pass@ho st", "ws: \n//ho st"),
            ("ws://host/@x", "ws://host/@x"),
            ("user:pass@host", "user:host"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(url), printed, "{url}");
        }
    }
}

use thiserror::Error;

use crate::{Message, address::without_credentials};

/// Why a socket could not be opened. What only an attempt can find out is an event instead.
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

use everwire_core::Refusal;
use thiserror::Error;

use crate::{Message, address::without_credentials};

/// Why a socket could not be made. Everything that can only be known by dialling is an event instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is none that a WebSocket can be opened to.
    #[error("{url:?} is not an address for a WebSocket: {problem}")]
    Address {
        /// The address as it was given, without credentials.
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

/// Why a message was not accepted. It comes back unchanged.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The outbox has no room.
    #[error("the outbox is full: await ready() before sending, raise OutboxLimits, or let it drop the oldest")]
    Full(Message),
    /// The connection was closed.
    #[error("the connection is closed: call reconnect() before sending")]
    Closed(Option<Message>),
}

impl SendError {
    /// The message, to send it later. `None` where the error came from waiting rather than sending.
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Full(message) => Some(message),
            Self::Closed(message) => message,
        }
    }

    pub(crate) fn refused(message: Message, refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::Full(message),
            _ => Self::Closed(Some(message)),
        }
    }
}

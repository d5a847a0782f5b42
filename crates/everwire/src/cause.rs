//! Why a connection was lost or is over, with the texts that the core does not know.

#[cfg(not(target_family = "wasm"))]
use core::any::Any;
use core::fmt;

use everwire_core::{CloseCode, CloseOutcome, CloseReason, ClosingHandshake, DropCause};

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
    /// The application asked for a new connection.
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
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let reason = format!("a task of the connection panicked: {}", said.unwrap_or("without a message"));
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

    /// What the core needs to know, and the text that it does not.
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
            Self::Requested => formatter.write_str("the application asked for a new connection"),
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

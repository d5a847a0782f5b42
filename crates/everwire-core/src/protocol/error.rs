//! The errors of the protocol, and of parsing and writing it.

use core::fmt;

use thiserror::Error;

/// Why a line is refused, fails or ends something: the table "Errors" of `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A line that the specification does not allow.
    Malformed,
    /// A line that is not allowed in this state.
    Unexpected,
    /// More unanswered publishes and requests than credits.
    Credits,
    /// A number is missing.
    Sequence,
    /// The credentials are missing, wrong or expired.
    Unauthorized,
    /// Another connection resumed the session.
    TakenOver,
    /// Too busy, or the broker fails.
    Unavailable,
    /// The session was ended on the server.
    Gone,
    /// The receiver does not know this type of line.
    UnknownLine,
    /// The server's rules do not allow this.
    Denied,
    /// Larger than allowed.
    TooLarge,
    /// Too many subscriptions, or too many messages in a time.
    Limit,
    /// Its time ran out before it was done.
    Expired,
    /// It cannot be known whether it was done.
    Unknown,
    /// Stopped by `cancel`.
    Cancelled,
    /// There is no request or channel of this name.
    NoHandler,
    /// The request's handler failed.
    Failed,
}

impl ErrorCode {
    /// Every code, those that end a connection first.
    pub const ALL: [Self; 17] = [
        Self::Malformed,
        Self::Unexpected,
        Self::Credits,
        Self::Sequence,
        Self::Unauthorized,
        Self::TakenOver,
        Self::Unavailable,
        Self::Gone,
        Self::UnknownLine,
        Self::Denied,
        Self::TooLarge,
        Self::Limit,
        Self::Expired,
        Self::Unknown,
        Self::Cancelled,
        Self::NoHandler,
        Self::Failed,
    ];

    /// The word that a line carries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unexpected => "unexpected",
            Self::Credits => "credits",
            Self::Sequence => "sequence",
            Self::Unauthorized => "unauthorized",
            Self::TakenOver => "taken-over",
            Self::Unavailable => "unavailable",
            Self::Gone => "gone",
            Self::UnknownLine => "unknown-line",
            Self::Denied => "denied",
            Self::TooLarge => "too-large",
            Self::Limit => "limit",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::NoHandler => "no-handler",
            Self::Failed => "failed",
        }
    }

    /// Parses the word of a line.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The WebSocket close code of a connection that ends for this reason, or `None` if it never ends one.
    ///
    /// The codes of errors that a client detects are in the range that browsers let it send. If each attempt has new credentials,
    /// [`ReconnectRules`](crate::ReconnectRules) retry after exactly the codes after which the specification wants another connection.
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::Malformed => Some(4501),
            Self::Unexpected => Some(4502),
            Self::Credits => Some(4503),
            Self::Sequence => Some(4504),
            Self::Unauthorized => Some(3000),
            Self::TakenOver => Some(4409),
            Self::Unavailable => Some(1013),
            Self::Gone => Some(4410),
            _ => None,
        }
    }

    /// The reason for which a connection ended with this close code.
    pub fn from_close_code(close_code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.close_code() == Some(close_code))
    }

    /// Whether it can end a connection, so that an `error` may carry `fatal=1` with it.
    pub const fn is_fatal(self) -> bool {
        self.close_code().is_some()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a received line cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError<'a> {
    /// A line of a type that this version does not know. The connection continues; the answer is `error unknown-line line=TYPE`.
    #[error("the type of line {0:?} is not known")]
    UnknownLine(&'a str),
    /// A line, or a message, that the specification does not allow. The connection ends.
    #[error("malformed line{}{}: {reason}", if line.is_some() { " " } else { "" }, line.unwrap_or_default())]
    Malformed {
        /// The type of the line, if it can be read.
        line: Option<&'a str>,
        /// What is wrong, or what is allowed.
        reason: &'static str,
    },
}

impl<'a> ProtocolError<'a> {
    /// The code of the `error` that answers it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownLine(_) => ErrorCode::UnknownLine,
            Self::Malformed { .. } => ErrorCode::Malformed,
        }
    }

    /// The type of the line, if it can be read: the option `line` of the `error` that answers it.
    pub const fn line(&self) -> Option<&'a str> {
        match *self {
            Self::UnknownLine(line) => Some(line),
            Self::Malformed { line, .. } => line,
        }
    }
}

/// Why a line was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A field is not what the specification allows.
    #[error("not a line of everwire.v1: {0}")]
    Invalid(&'static str),
    /// The line alone is larger than a message may be.
    #[error("a line of {bytes} bytes does not fit into a message of {max}: send less at a time")]
    TooLarge {
        /// The size of the line.
        bytes: usize,
        /// The largest message that the peer accepts.
        max: usize,
    },
}

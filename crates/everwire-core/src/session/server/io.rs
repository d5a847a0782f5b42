//! The interface of a server's session: limits, answers and actions, and which lines its connections may receive.

use crate::{
    protocol::{ClientLine, Cursor, ErrorCode, ProtocolError},
    time::Time,
};

/// What a session allows its client, and how much it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SessionLimits {
    /// How many publishes and requests may be unanswered (64). As many answers to each are kept.
    pub credits: usize,
    /// How many bytes of answers to requests are kept for a client that may have missed them (256 KiB). Beyond that the oldest parts
    /// are dropped, and a client that missed them gets [`ErrorCode::Unknown`].
    pub answer_bytes: usize,
    /// How long the session is kept while it is detached (120 s).
    pub expires_after: Time,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { credits: 64, answer_bytes: 256 << 10, expires_after: Time::from_secs(120) }
    }
}

impl SessionLimits {
    /// Sets [`credits`](field@Self::credits).
    #[must_use]
    pub fn credits(mut self, credits: usize) -> Self {
        self.credits = credits;
        self
    }

    /// Sets [`answer_bytes`](field@Self::answer_bytes).
    #[must_use]
    pub fn answer_bytes(mut self, bytes: usize) -> Self {
        self.answer_bytes = bytes;
        self
    }

    /// Sets [`expires_after`](field@Self::expires_after).
    #[must_use]
    pub fn expires_after(mut self, time: impl Into<Time>) -> Self {
        self.expires_after = time.into();
        self
    }
}

/// A `req` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Request {
    /// Its number.
    pub seq: u64,
    /// How long it may run, from now; `None` for as long as it takes.
    pub timeout: Option<Time>,
    /// All requests below this number are answered; 0 or 1 for none.
    pub floor: u64,
    /// The part of the answer that the client expects next.
    pub part: u64,
}

/// What to do with a received publish or request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a publish that is dropped here is never decided, and holds up the next attach"]
pub enum Receipt {
    /// Hand the publish to the broker, or run the request's handler.
    Process,
    /// Nothing: it is a repetition, or came on an earlier connection. An answer, if any, is among the actions.
    Ignore,
    /// End the connection with this error.
    Fatal(ErrorCode),
}

/// The outcome of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The broker has stored it at this position.
    Stored(Cursor),
    /// It was not stored; with [`ErrorCode::Unknown`], it may have been.
    Refused(ErrorCode),
}

/// What the driver has to do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerAction {
    /// End the connection of an earlier attach with [`ErrorCode::TakenOver`].
    TakeOver {
        /// The generation of that attach.
        generation: u64,
    },
    /// Send `welcome`, and from now on read the lines that follow `hello`.
    Welcome {
        /// The generation of the attach.
        generation: u64,
        /// The greatest number of a publish that was received; all up to it are decided.
        acked: u64,
        /// Requests of the session still run, or have their answers.
        keeps_requests: bool,
        /// How many publishes and requests may be unanswered.
        credits: usize,
    },
    /// Send the answer to a publish: `ack` or `nack`.
    Answer {
        /// The number of the publish.
        seq: u64,
        /// What became of it.
        answer: Answer,
    },
    /// Send a part of the answer to a request: `res`.
    Respond {
        /// The number of the request.
        seq: u64,
        /// The number of the part, from 0.
        part: u64,
        /// Others follow.
        more: bool,
    },
    /// Send `nack` for a request, with the text that the driver keeps after its last part.
    FailRequest {
        /// The number of the request.
        seq: u64,
        /// Why.
        code: ErrorCode,
    },
    /// Send `credits`.
    Credits(usize),
    /// Send `drain`.
    Drain {
        /// When the server closes the connection, from now on.
        deadline: Time,
        /// The time within which the client connects again, at a random moment.
        spread: Time,
    },
    /// Stop the handler of a request. Nothing that it still returns is sent.
    Stop {
        /// The number of the request.
        seq: u64,
    },
    /// Forget the parts of an answer below `below`: they are not sent again.
    Release {
        /// The number of the request.
        seq: u64,
        /// The first part that is kept; `u64::MAX` if none is, nor the text of a failure.
        below: u64,
    },
    /// The session is over: it expired, or [`end`](super::ServerSession::end) was called. Nothing follows.
    Over,
}

/// Which lines a server's connection may receive in which state: the table of states and lines in `docs/protocol.md`.
///
/// ```
/// use everwire_core::{protocol::{ClientLine, ErrorCode}, session::{LineHandling, ServerConnection}};
///
/// let mut connection = ServerConnection::default();
/// assert_eq!(connection.receive(&ClientLine::parse("hello attempt=0")), LineHandling::Attach);
/// assert_eq!(connection.receive(&ClientLine::parse("unsub chat")), LineHandling::Handle);
/// assert_eq!(connection.receive(&ClientLine::parse("hello attempt=0")), LineHandling::Fatal(ErrorCode::Unexpected));
/// // The connection ends now, and later lines have no effect.
/// assert_eq!(connection.receive(&ClientLine::parse("unsub chat")), LineHandling::Ignore);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ServerConnection {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum State {
    /// Before `hello`.
    #[default]
    New,
    /// After it.
    Attached,
    /// The connection is being closed, or another one has taken over.
    Closing,
}

/// What to do with a received line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineHandling {
    /// Attach the connection to a session.
    Attach,
    /// Do what the line asks for.
    Handle,
    /// End the session, and close the connection.
    Close,
    /// Nothing.
    Ignore,
    /// Answer with this error, and go on.
    Report(ErrorCode),
    /// Answer with this error, which is fatal, and close the connection.
    Fatal(ErrorCode),
}

impl ServerConnection {
    /// Returns what to do with a received line, or with one that could not be parsed.
    pub fn receive(&mut self, line: &Result<ClientLine<'_>, ProtocolError<'_>>) -> LineHandling {
        let handling = match (self.state, line) {
            (State::Closing, _) => LineHandling::Ignore,
            (_, Err(error @ ProtocolError::UnknownLine(_))) => LineHandling::Report(error.code()),
            (_, Err(error)) => LineHandling::Fatal(error.code()),
            (_, Ok(ClientLine::Bye)) => LineHandling::Close,
            (_, Ok(ClientLine::Ping { .. } | ClientLine::Error(_))) => LineHandling::Handle,
            (State::New, Ok(ClientLine::Hello(_))) => LineHandling::Attach,
            (State::New, Ok(_)) | (State::Attached, Ok(ClientLine::Hello(_))) => {
                LineHandling::Fatal(ErrorCode::Unexpected)
            }
            (State::Attached, Ok(_)) => LineHandling::Handle,
        };
        match handling {
            LineHandling::Attach => self.state = State::Attached,
            LineHandling::Close | LineHandling::Fatal(_) => self.close(),
            _ => {}
        }
        handling
    }

    /// Starts closing the connection, or records that another one has taken over its session: later lines are ignored.
    pub fn close(&mut self) {
        self.state = State::Closing;
    }

    /// Whether received lines are ignored.
    pub fn is_closing(&self) -> bool {
        self.state == State::Closing
    }
}

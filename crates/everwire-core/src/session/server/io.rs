use crate::{
    Time,
    protocol::{Cursor, ErrorCode},
};

/// What a session allows its client, and what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SessionLimits {
    /// How many publishes and requests may be unanswered (64). As many answers of each are kept.
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

/// What to do with a publish or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a publish that is dropped here is never decided, and holds up the next attach"]
pub enum Receipt {
    /// Hand the publish to the broker, or run the request's handler.
    Process,
    /// Nothing: it was received before, it is refused, or it came on an earlier connection. The answer is among the actions.
    Ignore,
    /// End the connection with this error.
    Fatal(ErrorCode),
}

/// What became of a publish.
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
    /// Send `nack` for a request, with the text that the driver may keep after its last part.
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
        /// Within what time the client chooses a moment to connect again.
        spread: Time,
    },
    /// Stop the handler of a request. Nothing that it still does is answered.
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

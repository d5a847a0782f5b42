//! What may happen to a session.

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Time,
    protocol::{Cursor, ErrorCode, GapReason, Start},
};

/// A session's limits and what happens to it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) max_pending: u8,
    pub(crate) max_bytes: u8,
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (max_pending, max_bytes, seed) = bytes.arbitrary()?;
        let mut steps = Vec::new();
        // Not as `Vec` does it, which ends as soon as a byte says so.
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { max_pending, max_bytes, seed, steps })
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Step {
    /// A few seconds.
    Pass(u8),
    /// The timer fires when it is due.
    Timer(Rarely),
    Connect,
    /// So many of the lines that are under way still arrive.
    Disconnect {
        arrive: u8,
        close: Option<Code>,
    },
    Welcome(Welcome),
    /// What usually follows: a socket, and a welcome to the same session.
    Reconnect {
        arrive: u8,
        welcome: Welcome,
    },
    /// The server does what it should, and sends so many messages of each channel.
    Serve(u8),
    /// The same: it should happen more often.
    ServeAgain(u8),
    Subscribed(Which, Place),
    Message(Which, Place, After),
    Presence(Which),
    Position(Which, Place, bool),
    Gap(Which, Place, Reason),
    Unsubscribed(Which, Code),
    /// The answer to an unanswered publish or request, or to any number.
    Answer(Seq, bool),
    Respond(Seq, Part, bool),
    RefuseRequest(Seq, Code),
    Credits(u8),
    Drain(Rarely, u8, u8),
    Error(Code, Rarely, Option<u8>),
    Bye(Rarely),
    UnknownLine,
    Malformed(Rarely),
    Subscribe(Begin),
    Restart(Which, Begin),
    Pause(Which),
    Resume(Which),
    Unsubscribe(Which),
    Publish {
        size: u8,
        time_to_live: Option<u8>,
    },
    Request {
        size: u8,
        timeout: Option<u8>,
    },
    Cancel(Seq),
    End(Rarely),
}

impl Step {
    /// A line of the server that is not allowed before `welcome`.
    pub(crate) fn is_line(&self) -> bool {
        matches!(
            self,
            Self::Serve(_)
                | Self::ServeAgain(_)
                | Self::Subscribed(..)
                | Self::Message(..)
                | Self::Presence(_)
                | Self::Position(..)
                | Self::Gap(..)
                | Self::Unsubscribed(..)
                | Self::Answer(..)
                | Self::Respond(..)
                | Self::RefuseRequest(..)
                | Self::Credits(_)
        )
    }
}

/// What would end most scripts early happens now and then.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Rarely(u8);

impl Rarely {
    pub(crate) fn happens(self) -> bool {
        self.0.is_multiple_of(8)
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Welcome {
    /// The session was lost.
    pub(crate) is_new: Rarely,
    pub(crate) loses_requests: bool,
    pub(crate) credits: u8,
    pub(crate) max_message: u8,
}

/// One of the subscriptions, or none.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Which(pub(crate) u8);

/// Where a cursor is.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Place {
    /// Where the subscription is, or asked to be.
    Position,
    Next,
    After(u8),
    Before(u8),
    Rewritten(u8),
    OtherEpoch(u8),
    Any(u8, u64),
}

impl Place {
    pub(crate) fn of(self, position: Cursor) -> Cursor {
        let at = |offset| Cursor { offset, time: offset, ..position };
        match self {
            Self::Position => position,
            Self::Next => at(position.offset.saturating_add(1)),
            Self::After(more) => at(position.offset.saturating_add(more.into())),
            Self::Before(less) => at(position.offset.saturating_sub(less.into())),
            Self::Rewritten(time) => Cursor { time: time.into(), ..position },
            Self::OtherEpoch(more) => Cursor { epoch: position.epoch ^ 1, ..at(more.into()) },
            Self::Any(epoch, offset) => Cursor { epoch: epoch.into(), ..at(offset) },
        }
    }
}

/// What a message says of the one before it.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum After {
    Position,
    OneLess,
    Any(u8),
}

/// A number: mostly one that is waited for.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Seq {
    Unanswered(u8),
    First,
    Any(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Part {
    Expected,
    Repeated,
    Any(u8, Rarely),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Begin {
    Live,
    Hold,
    State,
    Last(u8),
    From(u8, u8),
}

impl Begin {
    pub(crate) fn start(self) -> Start {
        match self {
            Self::Live => Start::Live,
            Self::Hold => Start::Hold,
            Self::State => Start::State,
            Self::Last(count) => Start::Last(count.into()),
            Self::From(epoch, offset) => {
                Start::From(Cursor { epoch: epoch.into(), offset: offset.into(), time: offset.into() })
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Reason {
    Trimmed,
    Rewritten,
    Refused,
}

impl Reason {
    pub(crate) fn reason(self) -> GapReason {
        match self {
            Self::Trimmed => GapReason::Trimmed,
            Self::Rewritten => GapReason::Rewritten,
            Self::Refused => GapReason::Refused,
        }
    }
}

/// A code; most do not end the session.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Code(u8);

impl Code {
    pub(crate) fn code(self) -> ErrorCode {
        let any = ErrorCode::ALL[usize::from(self.0) % ErrorCode::ALL.len()];
        let is_final = matches!(any, ErrorCode::TakenOver | ErrorCode::Gone);
        if is_final && self.0 < 200 { ErrorCode::Unavailable } else { any }
    }
}

pub(crate) fn seconds(seconds: u8) -> Time {
    Time::from_secs(seconds.into())
}

//! How often each thing happens, and what is wrong on purpose.

use everwire_core::protocol::{Mode, Start};

/// How often each thing happens, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Publishes of the client.
    pub publishes: u8,
    /// Publishes of others in the client's channel.
    pub others: u8,
    /// Requests of the client, each with an answer of two parts.
    pub requests: u8,
    /// The client's application cancels a request.
    pub cancels: u8,
    /// The client's application does not keep up for a while.
    pub pauses: u8,
    /// The connection does not keep up with the channel.
    pub lags: u8,
    /// The server asks its clients to leave.
    pub drains: u8,
    /// One end of a connection finds it broken.
    pub cuts: u8,
    /// The server's process ends and starts again.
    pub restarts: u8,
    /// The server starts again with an older copy of its store.
    pub rollbacks: u8,
    /// The store loses the channel's history.
    pub losses: u8,
    /// The store drops the messages that it has.
    pub trims: u8,
    /// The server's rules refuse a publish.
    pub refusals: u8,
    /// A detached session expires.
    pub expiries: u8,
    /// The time of the client's publishes and requests runs out by its clock.
    pub lapses: u8,
    /// The time of its requests runs out by the clock of the server. Without this, they have no limit.
    pub timeouts: u8,
    /// All that the client has sent on a connection that resumes arrives on another connection once more, as if a copy of the client
    /// had sent it. This ends the client's session: two clients cannot share it. A copy whose session the server does not know is
    /// another client, which the model does not have.
    pub copies: u8,
}

/// A bounded model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Names it in the report.
    pub name: &'static str,
    /// Where the subscription starts, if there is one.
    pub start: Option<Start>,
    /// Whether it wants each message or the latest of each key.
    pub mode: Mode,
    /// How many keys the messages have, at most two; 0 if they have none.
    pub keys: u8,
    /// How many publishes and requests may be unanswered.
    pub credits: usize,
    /// How often each thing happens.
    pub limits: Counts,
    /// How many of the faults, which are all from `cuts` on, happen together at most.
    pub faults: u8,
}

impl Counts {
    /// How many faults there have been.
    pub(crate) fn faults(&self) -> u8 {
        self.cuts
            + self.restarts
            + self.rollbacks
            + self.losses
            + self.trims
            + self.refusals
            + self.expiries
            + self.lapses
            + self.timeouts
            + self.copies
    }
}

impl Scenario {
    /// The models of the tests: each is small enough to be visited whole or to a useful depth.
    pub const ALL: [Self; 10] = [
        Self {
            name: "publishes",
            limits: Counts {
                publishes: 2,
                cuts: 2,
                restarts: 1,
                rollbacks: 1,
                refusals: 1,
                expiries: 1,
                lapses: 1,
                copies: 1,
                ..NOTHING
            },
            ..PLAIN
        },
        Self {
            name: "requests",
            credits: 1,
            limits: Counts {
                publishes: 1,
                requests: 1,
                cancels: 1,
                cuts: 2,
                restarts: 1,
                expiries: 1,
                copies: 1,
                ..NOTHING
            },
            ..PLAIN
        },
        Self {
            name: "timeouts",
            credits: 1,
            limits: Counts { requests: 2, cancels: 1, cuts: 1, lapses: 1, timeouts: 1, ..NOTHING },
            ..PLAIN
        },
        Self {
            name: "subscription",
            start: Some(Start::Last(1)),
            limits: Counts { others: 2, cuts: 2, restarts: 1, rollbacks: 1, losses: 1, trims: 1, ..NOTHING },
            ..PLAIN
        },
        Self {
            name: "pauses",
            start: Some(Start::Last(1)),
            limits: Counts { others: 2, pauses: 1, lags: 1, cuts: 2, trims: 1, losses: 1, ..NOTHING },
            faults: 1,
            ..PLAIN
        },
        // Without older copies of the store: a value may be left out for a later one that such a copy does not have.
        Self {
            name: "values",
            start: Some(Start::State),
            mode: Mode::Latest,
            keys: 2,
            limits: Counts { others: 3, lags: 1, cuts: 1, trims: 1, losses: 1, ..NOTHING },
            ..PLAIN
        },
        Self {
            name: "snapshot",
            start: Some(Start::Hold),
            limits: Counts { others: 2, cuts: 1, restarts: 1, rollbacks: 1, trims: 1, losses: 1, ..NOTHING },
            faults: 1,
            ..PLAIN
        },
        Self {
            name: "drain",
            start: Some(Start::Live),
            limits: Counts { publishes: 1, requests: 1, drains: 1, restarts: 1, ..NOTHING },
            faults: 1,
            ..PLAIN
        },
        Self {
            name: "own messages",
            start: Some(Start::Live),
            limits: Counts { publishes: 2, cuts: 2, restarts: 1, rollbacks: 1, ..NOTHING },
            faults: 1,
            ..PLAIN
        },
        Self {
            name: "together",
            start: Some(Start::Live),
            limits: Counts {
                publishes: 2,
                others: 1,
                requests: 1,
                cancels: 1,
                pauses: 1,
                lags: 1,
                drains: 1,
                cuts: 2,
                restarts: 1,
                rollbacks: 1,
                losses: 1,
                trims: 1,
                refusals: 1,
                expiries: 1,
                lapses: 1,
                timeouts: 0,
                copies: 1,
            },
            faults: 3,
            ..PLAIN
        },
    ];
}

/// No subscription, few credits, and nothing happens.
const PLAIN: Scenario =
    Scenario { name: "", start: None, mode: Mode::Each, keys: 0, credits: 2, limits: NOTHING, faults: 2 };

const NOTHING: Counts = Counts {
    publishes: 0,
    others: 0,
    requests: 0,
    cancels: 0,
    pauses: 0,
    lags: 0,
    drains: 0,
    cuts: 0,
    restarts: 0,
    rollbacks: 0,
    losses: 0,
    trims: 0,
    refusals: 0,
    expiries: 0,
    lapses: 0,
    timeouts: 0,
    copies: 0,
};

/// A deliberate error of a driver, or on the way between the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Defect {
    /// The server does not send the answers to publishes.
    AckForgotten,
    /// What comes from an earlier connection counts as if it came from the present one.
    OldGenerationAccepted,
    /// The client resumes from the offset of its position with the time of an earlier one.
    CursorNotReplacedWhole,
    /// After a resume, the client has the credits of a new connection and one of the old.
    CreditKeptOverResume,
    /// The server forgets over a restart which publishes it has stored.
    ReceivedNotRestored,
    /// The server compares only the offsets of different histories.
    EpochNotCompared,
    /// The server reads on from before what it has dropped.
    TrimmedTreatedAsComplete,
    /// The client does not learn which publishes the server has.
    PublishResentThoughAcked,
    /// A `gap` is not sent.
    GapSwallowed,
    /// The server does not wait for undecided publishes before it welcomes.
    WelcomeBeforeUndecided,
    /// The server says that requests were kept over a restart.
    RequestsSaidToBeKept,
    /// The client gets its own message before the answer to the publish.
    CopyBeforeAnswer,
    /// A `hello` that was under way for long takes the session from a later connection.
    LateHelloAccepted,
    /// The server drops the latest message of a key with the history.
    ValuesDropped,
    /// A message does not say the position before it, where that is not one less.
    PositionBeforeNotSaid,
    /// The client's application does not ask for the values of all keys again after a gap.
    StateNotReadAfterGap,
    /// The client's application goes on from the present, and not from the position of its snapshot.
    LiveAfterSnapshot,
    /// The server ends the session of a client that leaves as it was asked to.
    SessionEndedByDrain,
    /// The server does not say that the time of a request has run out.
    TimeoutNotAnswered,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::AckForgotten,
        Self::OldGenerationAccepted,
        Self::CursorNotReplacedWhole,
        Self::CreditKeptOverResume,
        Self::ReceivedNotRestored,
        Self::EpochNotCompared,
        Self::TrimmedTreatedAsComplete,
        Self::PublishResentThoughAcked,
        Self::GapSwallowed,
        Self::WelcomeBeforeUndecided,
        Self::RequestsSaidToBeKept,
        Self::CopyBeforeAnswer,
        Self::LateHelloAccepted,
        Self::ValuesDropped,
        Self::PositionBeforeNotSaid,
        Self::StateNotReadAfterGap,
        Self::LiveAfterSnapshot,
        Self::SessionEndedByDrain,
        Self::TimeoutNotAnswered,
    ];
}

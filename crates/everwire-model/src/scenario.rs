//! Scenarios: how often each event may happen, deliberate defects, and the guarantees that are checked.

use everwire_core::protocol::{Mode, Start};

/// How often each event happens at most, and how often it has happened.
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
    /// The client's application does not keep up, and pauses its subscription.
    pub pauses: u8,
    /// The connection does not keep up with the channel.
    pub lags: u8,
    /// The server asks its clients to leave.
    pub drains: u8,
    /// One end of a connection loses it.
    pub connection_losses: u8,
    /// The server's process ends and starts again.
    pub restarts: u8,
    /// The server starts again with an older copy of its store.
    pub rollbacks: u8,
    /// The store loses the channel's history.
    pub history_losses: u8,
    /// The store drops the messages that it has.
    pub trims: u8,
    /// The server's rules refuse a publish.
    pub refusals: u8,
    /// A detached session expires.
    pub expiries: u8,
    /// The client's publishes and requests expire by its clock.
    pub client_timeouts: u8,
    /// Its requests time out by the clock of the server. Without this, they have no limit.
    pub server_timeouts: u8,
    /// Everything that the client has sent on a connection that resumes arrives once more on another connection, as if a duplicated page
    /// had sent it. This ends the client's session: two clients cannot share one. A duplicate whose session the server does not know
    /// would be another client, which the model does not have.
    pub duplicates: u8,
}

/// A bounded model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Its name in the report.
    pub name: &'static str,
    /// Where the subscription starts, if there is one.
    pub start: Option<Start>,
    /// Whether it wants each message or the latest of each key.
    pub mode: Mode,
    /// How many keys the messages have, at most two; 0 if they have none.
    pub keys: u8,
    /// How many publishes and requests may be unanswered.
    pub credits: usize,
    /// How often each event happens at most.
    pub limits: Counts,
    /// How many faults happen together at most: the events from `connection_losses` on.
    pub faults: u8,
}

impl Counts {
    /// How many faults there have been.
    pub(crate) fn faults(&self) -> u8 {
        self.connection_losses
            + self.restarts
            + self.rollbacks
            + self.history_losses
            + self.trims
            + self.refusals
            + self.expiries
            + self.client_timeouts
            + self.server_timeouts
            + self.duplicates
    }
}

impl Scenario {
    /// The scenarios of the tests. Each is small enough to be visited completely, or to a useful depth.
    pub const ALL: [Self; 10] = [
        Self {
            name: "publishes",
            limits: Counts {
                publishes: 2,
                connection_losses: 2,
                restarts: 1,
                rollbacks: 1,
                refusals: 1,
                expiries: 1,
                client_timeouts: 1,
                duplicates: 1,
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
                connection_losses: 2,
                restarts: 1,
                expiries: 1,
                duplicates: 1,
                ..NOTHING
            },
            ..PLAIN
        },
        Self {
            name: "timeouts",
            credits: 1,
            limits: Counts {
                requests: 2,
                cancels: 1,
                connection_losses: 1,
                client_timeouts: 1,
                server_timeouts: 1,
                ..NOTHING
            },
            ..PLAIN
        },
        Self {
            name: "subscription",
            start: Some(Start::Last(1)),
            limits: Counts {
                others: 2,
                connection_losses: 2,
                restarts: 1,
                rollbacks: 1,
                history_losses: 1,
                trims: 1,
                ..NOTHING
            },
            ..PLAIN
        },
        Self {
            name: "pauses",
            start: Some(Start::Last(1)),
            limits: Counts {
                others: 2,
                pauses: 1,
                lags: 1,
                connection_losses: 2,
                trims: 1,
                history_losses: 1,
                ..NOTHING
            },
            faults: 1,
            ..PLAIN
        },
        // Without rollbacks: a value may be left out for a later one that an older copy of the store does not have.
        Self {
            name: "values",
            start: Some(Start::State),
            mode: Mode::Latest,
            keys: 2,
            limits: Counts { others: 3, lags: 1, connection_losses: 1, trims: 1, history_losses: 1, ..NOTHING },
            ..PLAIN
        },
        Self {
            name: "snapshot",
            start: Some(Start::Hold),
            limits: Counts {
                others: 2,
                connection_losses: 1,
                restarts: 1,
                rollbacks: 1,
                trims: 1,
                history_losses: 1,
                ..NOTHING
            },
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
            limits: Counts { publishes: 2, connection_losses: 2, restarts: 1, rollbacks: 1, ..NOTHING },
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
                connection_losses: 2,
                restarts: 1,
                rollbacks: 1,
                history_losses: 1,
                trims: 1,
                refusals: 1,
                expiries: 1,
                client_timeouts: 1,
                server_timeouts: 0,
                duplicates: 1,
            },
            faults: 3,
            ..PLAIN
        },
    ];
}

/// No subscription, few credits, and no events.
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
    connection_losses: 0,
    restarts: 0,
    rollbacks: 0,
    history_losses: 0,
    trims: 0,
    refusals: 0,
    expiries: 0,
    client_timeouts: 0,
    server_timeouts: 0,
    duplicates: 0,
};

/// A deliberate error of a driver, or between the state machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Defect {
    /// The server does not send the answers to publishes.
    AckForgotten,
    /// Lines of an earlier connection count as if they came from the current one.
    OldGenerationAccepted,
    /// The client resumes from the offset of its position with the time of an earlier one.
    CursorNotReplacedWhole,
    /// After a resume, the client has the credits of a new connection and one of the old.
    CreditKeptOverResume,
    /// The server forgets over a restart which publishes it has stored.
    ReceivedNotRestored,
    /// The server compares only the offsets of different histories.
    EpochNotCompared,
    /// The server reads from before the messages that it has dropped, and reports no gap.
    TrimmedTreatedAsComplete,
    /// The client does not learn which publishes the server has.
    PublishResentThoughAcked,
    /// A `gap` is not sent.
    GapSwallowed,
    /// The server sends `welcome` before all publishes are decided.
    WelcomeBeforeUndecided,
    /// The server claims that requests survived a restart.
    LostRequestsClaimedKept,
    /// The client gets its own message before the answer to the publish.
    CopyBeforeAnswer,
    /// A delayed `hello` takes the session from a later connection.
    LateHelloAccepted,
    /// The server drops the latest message of a key with the history.
    ValuesDropped,
    /// A message does not name the position before it if that is not one less.
    PreviousPositionOmitted,
    /// The client's application does not read the values of all keys again after a gap.
    StateNotReadAfterGap,
    /// The client's application continues from the latest position instead of that of its snapshot.
    LiveAfterSnapshot,
    /// The server ends the session of a client that leaves because of a drain.
    SessionEndedByDrain,
    /// The server does not report that a request has timed out.
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
        Self::LostRequestsClaimedKept,
        Self::CopyBeforeAnswer,
        Self::LateHelloAccepted,
        Self::ValuesDropped,
        Self::PreviousPositionOmitted,
        Self::StateNotReadAfterGap,
        Self::LiveAfterSnapshot,
        Self::SessionEndedByDrain,
        Self::TimeoutNotAnswered,
    ];
}

/// A guarantee that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A message is missing without a gap, or the subscription does not reach the end of the channel.
    Lost,
    /// A message is delivered twice, or after a gap said that it is missing.
    Repeated,
    /// A gap is reported, and the store has lost nothing.
    NeedlessGap,
    /// The client gets its own message before the answer to the publish.
    CopyBeforeAnswer,
    /// A publish or a request has no outcome when nothing is left to do.
    NoOutcome,
    /// A publish or a request has a second outcome, or parts that do not belong to it.
    TwoOutcomes,
    /// An outcome contradicts the store, or is unknown without a reason.
    WrongOutcome,
    /// A publish is stored twice.
    StoredTwice,
    /// A request runs twice.
    RunTwice,
    /// The client's machine refuses a publish or a request.
    CallRefused,
    /// The server detects an error of the client.
    ClientError,
    /// The client detects an error of the server.
    ServerError,
    /// The client's session ends.
    SessionEnded,
    /// Events follow each other without end, although nothing goes wrong.
    NotQuiescent,
}

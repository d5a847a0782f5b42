//! What goes into a [`ClientSession`](super::ClientSession) and what comes out of it.

use thiserror::Error;

use crate::{
    protocol::{Cursor, ErrorCode, Gap, GapReason, NackOf, ProtocolError, ServerError, ServerLine, Start, Welcome},
    time::Time,
};

/// Every option of a [`ClientSession`](super::ClientSession), with its default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClientSessionConfig {
    /// The most publishes and requests that may wait to be sent or be unanswered (4,096).
    pub max_pending: usize,
    /// The most bytes of these (8 MiB).
    pub max_bytes: usize,
    /// How long the server may take to answer `hello`, and to close the connection where it said so (30 s). The server waits with its
    /// `welcome` for the broker; a link that is dead is found by the heartbeat before.
    pub answer_timeout: Time,
}

impl Default for ClientSessionConfig {
    fn default() -> Self {
        Self { max_pending: 4_096, max_bytes: 8 << 20, answer_timeout: Time::from_secs(30) }
    }
}

impl ClientSessionConfig {
    /// Sets [`max_pending`](field@Self::max_pending).
    #[must_use]
    pub fn max_pending(mut self, publishes_and_requests: usize) -> Self {
        self.max_pending = publishes_and_requests;
        self
    }

    /// Sets [`max_bytes`](field@Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`answer_timeout`](field@Self::answer_timeout).
    #[must_use]
    pub fn answer_timeout(mut self, time: impl Into<Time>) -> Self {
        self.answer_timeout = time.into();
        self
    }
}

/// Names a subscription, of which a channel has at most one. The driver keeps which channel it is, from
/// [`ClientSession::subscribe`](super::ClientSession::subscribe) until [`ClientAction::Ended`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// Names an accepted publish until [`ClientAction::Published`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishId(pub u64);

/// Names an accepted request until the last [`ClientAction::Answered`] or [`ClientAction::RequestFailed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What happened, as the driver saw it. Each line of the server but `msg`, `presence`, `join`, `leave` and `pong` has its input.
///
/// In the inputs of lines that name a channel, `subscription` is `None` where the driver has no subscription of this channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientInput {
    /// A socket opened, with the subprotocol `everwire.v1`.
    Connected,
    /// The socket is gone, or an attempt to open one failed.
    Disconnected {
        /// The close code; 1006 where there was no close frame or no connection.
        code: u16,
    },
    /// `welcome`.
    Welcome {
        /// It carries a secret: the session is new. The driver replaces the id and the secret that it keeps.
        is_new: bool,
        /// The publishes up to this number are decided, and no other was received.
        acked: u64,
        /// Requests of the session still run or have their answers.
        keeps_requests: bool,
        /// How many publishes and requests may be unanswered.
        credits: u64,
        /// The largest message that the server takes, in bytes.
        max_message: usize,
    },
    /// `subscribed`.
    Subscribed {
        /// The subscription of the channel.
        subscription: Option<SubscriptionId>,
        /// Its position.
        cursor: Cursor,
    },
    /// `pos`.
    Position {
        /// The subscription of the channel.
        subscription: Option<SubscriptionId>,
        /// The position.
        cursor: Cursor,
        /// The subscription has caught up.
        is_live: bool,
    },
    /// `gap`.
    Gap {
        /// The subscription of the channel.
        subscription: Option<SubscriptionId>,
        /// Why messages will not come.
        reason: GapReason,
        /// The position after them.
        cursor: Cursor,
        /// How many they are, if the server knows.
        missed: Option<u64>,
    },
    /// `unsub`.
    Unsubscribed {
        /// The subscription of the channel.
        subscription: Option<SubscriptionId>,
        /// Why it ended, or why it was refused.
        code: ErrorCode,
    },
    /// `ack`.
    Acked {
        /// The number of the publish.
        seq: u64,
        /// The position of the message.
        cursor: Cursor,
    },
    /// `nack` of a publish.
    Refused {
        /// The number of the publish.
        seq: u64,
        /// Why.
        code: ErrorCode,
    },
    /// `res`.
    Response {
        /// The number of the request.
        seq: u64,
        /// The number of the part.
        part: u64,
        /// Other parts follow.
        more: bool,
    },
    /// `nack` of a request.
    RequestRefused {
        /// The number of the request.
        seq: u64,
        /// Why.
        code: ErrorCode,
    },
    /// `credits`.
    Credits(u64),
    /// `drain`.
    Drain {
        /// When the server closes the connection.
        deadline: Time,
        /// Within what time the client chooses a moment to connect again.
        spread: Time,
    },
    /// `error`.
    Error {
        /// What is wrong.
        code: ErrorCode,
        /// The server closes the connection.
        is_fatal: bool,
        /// How long the next attempt has to wait.
        retry: Option<Time>,
    },
    /// `bye`.
    Bye {
        /// Why the session is over.
        code: ErrorCode,
    },
    /// A line of a type that is not known.
    UnknownLine,
    /// A line, or a message, that the protocol does not allow.
    Malformed,
    /// The deadline of [`ClientSession::poll_deadline`](super::ClientSession::poll_deadline) has passed.
    Wake,
}

impl ClientInput {
    /// The input that reports a line. `subscription` finds the subscription of a channel.
    ///
    /// `None` for the lines that are reported otherwise: `msg` to [`ClientSession::receive`], `presence`, `join` and `leave` to
    /// [`ClientSession::receive_presence`], `pong` to [`Connection::handle`](crate::Connection::handle).
    ///
    /// ```
    /// use everwire_core::{protocol::{Cursor, ServerLine}, session::{ClientInput, SubscriptionId}};
    ///
    /// let chat = SubscriptionId(1);
    /// let line = ServerLine::parse("subscribed chat 9f.16.1795219150000")?;
    /// let input = ClientInput::from_line(&line, |channel| (channel == "chat").then_some(chat));
    /// let cursor = Cursor { epoch: 0x9f, offset: 16, time: 1_795_219_150_000 };
    /// assert_eq!(input, Some(ClientInput::Subscribed { subscription: Some(chat), cursor }));
    /// # Ok::<(), everwire_core::protocol::ProtocolError<'_>>(())
    /// ```
    ///
    /// [`ClientSession::receive`]: super::ClientSession::receive
    /// [`ClientSession::receive_presence`]: super::ClientSession::receive_presence
    pub fn from_line(line: &ServerLine<'_>, subscription: impl FnOnce(&str) -> Option<SubscriptionId>) -> Option<Self> {
        Some(match *line {
            ServerLine::Welcome(Welcome { acked, requests_kept, credits, message, secret, .. }) => Self::Welcome {
                is_new: secret.is_some(),
                acked,
                keeps_requests: requests_kept,
                credits,
                max_message: usize::try_from(message).unwrap_or(usize::MAX),
            },
            ServerLine::Subscribed { channel, cursor } => {
                Self::Subscribed { subscription: subscription(channel), cursor }
            }
            ServerLine::Pos { channel, cursor, live } => {
                Self::Position { subscription: subscription(channel), cursor, is_live: live }
            }
            ServerLine::Gap(Gap { channel, reason, cursor, missed, .. }) => {
                Self::Gap { subscription: subscription(channel), reason, cursor, missed }
            }
            ServerLine::Unsub { channel, code } => Self::Unsubscribed { subscription: subscription(channel), code },
            ServerLine::Ack { seq, cursor } => Self::Acked { seq, cursor },
            ServerLine::Nack { seq, code, of: NackOf::Pub } => Self::Refused { seq, code },
            ServerLine::Nack { seq, code, of: NackOf::Req } => Self::RequestRefused { seq, code },
            ServerLine::Res { seq, part, more } => Self::Response { seq, part, more },
            ServerLine::Credits { credits } => Self::Credits(credits),
            ServerLine::Drain { deadline, spread } => {
                Self::Drain { deadline: Time::from_millis(deadline), spread: Time::from_millis(spread) }
            }
            ServerLine::Error(ServerError { code, fatal, retry, .. }) => {
                Self::Error { code, is_fatal: fatal, retry: retry.map(Time::from_millis) }
            }
            ServerLine::Bye { code } => Self::Bye { code },
            ServerLine::Msg(_)
            | ServerLine::Presence { .. }
            | ServerLine::Join { .. }
            | ServerLine::Leave { .. }
            | ServerLine::Pong { .. } => return None,
        })
    }

    /// The input that reports a line, or a message, that could not be read.
    pub fn from_error(error: &ProtocolError<'_>) -> Self {
        match error {
            ProtocolError::UnknownLine(_) => Self::UnknownLine,
            ProtocolError::Malformed { .. } => Self::Malformed,
        }
    }
}

/// What the driver has to do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAction {
    /// Send `hello`.
    Hello {
        /// How many attempts have ended since the last `welcome`.
        attempt: u64,
        /// Whether to name the session of the last `welcome`, with its secret. If not, the server starts one.
        is_resume: bool,
        /// All publishes up to this number are answered.
        acked: u64,
        /// All requests below this number are answered.
        floor: u64,
        /// The close code of the connection before.
        closed: Option<u16>,
    },
    /// Send `sub`, with the channel and options of this subscription.
    Subscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// Where it starts.
        start: Start,
    },
    /// Send `unsub`.
    Unsubscribe {
        /// The subscription; `None`: the channel of the line that was handed in last, of which the driver has no subscription.
        subscription: Option<SubscriptionId>,
    },
    /// Send `pub`, with the channel and payload of this publish.
    Publish {
        /// The publish.
        id: PublishId,
        /// Its number.
        seq: u64,
        /// The number before it, where that is not one less.
        after: Option<u64>,
    },
    /// Send `req`, with the name and payload of this request.
    Request {
        /// The request.
        id: RequestId,
        /// Its number.
        seq: u64,
        /// The time left.
        timeout: Option<Time>,
        /// All requests below this number are answered.
        floor: u64,
        /// The part of the answer that is expected next; `None` where the request was never sent.
        part: Option<u64>,
    },
    /// Send `cancel`.
    Cancel {
        /// The number of the request.
        seq: u64,
    },
    /// Send `error`, with the type of the line that was handed in last: it is not right.
    ReportError {
        /// What is wrong.
        code: ErrorCode,
    },
    /// Send `bye`.
    Bye,
    /// Close the socket with this error's close code, and connect again. [`ClientInput::Disconnected`] follows.
    Close {
        /// What the server did.
        code: ErrorCode,
    },
    /// Connect again: the server is going away, or does not answer. [`ClientInput::Disconnected`] follows for the old socket.
    Reconnect,
    /// The server wants no attempt before this time has passed.
    RetryAfter {
        /// From now on.
        delay: Time,
    },
    /// Report that the server has answered `hello`.
    Attached {
        /// Whether the session is the one from before.
        session: Attachment,
    },
    /// Report the outcome of a publish. Its payload is not needed any more.
    Published {
        /// The publish.
        id: PublishId,
        /// What became of it.
        outcome: PublishOutcome,
    },
    /// Report a part of the answer to a request: the payload of the line that was handed in last.
    Answered {
        /// The request.
        id: RequestId,
        /// The number of the part, which counts from 0 without holes.
        part: u64,
        /// Other parts follow. If not, the request is answered, and its payload is not needed any more.
        more: bool,
    },
    /// Report that a request has failed. Its payload is not needed any more.
    RequestFailed {
        /// The request.
        id: RequestId,
        /// Why. [`ErrorCode::Unknown`]: the session, or its requests, were lost after it was sent.
        code: ErrorCode,
    },
    /// Report that messages will not come.
    Gap {
        /// The subscription.
        subscription: SubscriptionId,
        /// Why.
        reason: GapReason,
        /// The position after them, where the subscription goes on.
        cursor: Cursor,
        /// How many they are, if the server knows.
        missed: Option<u64>,
    },
    /// Report that the subscription has caught up with what was published while the connection was down, and nothing was missed.
    Resumed {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// Report that what follows is new.
    CaughtUp {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// Report the position of a subscription that starts with [`Start::Hold`]. Nothing is
    /// delivered until [`ClientSession::restart`](super::ClientSession::restart).
    Held {
        /// The subscription.
        subscription: SubscriptionId,
        /// Its position.
        cursor: Cursor,
    },
    /// Report that the subscription is over, and forget its channel. Nothing follows about it.
    Ended {
        /// The subscription.
        subscription: SubscriptionId,
        /// Why the server ended or refused it, or why the session is over; `None` where the application ended it.
        code: Option<ErrorCode>,
    },
    /// Report that the session is over, and close the connection without another attempt. It is the last action.
    Over {
        /// Why. [`ErrorCode::Cancelled`] where the application ended it.
        code: ErrorCode,
    },
}

/// The session that a connection is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attachment {
    /// The first one.
    New,
    /// The one from before: the server has what was sent in it.
    Resumed,
    /// A new one in place of the one from before, which has expired or was lost. The outcome of what was sent in that and not answered
    /// is [`ErrorCode::Unknown`]. Subscriptions are not affected.
    Replaced,
}

/// What became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublishOutcome {
    /// It is stored at this position.
    Stored(Cursor),
    /// The server refused it, or it was not sent.
    ///
    /// [`ErrorCode::Unknown`]: it may be stored or not. [`ErrorCode::Expired`]: its time to live ran out, and the server does not have
    /// it. [`ErrorCode::Cancelled`]: the application ended the session before it was sent.
    Failed(ErrorCode),
}

/// Why a publish or a request was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// It is larger than the server accepts.
    #[error("larger than the {limit} bytes that the server accepts: send less")]
    TooLarge {
        /// The largest message, in bytes.
        limit: usize,
    },
    /// There is no room for what is not answered yet.
    #[error("too much is waiting for the server's answers: wait for some of them, or raise the limits")]
    Full,
    /// The session is over.
    #[error("the session is over: start another one")]
    Over,
}

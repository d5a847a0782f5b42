//! What goes into a connection and what comes out of it.

use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};

use crate::{
    CloseCode, DiscardReason, MessageId, Payload,
    terms::{MessagesOf, ReasonOf, TextOf, TimeOf},
};

/// Names one attempt and the socket that came of it. An input that names a socket other than the current one is too late and
/// has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// What happened, as the driver saw it.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<M: Payload> {
    /// The application wants the connection.
    Open,
    /// The application wants an attempt now: while waiting, after a stop, or in place of a socket that it mistrusts. It joins an
    /// attempt that is under way, and comes no sooner after the last dial than [`Backoff::floor`](crate::Backoff::floor).
    Reconnect,
    /// The application is done.
    Close {
        /// The close code to send.
        code: CloseCode,
        /// The reason to send.
        reason: ReasonOf<M>,
    },
    /// The application waits until everything was handed to the network.
    Flush,
    /// The socket is open. The greeting goes out before anything that waits in the outbox: credentials, subscriptions.
    Opened {
        /// Which socket.
        socket: SocketId,
        /// What to send first.
        greeting: Vec<M>,
    },
    /// A message arrived.
    Received {
        /// On which socket.
        socket: SocketId,
        /// What arrived.
        message: M,
    },
    /// The answer to a ping arrived.
    Pong {
        /// On which socket.
        socket: SocketId,
        /// Which ping it answers. `None` where the answer does not say: it proves the link alive, and is a sample of the round
        /// trip where a single ping was waiting for it.
        ping: Option<u64>,
        /// The server's time in milliseconds since the Unix epoch, where the answer told.
        server_time: Option<f64>,
    },
    /// The platform says that the socket is gone, or the attempt failed.
    Dropped {
        /// Which socket.
        socket: SocketId,
        /// Why, as far as is known.
        cause: Cause<TextOf<M>>,
        /// The bytes that the platform had not yet given to the network.
        buffered: u64,
    },
    /// The answer to [`Action::Measure`].
    Buffered {
        /// On which socket.
        socket: SocketId,
        /// The bytes that the platform has not yet given to the network.
        bytes: u64,
    },
    /// The platform's network state changed.
    Network(Network),
    /// The page's life cycle moved on.
    Page(Page),
    /// The deadline of [`Connection::poll_deadline`](crate::Connection::poll_deadline) has passed.
    Wake {
        /// The wall clock, as a time since any fixed point: it runs on while the machine sleeps, which the monotonic clock of
        /// `now` may not.
        wall: Duration,
    },
}

/// What the platform says of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// There is one again, or another one.
    Online,
    /// There is none.
    Offline,
}

/// What happened to the page, in the terms of the Page Lifecycle specification and of HTML's back/forward cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// `visibilitychange` to visible, or `focus`.
    Visible,
    /// `visibilitychange` to hidden; also at the start of a page that opens hidden. Its timers are late as a matter of course, which
    /// is then no sign of a standstill.
    Hidden,
    /// `freeze`: no timer and no event will run until `resume`.
    Frozen,
    /// `resume`.
    Resumed,
    /// `pagehide` with `persisted`: the page goes into the back/forward cache, where a socket must not be.
    Suspended,
    /// `pageshow` with `persisted`: the page is back from the cache.
    Restored,
}

/// What the driver has to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action<M: Payload> {
    /// Ask the provider for the address and open a socket.
    Dial {
        /// The name of the attempt and its socket.
        socket: SocketId,
        /// How many attempts failed since a connection was last stable.
        failures: u32,
    },
    /// Hand a message to the socket.
    Transmit {
        /// Which socket.
        socket: SocketId,
        /// The message.
        message: M,
    },
    /// Send a ping.
    Probe {
        /// On which socket.
        socket: SocketId,
        /// Its number, which the answer should carry.
        ping: u64,
    },
    /// Say how many bytes the platform has not yet given to the network, by [`Input::Buffered`].
    Measure {
        /// On which socket.
        socket: SocketId,
    },
    /// Start the closing handshake and go on listening for its end.
    Close {
        /// Which socket.
        socket: SocketId,
        /// The close code to send.
        code: CloseCode,
        /// The reason to send.
        reason: ReasonOf<M>,
    },
    /// Stop listening to the socket, then close it. Nothing of it is of interest any more.
    Abandon {
        /// Which socket.
        socket: SocketId,
    },
    /// Tell the application.
    Notify(Event<M>),
}

/// What the application is told.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<M: Payload> {
    /// The connection is open.
    Opened {
        /// Which socket.
        socket: SocketId,
        /// How many attempts failed since a connection was last stable.
        failures: u32,
        /// Whether there was an open connection before.
        is_reconnect: bool,
    },
    /// A message arrived.
    Message(M),
    /// An answered ping: a sample of the round trip.
    Latency(TimeOf<M>),
    /// The connection was lost or an attempt failed, and another attempt follows.
    Dropped {
        /// Why.
        cause: Cause<TextOf<M>>,
        /// What was handed over but may not have left.
        at_risk: AtRisk<MessagesOf<M>>,
        /// The attempt that follows.
        retry: Retry<TimeOf<M>>,
    },
    /// A message that had been accepted will not be sent; here it is.
    Discarded {
        /// Its name.
        id: MessageId,
        /// The message.
        message: M,
        /// Why.
        reason: DiscardReason,
    },
    /// The connection is over: no attempt follows unless the application asks for one.
    Closed {
        /// Why.
        ended: Ended<TextOf<M>>,
        /// What was handed over but may not have left.
        at_risk: AtRisk<MessagesOf<M>>,
    },
}

/// Why a socket is gone or an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Cause<Text = String> {
    /// The socket closed, with what the platform told about it. A refused connection is code 1006 in a browser, and so is a
    /// handshake answered with any HTTP status but 101.
    Closed {
        /// The close code; 1005 where the frame had none, 1006 where there was no frame, 1009 with an unclean close where this side
        /// ended the connection because of a message above its limit.
        code: u16,
        /// The reason in the close frame.
        reason: Text,
        /// Whether both sides took part in the closing handshake.
        was_clean: bool,
        /// Whether no close frame came and the network changed, or the page or the machine woke, just before: the fault is then
        /// probably on this side. The core finds that out by itself.
        local_fault: bool,
    },
    /// The attempt took too long.
    ConnectTimeout,
    /// The link was asked and did not answer.
    HeartbeatTimeout {
        /// Whether any ping was ever answered, on this socket or on one before; true where the heartbeat sends none. If none ever
        /// is, the server does not answer pings: choose another heartbeat.
        ever_answered: bool,
    },
    /// The network that the attempt was made on is gone, or the machine slept meanwhile.
    NetworkChanged,
    /// The provider of the address failed.
    Provider(Text),
    /// The platform refuses the address or the subprotocols; it would refuse them again.
    Refused(Text),
    /// The page went into the back/forward cache, where a socket must not be.
    Suspended,
    /// The application asked for a new connection.
    Requested,
}

impl<Text> Cause<Text> {
    /// A close as the platform reported it.
    pub fn closed(code: u16, reason: impl Into<Text>, was_clean: bool) -> Self {
        Self::Closed { code, reason: reason.into(), was_clean, local_fault: false }
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
            Self::Provider(error) => write!(formatter, "the provider of the address failed: {error}"),
            Self::Refused(error) => write!(formatter, "the address was refused: {error}"),
            Self::Suspended => formatter.write_str("the page went into the back/forward cache"),
            Self::Requested => formatter.write_str("a new connection was asked for"),
        }
    }
}

/// The attempt that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry<Time = Duration> {
    /// Which retry it is since a connection was last stable, from 1. One that replaces a failed attempt made without a network,
    /// one that was asked for and one after a return from the back/forward cache do not count, so that their number may
    /// come again.
    pub attempt: u32,
    /// When it is made, unless a happening such as the network's return brings it forward; `None`: when the page comes back from
    /// the back/forward cache.
    pub at: Option<Time>,
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Ended<Text = String> {
    /// The application closed it.
    ByApplication {
        /// The code of the closing handshake; 1006 where the server did not complete it in time.
        code: u16,
        /// The reason of the closing handshake.
        reason: Text,
        /// Whether both sides took part in the closing handshake.
        was_clean: bool,
    },
    /// The close policy says that another attempt would fail the same way.
    Final(Cause<Text>),
    /// As many attempts were made as allowed; this is how the last one failed.
    Exhausted(Cause<Text>),
}

/// What was handed to the platform and may not have reached the network when the socket went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AtRisk<Messages = Vec<MessageId>> {
    /// The bytes that the platform still held.
    pub bytes: u64,
    /// The messages that they belong to, oldest first. Those before were handed to the network, which is not to say that the
    /// server got them: only an acknowledgement by the server can.
    pub messages: Messages,
}

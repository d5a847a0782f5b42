//! What goes into a [`Connection`](crate::Connection), what comes out of it, and what it reports about itself: numbers only.

#[cfg(feature = "socket")]
use alloc::vec::Vec;
use core::fmt;

use crate::time::Time;

/// The code that a platform reports where the connection ended without a close frame (RFC 6455, section 7.1.5).
pub(crate) const NO_CLOSE_FRAME: u16 = 1006;

/// Identifies an attempt and the socket that it opens. An input with a socket other than the current one is stale and has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// Identifies an accepted message in the reports about it. Counts up from 1 over the life of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MessageId(pub u64);

/// An event that the driver reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input {
    /// The application wants the connection.
    Open {
        /// The time since the last dial of the connection that this one replaces, which counts for
        /// [`Backoff::floor`](field@crate::Backoff::floor); `None` if there was none.
        since_last_dial: Option<Time>,
    },
    /// The application wants an attempt now: while waiting, after the end, or in place of an open socket. It joins an attempt in progress,
    /// and dials no sooner after the last dial than [`Backoff::floor`](field@crate::Backoff::floor).
    Reconnect,
    /// The application closes the connection. The driver keeps the close code and the reason.
    Close,
    /// The application waits until every accepted message has been handed to the network.
    #[cfg(feature = "flush")]
    Flush,
    /// The socket is open.
    Opened {
        /// The socket.
        socket: SocketId,
    },
    /// The answer to a ping arrived.
    Pong {
        /// The socket.
        socket: SocketId,
        /// The number of the ping that it answers. `None` if the answer does not say: it proves that the link is alive, and is a sample
        /// of the round trip if exactly one ping was outstanding.
        ping: Option<u64>,
        /// The server's time in milliseconds since the Unix epoch, if the answer carries it.
        server_time: Option<f64>,
    },
    /// The platform reports that the socket is gone, or the attempt failed.
    Dropped {
        /// The socket.
        socket: SocketId,
        /// Why, as far as the platform knows.
        cause: DropCause,
        /// The bytes that the platform had not yet handed to the network.
        buffered: u64,
    },
    /// The answer to [`Action::Measure`].
    Buffered {
        /// The socket.
        socket: SocketId,
        /// The bytes that the platform has not yet handed to the network.
        bytes: u64,
    },
    /// The answer to [`Action::Decide`].
    Decided(Decision),
    /// The state of the platform's network changed.
    Network(Network),
    /// The page's life cycle changed.
    Page(Page),
    /// The deadline of [`Connection::poll_deadline`](crate::Connection::poll_deadline) has passed.
    Wake {
        /// The wall clock, as a time since any fixed point. It advances while the machine sleeps, which the monotonic clock may not.
        wall: Time,
    },
}

/// What the platform reports about its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// There is a network again, or another one.
    Online,
    /// There is none.
    Offline,
}

/// A change of the page's life cycle, in the terms of the Page Lifecycle specification and of HTML's back/forward cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// `visibilitychange` to visible, or `focus`.
    Visible,
    /// `visibilitychange` to hidden; also at the start of a page that opens hidden. Browsers throttle its timers, so that a late timer
    /// then does not mean that the page stood still.
    Hidden,
    /// `freeze`: no timer and no event runs until `resume`.
    Frozen,
    /// `resume`.
    Resumed,
    /// `pagehide` with `persisted`: the page goes into the back/forward cache, which does not admit open sockets.
    Suspended,
    /// `pageshow` with `persisted`: the page is back from the cache.
    Restored,
}

/// Whether a received message is for the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message on a stale socket is not for the application"]
pub enum Delivery {
    /// Deliver it.
    Deliver,
    /// Ignore it: the socket was replaced.
    Ignore,
}

/// What the driver has to do. Actions are carried out in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask the provider for the address and open a socket.
    Dial {
        /// Identifies the attempt and its socket.
        socket: SocketId,
        /// How many attempts have failed since a connection was last stable.
        failures: u32,
    },
    /// Hand a queued message to the socket.
    Transmit {
        /// The socket.
        socket: SocketId,
        /// The message, as [`Connection::enqueue`](crate::Connection::enqueue) named it.
        id: MessageId,
    },
    /// Send a ping.
    Ping {
        /// The socket.
        socket: SocketId,
        /// Its number, which the answer should carry.
        ping: u64,
    },
    /// Answer at once with [`Input::Buffered`]: the current time, and the bytes that the platform has not yet handed to the network.
    Measure {
        /// The socket.
        socket: SocketId,
    },
    /// Start the closing handshake with the application's code and reason, and keep listening for its end.
    Close {
        /// The socket.
        socket: SocketId,
    },
    /// Remove the listeners from the socket, then close it.
    Detach {
        /// The socket.
        socket: SocketId,
    },
    /// Answer with [`Input::Decided`]: the decision of the application's reconnect policy. Only if
    /// [`ReconnectRules::asks_application`](crate::ReconnectRules::asks_application) is set; any other input before the answer counts as the
    /// default.
    Decide {
        /// Why the connection was lost or the attempt failed.
        cause: DropCause,
        /// The decision without a policy of the application.
        default: Decision,
        /// The attempt that follows if the answer is the default, or [`Decision::Retry`] where that is [`Decision::Stop`].
        retry: Retry,
    },
    /// Report that the connection is open. On-open messages are handed to the socket now, before anything else, and reported by
    /// [`Connection::transmitted_on_open`](crate::Connection::transmitted_on_open).
    Opened {
        /// The socket.
        socket: SocketId,
        /// How many attempts had failed since a connection was last stable.
        failures: u32,
        /// Whether there was an open connection before.
        is_reconnect: bool,
    },
    /// Report an answered ping: a sample of the round trip.
    Latency(Time),
    /// Report that the connection was lost or an attempt failed, and that another attempt follows.
    Dropped {
        /// Why.
        cause: DropCause,
        /// What was handed to the platform and may not have reached the network.
        at_risk: AtRisk,
        /// The attempt that follows.
        retry: Retry,
    },
    /// Report that a queued message will not be sent.
    Discarded {
        /// The message.
        id: MessageId,
        /// Why.
        reason: DiscardReason,
    },
    /// Report that the connection is over: no attempt follows unless the application reconnects.
    Closed {
        /// Why.
        outcome: CloseOutcome,
        /// What was handed to the platform and may not have reached the network.
        at_risk: AtRisk,
    },
}

/// The phase of a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The application has not opened the connection yet.
    Idle,
    /// An attempt is in progress.
    Connecting {
        /// Its socket.
        socket: SocketId,
        /// When it is given up.
        give_up_at: Time,
        /// Whether the platform reported that it was offline when the attempt began or since then.
        had_no_network: bool,
    },
    /// The socket is open.
    Open {
        /// The socket.
        socket: SocketId,
        /// Since when.
        since: Time,
    },
    /// Between two attempts.
    Waiting {
        /// When the next one is made; `None` while the page is in the back/forward cache or the application decides.
        until: Option<Time>,
    },
    /// The application has closed the connection, and the closing handshake is in progress.
    Closing {
        /// The socket.
        socket: SocketId,
        /// When the handshake is given up.
        give_up_at: Time,
    },
    /// Over, until the application reconnects.
    Closed,
}

impl Phase {
    /// The socket that exists in this phase.
    pub fn socket(self) -> Option<SocketId> {
        match self {
            Self::Connecting { socket, .. } | Self::Open { socket, .. } | Self::Closing { socket, .. } => Some(socket),
            Self::Idle | Self::Waiting { .. } | Self::Closed => None,
        }
    }

    /// Whether messages can be handed to a socket.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    pub(super) fn is_open_on(self, socket: SocketId) -> bool {
        matches!(self, Self::Open { socket: current, .. } if current == socket)
    }
}

/// The messages and bytes that a connection has carried over all its sockets, without pings and their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// How often a socket was opened.
    pub opened: u64,
    /// How often a connection was lost or an attempt failed, with another attempt following.
    pub dropped: u64,
    /// Messages handed to the platform, without on-open messages.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
}

impl Traffic {
    pub(super) fn count_out(&mut self, size: usize) {
        self.messages_out += 1;
        self.bytes_out = self.bytes_out.saturating_add(size as u64);
    }

    pub(super) fn count_in(&mut self, size: usize) {
        self.messages_in += 1;
        self.bytes_in = self.bytes_in.saturating_add(size as u64);
    }
}

/// Why a socket is gone or an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropCause {
    /// The socket closed. A refused connection is code 1006 in a browser, and so is a handshake answered with any HTTP status but 101.
    Closed {
        /// The close code; 1005 if the frame had none, 1006 if there was no frame.
        code: u16,
        /// Whether both sides took part in the closing handshake.
        was_clean: bool,
        /// Whether no close frame came and the network changed, or the page or the machine woke, just before: the fault is then
        /// probably on this side. The core determines it; a driver passes `false`.
        local_fault: bool,
    },
    /// The attempt took too long.
    ConnectTimeout,
    /// The link did not answer.
    HeartbeatTimeout {
        /// Whether any ping was ever answered, on this socket or an earlier one; true if the heartbeat sends none. If none ever was, the
        /// server does not answer pings.
        ever_answered: bool,
    },
    /// The network of the attempt is gone, or the machine slept meanwhile.
    NetworkChanged,
    /// The provider of the address failed.
    ProviderFailed,
    /// The platform refuses the address or the subprotocols; it would refuse them again.
    AddressRefused,
    /// The page went into the back/forward cache, which does not admit open sockets.
    Suspended,
    /// The application requested a new connection.
    Requested,
}

impl DropCause {
    /// A close as the platform reported it.
    pub fn closed(code: u16, was_clean: bool) -> Self {
        Self::Closed { code, was_clean, local_fault: false }
    }
}

/// What to do after a connection was lost or an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Retry, spread out: the fault may have hit many clients at once.
    Retry,
    /// Retry soon: the fault is on this client's side.
    RetrySoon,
    /// Do not retry: another attempt would fail the same way.
    Stop,
}

/// The attempt that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The number of the retry since a connection was last stable, from 1. Retries after an attempt without a network, at the application's
    /// request, and after a return from the back/forward cache do not count, so their number may repeat.
    pub attempt: u32,
    /// When it is made, unless an event such as the network's return brings it forward; `None` if it waits for the page's return from the
    /// back/forward cache.
    pub at: Option<Time>,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseOutcome {
    /// The application closed it.
    ByApplication(ClosingHandshake),
    /// The reconnect policy decided that another attempt would fail the same way.
    Final(DropCause),
    /// All allowed attempts failed; this is how the last one did.
    Exhausted(DropCause),
}

/// How the closing handshake of the application ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosingHandshake {
    /// There was no open connection.
    NotOpen,
    /// The socket closed.
    Ended {
        /// The close code; 1006 if the server sent no close frame.
        code: u16,
        /// Whether both sides took part.
        was_clean: bool,
    },
    /// The server did not complete it within [`Config::close_timeout`](crate::Config::close_timeout).
    TimedOut,
    /// The page went into the back/forward cache.
    Suspended,
}

/// Why a message left the outbox without being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum DiscardReason {
    /// Its time to live ran out.
    Expired,
    /// It was the oldest when a newer one needed its room ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)).
    Evicted,
    /// A newer message with the same key replaced it.
    Replaced,
    /// The connection was closed before it could be sent.
    Closed,
}

impl fmt::Display for DiscardReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Expired => "it waited longer than its time to live",
            Self::Evicted => "the outbox was full and it was the oldest",
            Self::Replaced => "a newer message with the same key replaced it",
            Self::Closed => "the connection was closed before it could be sent",
        })
    }
}

/// Messages that were handed to the platform and may not have reached the network when the socket was lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AtRisk {
    /// The bytes that the platform still held.
    pub bytes: u64,
    /// The messages that these bytes belong to, in the order in which they were handed over. Earlier messages reached the network, which
    /// does not mean that the server received them: only an acknowledgement by the server shows that.
    #[cfg(feature = "socket")]
    pub messages: Vec<MessageId>,
}

impl AtRisk {
    #[cfg_attr(not(feature = "socket"), expect(unused_variables, reason = "single messages are not known"))]
    pub(crate) fn push(&mut self, message: MessageId) {
        #[cfg(feature = "socket")]
        self.messages.push(message);
    }
}

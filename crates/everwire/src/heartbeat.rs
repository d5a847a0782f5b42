//! How a dead link is detected, and the messages by which a ping is sent and answered.

use core::fmt;

use everwire_core::{HeartbeatMode, PingSchedule, Time, ping};

use crate::{
    Message, Received,
    payload::Payload,
    threads::{MaybeSendSync, Pointer, shared_dyn},
};

/// How a dead link is detected.
#[derive(Clone)]
pub struct Heartbeat {
    pub(crate) mode: HeartbeatMode,
    pub(crate) messages: PingMessages,
}

/// The messages by which a ping is sent and answered.
#[derive(Clone)]
pub(crate) enum PingMessages {
    /// `{"ping":N}`, answered by `{"pong":N}` or itself.
    Standard,
    Custom {
        make_ping: Pointer<MakePing>,
        /// `None` if a layer above parses the pongs and reports them.
        parse_pong: Option<Pointer<ParsePong>>,
    },
}

type MakePing = shared_dyn!(Fn(u64) -> Message);
type ParsePong = shared_dyn!(Fn(&Message) -> Option<Pong>);

/// The content of an answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Pong {
    /// The number of the ping that it answers; `None` if the answer does not carry it. Without it there is no round trip.
    pub ping: Option<u64>,
    /// The server's time in milliseconds since the Unix epoch, if the answer carries it.
    pub server_time: Option<f64>,
}

impl Pong {
    /// The answer to the ping with this number. [`Pong::default`] is one without a number.
    pub fn new(ping: u64) -> Self {
        Self { ping: Some(ping), server_time: None }
    }

    /// Sets [`server_time`](field@Self::server_time).
    #[must_use]
    pub fn server_time(mut self, milliseconds: f64) -> Self {
        self.server_time = Some(milliseconds);
        self
    }
}

impl From<ping::Answer> for Pong {
    fn from(ping::Answer { number, server_time }: ping::Answer) -> Self {
        Self { ping: Some(number), server_time }
    }
}

impl Heartbeat {
    /// The text `{"ping":N}`, answered by `{"pong":N}`, by `{"pong":N,"server_time":MS}`, or by itself, as an echo does. The
    /// default.
    pub fn ping() -> Self {
        Self { mode: HeartbeatMode::default(), messages: PingMessages::Standard }
    }

    /// A ping in the server's own format. `make_ping` makes the message from a number that counts up. `parse_pong` receives every
    /// message and returns `Some` for the answer to a ping, which the application then does not receive.
    ///
    /// ```
    /// use everwire::{Heartbeat, Message, Pong};
    ///
    /// let heartbeat = Heartbeat::custom(
    ///     |number| Message::from(format!("PING {number}")),
    ///     |message| message.as_text()?.strip_prefix("PONG ")?.parse().ok().map(Pong::new),
    /// );
    /// ```
    pub fn custom(
        make_ping: impl Fn(u64) -> Message + MaybeSendSync + 'static,
        parse_pong: impl Fn(&Message) -> Option<Pong> + MaybeSendSync + 'static,
    ) -> Self {
        let (make_ping, parse_pong) = (Pointer::new(make_ping), Some(Pointer::new(parse_pong) as _));
        Self { messages: PingMessages::Custom { make_ping, parse_pong }, ..Self::ping() }
    }

    /// Pings whose answers a layer above parses, which reports them by [`Shared::handle`](crate::shared::Shared::handle).
    pub(crate) fn ping_only(make_ping: impl Fn(u64) -> Message + MaybeSendSync + 'static) -> Self {
        let messages = PingMessages::Custom { make_ping: Pointer::new(make_ping), parse_pong: None };
        Self { messages, ..Self::ping() }
    }

    /// No pings: a link is dead after this long without a message. For servers that send continuously.
    pub fn silence(after: impl Into<Time>) -> Self {
        Self { mode: HeartbeatMode::Silence(after.into()), ..Self::ping() }
    }

    /// No detection beyond what the platform reports by itself, which can take minutes.
    pub fn off() -> Self {
        Self { mode: HeartbeatMode::Off, ..Self::ping() }
    }

    /// Replaces the times. It has no effect on a heartbeat without pings.
    #[must_use]
    pub fn schedule(mut self, schedule: PingSchedule) -> Self {
        if let HeartbeatMode::Ping(current) = &mut self.mode {
            *current = schedule;
        }
        self
    }
}

impl PingMessages {
    pub(crate) fn make_ping(&self, number: u64) -> Message {
        match self {
            Self::Standard => Message::Text(ping::Ping { number }.to_string()),
            Self::Custom { make_ping, .. } => make_ping(number),
        }
    }

    /// The answer to a ping, or the message as it was.
    pub(crate) fn parse(&self, received: Received) -> Result<Pong, Payload> {
        match self {
            Self::Standard => received.standard_pong().map(Pong::from).ok_or(Payload::Received(received)),
            Self::Custom { parse_pong: None, .. } => Err(Payload::Received(received)),
            Self::Custom { parse_pong: Some(parse_pong), .. } => {
                let message = received.into_message();
                parse_pong(&message).ok_or(Payload::Read(message))
            }
        }
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::ping()
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mode.fmt(formatter)
    }
}

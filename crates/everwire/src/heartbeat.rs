use core::fmt;

use everwire_core::{HeartbeatMode, PingSchedule, Time, ping};

use crate::{
    Message, Received,
    payload::Payload,
    threads::{MaybeSendSync, Pointer},
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
        ask: Pointer<Ask>,
        /// `None` where the answers are found by what reads the messages.
        answer: Option<Pointer<Answer>>,
    },
}

#[cfg(target_family = "wasm")]
type Ask = dyn Fn(u64) -> Message;
#[cfg(not(target_family = "wasm"))]
type Ask = dyn Fn(u64) -> Message + Send + Sync;

#[cfg(target_family = "wasm")]
type Answer = dyn Fn(&Message) -> Option<Pong>;
#[cfg(not(target_family = "wasm"))]
type Answer = dyn Fn(&Message) -> Option<Pong> + Send + Sync;

/// What is read from the answer to a ping.
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

    /// The server's own ping. `ask` makes the message from a number that counts up. `answer` receives every message and returns
    /// `Some` for the answer to a ping, which the application then does not receive.
    pub fn custom(
        ask: impl Fn(u64) -> Message + MaybeSendSync + 'static,
        answer: impl Fn(&Message) -> Option<Pong> + MaybeSendSync + 'static,
    ) -> Self {
        Self {
            messages: PingMessages::Custom { ask: Pointer::new(ask), answer: Some(Pointer::new(answer)) },
            ..Self::ping()
        }
    }

    /// Pings whose answers [`Shared::handle`](crate::shared::Shared::handle) is given by what reads the messages.
    pub(crate) fn ask_only(ask: impl Fn(u64) -> Message + MaybeSendSync + 'static) -> Self {
        Self { messages: PingMessages::Custom { ask: Pointer::new(ask), answer: None }, ..Self::ping() }
    }

    /// No pings: a link is dead when nothing was received for this long. For servers that send all the time.
    pub fn silence(after: impl Into<Time>) -> Self {
        Self { mode: HeartbeatMode::Silence(after.into()), ..Self::ping() }
    }

    /// No detection beyond what the platform reports by itself, which can take minutes.
    pub fn off() -> Self {
        Self { mode: HeartbeatMode::Off, ..Self::ping() }
    }

    /// With other times. It has no effect on a heartbeat without pings.
    #[must_use]
    pub fn schedule(mut self, schedule: PingSchedule) -> Self {
        if let HeartbeatMode::Ping(current) = &mut self.mode {
            *current = schedule;
        }
        self
    }
}

impl PingMessages {
    pub(crate) fn ask(&self, ping: u64) -> Message {
        match self {
            Self::Standard => Message::Text(ping::Ping { number: ping }.to_string()),
            Self::Custom { ask, .. } => ask(ping),
        }
    }

    /// The answer to a ping, or the message as it was.
    pub(crate) fn read(&self, received: Received) -> Result<Pong, Payload> {
        match self {
            Self::Standard => received.standard_pong().map(Pong::from).ok_or(Payload::Received(received)),
            Self::Custom { answer: None, .. } => Err(Payload::Received(received)),
            Self::Custom { answer: Some(answer), .. } => {
                let message = received.into_message();
                answer(&message).ok_or(Payload::Read(message))
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

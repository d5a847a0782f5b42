//! When silence means that the link is dead.

mod monitor;

use core::time::Duration;

use crate::Time;
pub(crate) use monitor::{Monitor, Pulse};

/// How a dead link is told from a quiet one.
///
/// A browser's WebSocket does not show protocol pings, and reports a dead link only when the operating system gives up on it,
/// minutes later. So the question has to be asked in messages.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Heartbeat<Time = Duration> {
    /// A ping after silence; the link is dead when nothing at all is heard before its deadline. The default. The server has to
    /// answer pings; an echo does.
    Ping(PingSchedule<Time>),
    /// No pings: the link is dead when nothing was heard for this long. For servers that talk all the time.
    Silence(Time),
    /// No detection beyond what the platform reports by itself.
    Off,
}

impl<T: Into<Time>> Heartbeat<T> {
    /// The same with the core's own times.
    pub(crate) fn timed(self) -> Heartbeat<Time> {
        match self {
            Self::Ping(schedule) => Heartbeat::Ping(schedule.timed()),
            Self::Silence(after) => Heartbeat::Silence(after.into()),
            Self::Off => Heartbeat::Off,
        }
    }
}

impl<T: From<Time>> Heartbeat<T> {
    /// The defaults, in any kind of time.
    pub fn standard() -> Self {
        Self::Ping(PingSchedule::standard())
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::standard()
    }
}

/// When pings are sent and how long their answers may take.
///
/// The deadline follows the measured round trip (twice what RFC 6298 would wait before it sent again), within
/// [`min_deadline`](Self::min_deadline) and [`max_deadline`](Self::max_deadline).
#[derive(Debug, Clone, PartialEq)]
pub struct PingSchedule<Time = Duration> {
    /// How long the link may be silent before it is asked (7 s).
    pub after_silence: Time,
    /// The shortest deadline (2 s).
    pub min_deadline: Time,
    /// The longest deadline, and the one before any round trip was measured (6 s). Together with
    /// [`after_silence`](Self::after_silence) it bounds the time to notice a dead link: 13 s.
    pub max_deadline: Time,
    /// The longest deadline when something happened that often kills a link: the page came back, the machine woke, the network
    /// changed (2 s, or three times the smoothed round trip where that is longer).
    pub wake_deadline: Time,
    /// How often the round trip is measured while messages flow and no ping would be needed for liveness (15 s). An answer that
    /// stays out then counts as loss and as nothing else. `None`: only silence makes pings.
    pub sample_every: Option<Time>,
}

impl<T: Into<Time>> PingSchedule<T> {
    /// The same with the core's own times.
    pub(crate) fn timed(self) -> PingSchedule<Time> {
        PingSchedule {
            after_silence: self.after_silence.into(),
            min_deadline: self.min_deadline.into(),
            max_deadline: self.max_deadline.into(),
            wake_deadline: self.wake_deadline.into(),
            sample_every: self.sample_every.map(Into::into),
        }
    }
}

impl<T: From<Time>> PingSchedule<T> {
    /// The defaults, in any kind of time.
    pub fn standard() -> Self {
        Self {
            after_silence: Time::from_secs(7).into(),
            min_deadline: Time::from_secs(2).into(),
            max_deadline: Time::from_secs(6).into(),
            wake_deadline: Time::from_secs(2).into(),
            sample_every: Some(Time::from_secs(15).into()),
        }
    }
}

impl Default for PingSchedule {
    fn default() -> Self {
        Self::standard()
    }
}

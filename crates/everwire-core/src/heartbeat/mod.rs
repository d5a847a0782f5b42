//! When silence means that the link is dead.

mod monitor;

use core::time::Duration;

pub(crate) use monitor::{Monitor, Pulse};

/// How a dead link is told from a quiet one.
///
/// A browser's WebSocket does not show protocol pings, and reports a dead link only when the operating system gives up on it,
/// minutes later. So the question has to be asked in messages.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Heartbeat {
    /// A ping after silence; the link is dead when nothing at all is heard before its deadline. The default. The server has to
    /// answer pings; an echo does.
    Ping(PingSchedule),
    /// No pings: the link is dead when nothing was heard for this long. For servers that talk all the time.
    Silence(Duration),
    /// No detection beyond what the platform reports by itself.
    Off,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::Ping(PingSchedule::default())
    }
}

/// When pings are sent and how long their answers may take.
///
/// The deadline follows the measured round trip (twice what RFC 6298 would wait before it sent again), within
/// [`min_deadline`](Self::min_deadline) and [`max_deadline`](Self::max_deadline).
#[derive(Debug, Clone, PartialEq)]
pub struct PingSchedule {
    /// How long the link may be silent before it is asked (7 s).
    pub after_silence: Duration,
    /// The shortest deadline (2 s).
    pub min_deadline: Duration,
    /// The longest deadline, and the one before any round trip was measured (6 s). Together with
    /// [`after_silence`](Self::after_silence) it bounds the time to notice a dead link: 13 s.
    pub max_deadline: Duration,
    /// The longest deadline when something happened that often kills a link: the page came back, the machine woke, the network
    /// changed (2 s, or three times the smoothed round trip where that is longer).
    pub wake_deadline: Duration,
    /// How often the round trip is measured while messages flow and no ping would be needed for liveness (15 s). An answer that
    /// stays out then counts as loss and as nothing else. `None`: only silence makes pings.
    pub sample_every: Option<Duration>,
}

impl Default for PingSchedule {
    fn default() -> Self {
        Self {
            after_silence: Duration::from_secs(7),
            min_deadline: Duration::from_secs(2),
            max_deadline: Duration::from_secs(6),
            wake_deadline: Duration::from_secs(2),
            sample_every: Some(Duration::from_secs(15)),
        }
    }
}

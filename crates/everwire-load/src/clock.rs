use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of day, as all processes of a run read it: taken once from the system and continued by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at }
    }

    /// Microseconds since the Unix epoch.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        let since_epoch = match at.checked_duration_since(self.started) {
            Some(later) => self.started_at + later,
            None => self.started_at.saturating_sub(self.started - at),
        };
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }

    /// When it is or was so many microseconds since the Unix epoch.
    pub(crate) fn instant(&self, micros: u64) -> Instant {
        let since_epoch = Duration::from_micros(micros);
        match since_epoch.checked_sub(self.started_at) {
            Some(later) => self.started + later,
            None => self.started.checked_sub(self.started_at - since_epoch).unwrap_or(self.started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_there_and_back() {
        let clock = Clock::start();
        let now = clock.micros(Instant::now());
        for micros in [now - 5_000_000, now, now + 5_000_000] {
            assert_eq!(clock.micros(clock.instant(micros)), micros);
        }
    }
}

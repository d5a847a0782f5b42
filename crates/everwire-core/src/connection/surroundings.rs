use core::time::Duration;

/// For how long after a sign of trouble on this side a lost connection is put down to it.
const AFTERMATH: Duration = Duration::from_secs(5);
/// How far the wall clock must outrun the monotonic one between two wakes to say that the machine slept. Corrections of the
/// wall clock are smaller.
const SLEPT: Duration = Duration::from_secs(5);
/// A timer that fires this long after it was due was held back: by a hidden page's throttling, a busy main thread, or sleep.
const LATE: Duration = Duration::from_secs(1);
/// A timer that fires this long after it was due in a page that is seen was held back by a freeze or by a sleep that the
/// monotonic clock counted.
const VERY_LATE: Duration = Duration::from_secs(5);

/// What is known of the world around the connection: the network, and whether time jumped.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    offline: bool,
    /// The page is hidden, so that its timers are late as a matter of course.
    hidden: bool,
    last_trouble: Option<Duration>,
    last_wake: Option<Clocks>,
}

#[derive(Debug, Clone, Copy)]
struct Clocks {
    monotonic: Duration,
    wall: Duration,
}

impl Surroundings {
    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(super) fn set_offline(&mut self, now: Duration, offline: bool) {
        self.offline = offline;
        self.trouble(now);
    }

    pub(super) fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Something happened on this side that often costs a connection.
    pub(super) fn trouble(&mut self, now: Duration) {
        self.last_trouble = Some(now);
    }

    /// Whether a connection lost `now` was probably lost by this side.
    pub(super) fn suspects_local_fault(&self, now: Duration) -> bool {
        self.offline || self.last_trouble.is_some_and(|at| now.saturating_sub(at) <= AFTERMATH)
    }

    /// Compares the clocks; whether the machine slept since the last wake.
    pub(super) fn slept(&mut self, monotonic: Duration, wall: Duration) -> bool {
        let before = self.last_wake.replace(Clocks { monotonic, wall });
        before.is_some_and(|before| {
            let by_wall = wall.saturating_sub(before.wall);
            let by_monotonic = monotonic.saturating_sub(before.monotonic);
            by_wall > by_monotonic.saturating_add(SLEPT)
        })
    }

    /// Whether a timer that was `due` has fired so late that the page must have stood still, unannounced.
    pub(super) fn stood_still(&self, due: Option<Duration>, now: Duration) -> bool {
        !self.hidden && lateness(due, now) > VERY_LATE
    }
}

/// Whether a timer that was `due` has fired late.
pub(super) fn is_late(due: Option<Duration>, now: Duration) -> bool {
    lateness(due, now) > LATE
}

fn lateness(due: Option<Duration>, now: Duration) -> Duration {
    due.map_or(Duration::ZERO, |due| now.saturating_sub(due))
}

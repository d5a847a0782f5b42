//! What the platform reports about the network, the page and time, and what that says about a lost connection.

use super::io::{DropCause, NO_CLOSE_FRAME};
use crate::time::Time;

/// How long after a sign of trouble on this side a lost connection is attributed to this side.
const AFTERMATH: Time = Time::from_secs(5);
/// How far the wall clock must outrun the monotonic one between two wakes to mean that the machine slept. Corrections of the wall clock
/// are smaller.
const SLEPT: Time = Time::from_secs(5);
/// A timer that fires this long after it was due was delayed: by a hidden page's throttling, a busy main thread, or sleep.
const LATE: Time = Time::from_secs(1);
/// A timer that fires this long after it was due in a visible page was delayed by a freeze or by a sleep that the monotonic clock
/// counted.
const VERY_LATE: Time = Time::from_secs(5);

/// What is known about the connection's environment: the network, the page, and whether time jumped.
#[derive(Debug, Default)]
pub(super) struct Environment {
    offline: bool,
    /// The page is hidden, so that browsers throttle its timers.
    hidden: bool,
    last_trouble: Option<Time>,
    last_wake: Option<Clocks>,
}

#[derive(Debug, Clone, Copy)]
struct Clocks {
    monotonic: Time,
    wall: Time,
}

impl Environment {
    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(super) fn set_offline(&mut self, now: Time, offline: bool) {
        self.offline = offline;
        self.note_trouble(now);
    }

    pub(super) fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Records an event on this side that often costs a connection.
    pub(super) fn note_trouble(&mut self, now: Time) {
        self.last_trouble = Some(now);
    }

    /// Whether a connection lost `now` was probably lost through a fault on this side.
    pub(super) fn suspects_local_fault(&self, now: Time) -> bool {
        self.offline || self.last_trouble.is_some_and(|at| now - at <= AFTERMATH)
    }

    /// Completes the cause of a loss: whether the fault was probably on this side.
    pub(super) fn attribute(&self, now: Time, cause: DropCause) -> DropCause {
        match cause {
            DropCause::Closed { code, was_clean, .. } => {
                // A close frame arrived over a link that works.
                let local_fault = code == NO_CLOSE_FRAME && self.suspects_local_fault(now);
                DropCause::Closed { code, was_clean, local_fault }
            }
            other => other,
        }
    }

    /// Compares the clocks and returns whether the machine slept since the last wake. Some platforms' monotonic clock stops meanwhile.
    pub(super) fn slept(&mut self, monotonic: Time, wall: Time) -> bool {
        let before = self.last_wake.replace(Clocks { monotonic, wall });
        before.is_some_and(|before| wall - before.wall > monotonic - before.monotonic + SLEPT)
    }

    /// Whether a timer that was `due` fired so late that the page must have been frozen without an event. In a hidden page, browsers run
    /// timers once a minute, which looks the same.
    pub(super) fn was_frozen(&self, due: Time, now: Time) -> bool {
        !self.hidden && now - due > VERY_LATE
    }
}

/// Whether a timer that was `due` fired late.
pub(super) fn is_late(due: Time, now: Time) -> bool {
    now - due > LATE
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    #[test]
    fn a_fault_is_local_without_a_network_and_shortly_after_trouble() {
        let mut environment = Environment::default();
        assert!(!environment.suspects_local_fault(s(10)));
        environment.note_trouble(s(10));
        assert!(environment.suspects_local_fault(s(15)));
        assert!(!environment.suspects_local_fault(s(16)));
        environment.set_offline(s(20), true);
        assert!(environment.suspects_local_fault(s(1_000)));
        environment.set_offline(s(1_000), false);
        assert!(!environment.suspects_local_fault(s(1_006)));
    }

    #[test]
    fn a_wall_clock_that_outruns_the_monotonic_one_means_sleep() {
        let mut environment = Environment::default();
        assert!(!environment.slept(s(10), s(5_000)), "there is nothing yet to compare with");
        assert!(!environment.slept(s(20), s(5_010)));
        assert!(!environment.slept(s(30), s(5_025)), "five seconds may be a correction");
        assert!(environment.slept(s(31), s(5_032)), "but seven are not");
        assert!(!environment.slept(s(41), s(5_042)), "it is reported once");
    }

    #[test]
    fn a_wall_clock_that_is_set_back_is_no_sleep() {
        let mut environment = Environment::default();
        environment.slept(s(10), s(5_000));
        assert!(!environment.slept(s(20), s(4_000)));
        assert!(!environment.slept(s(30), s(4_010)));
    }

    #[test]
    fn a_very_late_timer_means_a_freeze_unless_the_page_is_hidden() {
        let mut environment = Environment::default();
        assert!(!environment.was_frozen(Time::NEVER, s(100)));
        assert!(!environment.was_frozen(s(10), s(15)));
        assert!(environment.was_frozen(s(10), s(16)));
        environment.set_hidden(true);
        assert!(!environment.was_frozen(s(10), s(100)));
    }

    #[test]
    fn a_timer_is_late_after_more_than_a_second() {
        assert!(!is_late(s(10), s(11)));
        assert!(is_late(s(10), s(11) + Time::from_millis(1)));
        assert!(!is_late(Time::NEVER, s(11)));
    }
}

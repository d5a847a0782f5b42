use crate::time::Time;

/// For how long after a sign of trouble on this side a lost connection is put down to it.
const AFTERMATH: Time = Time::from_secs(5);
/// How far the wall clock must outrun the monotonic one between two wakes to say that the machine slept. Corrections of the
/// wall clock are smaller.
const SLEPT: Time = Time::from_secs(5);
/// A timer that fires this long after it was due was held back: by a hidden page's throttling, a busy main thread, or sleep.
const LATE: Time = Time::from_secs(1);
/// A timer that fires this long after it was due in a page that is seen was held back by a freeze or by a sleep that the
/// monotonic clock counted.
const VERY_LATE: Time = Time::from_secs(5);

/// What is known of the world around the connection: the network, and whether time jumped.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    offline: bool,
    /// The page is hidden, so that its timers are late as a matter of course.
    hidden: bool,
    last_trouble: Option<Time>,
    last_wake: Option<Clocks>,
}

#[derive(Debug, Clone, Copy)]
struct Clocks {
    monotonic: Time,
    wall: Time,
}

impl Surroundings {
    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(super) fn set_offline(&mut self, now: Time, offline: bool) {
        self.offline = offline;
        self.trouble(now);
    }

    pub(super) fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Something happened on this side that often costs a connection.
    pub(super) fn trouble(&mut self, now: Time) {
        self.last_trouble = Some(now);
    }

    /// Whether a connection lost `now` was probably lost by this side.
    pub(super) fn suspects_local_fault(&self, now: Time) -> bool {
        self.offline || self.last_trouble.is_some_and(|at| now - at <= AFTERMATH)
    }

    /// Compares the clocks; whether the machine slept since the last wake.
    pub(super) fn slept(&mut self, monotonic: Time, wall: Time) -> bool {
        let before = self.last_wake.replace(Clocks { monotonic, wall });
        before.is_some_and(|before| {
            let by_wall = wall - before.wall;
            let by_monotonic = monotonic - before.monotonic;
            by_wall > by_monotonic + SLEPT
        })
    }

    /// Whether a timer that was `due` has fired so late that the page must have stood still, unannounced.
    pub(super) fn stood_still(&self, due: Time, now: Time) -> bool {
        !self.hidden && now - due > VERY_LATE
    }
}

/// Whether a timer that was `due` has fired late.
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
    fn a_fault_is_put_down_to_this_side_without_a_network_and_shortly_after_trouble() {
        let mut surroundings = Surroundings::default();
        assert!(!surroundings.suspects_local_fault(s(10)));
        surroundings.trouble(s(10));
        assert!(surroundings.suspects_local_fault(s(15)));
        assert!(!surroundings.suspects_local_fault(s(16)));
        surroundings.set_offline(s(20), true);
        assert!(surroundings.suspects_local_fault(s(1_000)));
        surroundings.set_offline(s(1_000), false);
        assert!(!surroundings.suspects_local_fault(s(1_006)));
    }

    #[test]
    fn a_wall_clock_that_outruns_the_monotonic_one_tells_of_sleep() {
        let mut surroundings = Surroundings::default();
        assert!(!surroundings.slept(s(10), s(5_000)), "there is nothing yet to compare with");
        assert!(!surroundings.slept(s(20), s(5_010)));
        assert!(!surroundings.slept(s(30), s(5_025)), "five seconds may be a correction");
        assert!(surroundings.slept(s(31), s(5_032)), "but seven are not");
        assert!(!surroundings.slept(s(41), s(5_042)), "it is told once");
    }

    #[test]
    fn a_wall_clock_that_is_set_back_is_no_sleep() {
        let mut surroundings = Surroundings::default();
        surroundings.slept(s(10), s(5_000));
        assert!(!surroundings.slept(s(20), s(4_000)));
        assert!(!surroundings.slept(s(30), s(4_010)));
    }

    #[test]
    fn a_very_late_timer_tells_of_a_standstill_unless_the_page_is_hidden() {
        let mut surroundings = Surroundings::default();
        assert!(!surroundings.stood_still(Time::NEVER, s(100)));
        assert!(!surroundings.stood_still(s(10), s(15)));
        assert!(surroundings.stood_still(s(10), s(16)));
        surroundings.set_hidden(true);
        assert!(!surroundings.stood_still(s(10), s(100)));
    }

    #[test]
    fn a_timer_is_late_after_more_than_a_second() {
        assert!(!is_late(s(10), s(11)));
        assert!(is_late(s(10), s(11) + Time::from_millis(1)));
        assert!(!is_late(Time::NEVER, s(11)));
    }
}

/// Says when each of a number of messages is due at a steady rate. Times are milliseconds from any epoch.
#[derive(Debug, Clone)]
pub(in crate::pages::echo) struct Pacer {
    total: u64,
    taken: u64,
    interval: f64,
    /// When the next one is due.
    next: f64,
}

impl Pacer {
    /// After a pause, as of a page in the background or of a full buffer, no more than what was due in so many milliseconds
    /// is made up for: whoever asked for a rate did not ask for a flood.
    const MADE_UP_MS: f64 = 250.0;

    /// The first message is due at once.
    pub(in crate::pages::echo) fn new(total: u64, per_second: f64, now: f64) -> Self {
        Self { total, taken: 0, interval: 1e3 / per_second, next: now }
    }

    /// Takes the messages that are due, at most so many.
    pub(in crate::pages::echo) fn take(&mut self, now: f64, most: u64) -> u64 {
        if now < self.next || self.left() == 0 {
            return 0;
        }
        self.next = self.next.max(now - Self::MADE_UP_MS);
        let due = (((now - self.next) / self.interval) as u64 + 1).min(self.left()).min(most);
        self.taken += due;
        self.next += due as f64 * self.interval;
        due
    }

    pub(in crate::pages::echo) fn taken(&self) -> u64 {
        self.taken
    }

    pub(in crate::pages::echo) fn total(&self) -> u64 {
        self.total
    }

    /// When the next one is due; `None` after the last.
    pub(in crate::pages::echo) fn next(&self) -> Option<f64> {
        (self.left() > 0).then_some(self.next)
    }

    fn left(&self) -> u64 {
        self.total - self.taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_is_due_at_once_and_the_last_ends_it() {
        let mut pacer = Pacer::new(3, 10.0, 1_000.0);
        assert_eq!((pacer.take(1_000.0, u64::MAX), pacer.next()), (1, Some(1_100.0)));
        assert_eq!(pacer.take(1_099.0, u64::MAX), 0);
        assert_eq!((pacer.take(1_200.0, u64::MAX), pacer.next()), (2, None));
        assert_eq!(pacer.take(9_000.0, u64::MAX), 0);
    }

    #[test]
    fn what_is_more_than_is_taken_at_once_stays_due() {
        let mut pacer = Pacer::new(100, 1_000.0, 0.0);
        assert_eq!((pacer.take(10.0, 4), pacer.take(10.0, 4), pacer.take(10.0, 4)), (4, 4, 3));
    }

    #[test]
    fn a_long_pause_is_not_followed_by_a_flood() {
        let mut pacer = Pacer::new(1_000_000, 1_000.0, 0.0);
        pacer.take(0.0, u64::MAX);
        assert!(pacer.take(3_600_000.0, u64::MAX) <= 251);
    }

    proptest! {
        #[test]
        fn the_rate_is_kept_whenever_it_is_asked(rate in 0.1..20_000.0_f64, waits in prop::collection::vec(0.0..200.0_f64, 1..100)) {
            let mut pacer = Pacer::new(u64::MAX, rate, 0.0);
            let mut now = 0.0;
            for wait in waits {
                now += wait;
                pacer.take(now, u64::MAX);
                let exact = now * rate / 1e3;
                prop_assert!((pacer.taken() as f64 - 1.0 - exact).abs() <= 1.0 + exact * 1e-9, "{} at {now}", pacer.taken());
                prop_assert!(pacer.next().is_some_and(|next| next > now));
            }
        }

        #[test]
        fn no_more_is_taken_than_there_is(total in 0..1_000_u64, waits in prop::collection::vec(0.0..5_000.0_f64, 0..50)) {
            let mut pacer = Pacer::new(total, 50.0, 0.0);
            let mut now = 0.0;
            let taken: u64 = waits.iter().map(|wait| { now += wait; pacer.take(now, u64::MAX) }).sum();
            prop_assert_eq!(taken, pacer.taken());
            prop_assert!(taken <= total);
        }
    }
}

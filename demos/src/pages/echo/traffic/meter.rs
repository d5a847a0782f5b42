/// Counts events and says how many there were in the last second.
#[derive(Debug, Default)]
pub(in crate::pages::echo) struct Meter {
    /// Counts of a tenth of a second each: one that is filling, and the ten before it. Each stands at its number modulo the
    /// length.
    tenths: [u32; 11],
    /// The number of the tenth that is filling, since the epoch.
    now: u64,
}

impl Meter {
    const TENTH_MS: f64 = 100.0;
    const LENGTH: u64 = 11;

    /// One event at a time in milliseconds, from any epoch.
    pub(in crate::pages::echo) fn count(&mut self, now: f64) {
        self.advance(now);
        self.tenths[(self.now % Self::LENGTH) as usize] += 1;
    }

    /// The events of the last ten full tenths of a second.
    pub(in crate::pages::echo) fn in_the_last_second(&mut self, now: f64) -> u32 {
        self.advance(now);
        self.tenths.iter().sum::<u32>() - self.tenths[(self.now % Self::LENGTH) as usize]
    }

    fn advance(&mut self, now: f64) {
        // A clock that was set back stands still here until it has caught up.
        let tenth = ((now / Self::TENTH_MS) as u64).max(self.now);
        for passed in (self.now + 1..=tenth).rev().take(self.tenths.len()) {
            self.tenths[(passed % Self::LENGTH) as usize] = 0;
        }
        self.now = tenth;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_steady_flow_is_told_as_it_is_and_forgotten_after_a_second() {
        let mut meter = Meter::default();
        (0..5_000).for_each(|n| meter.count(1e12 + f64::from(n)));
        assert_eq!(meter.in_the_last_second(1e12 + 5_000.0), 1_000);
        assert_eq!(meter.in_the_last_second(1e12 + 5_500.0), 500);
        assert_eq!(meter.in_the_last_second(1e12 + 6_100.0), 0);
        assert_eq!(meter.in_the_last_second(1e12 + 9e9), 0);
    }

    proptest! {
        #[test]
        fn it_counts_what_lies_in_the_window(mut times in prop::collection::vec(0..10_000_u32, 0..200), wait in 0..2_000_u32) {
            times.sort_unstable();
            let mut meter = Meter::default();
            times.iter().for_each(|time| meter.count(f64::from(*time)));
            let now = times.last().copied().unwrap_or(0) + wait;
            let tenth = now / 100;
            let expected = times.iter().filter(|time| (tenth.saturating_sub(10)..tenth).contains(&(*time / 100))).count();
            prop_assert_eq!(meter.in_the_last_second(f64::from(now)), expected as u32);
        }
    }
}

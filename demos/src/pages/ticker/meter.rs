use std::collections::VecDeque;

/// The time that a rate is taken over, in milliseconds.
const WINDOW: f64 = 1_000.0;

/// How often something happened in the last second.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    /// When, in milliseconds, and how many.
    happened: VecDeque<(f64, u64)>,
}

impl Meter {
    pub(super) fn count(&mut self, now: f64, number: u64) {
        self.happened.push_back((now, number));
        self.forget(now);
    }

    pub(super) fn per_second(&mut self, now: f64) -> u64 {
        self.forget(now);
        self.happened.iter().map(|(_, number)| number).sum()
    }

    fn forget(&mut self, now: f64) {
        while self.happened.front().is_some_and(|(at, _)| now - at >= WINDOW) {
            self.happened.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_a_second_no_longer_counts() {
        let mut meter = Meter::default();
        for step in 0..30 {
            meter.count(f64::from(step) * 100.0, 5);
        }
        assert_eq!(meter.per_second(2_900.0), 50);
        assert_eq!(meter.per_second(3_000.0), 45);
        assert_eq!(meter.per_second(9_000.0), 0);
    }
}

use std::collections::VecDeque;

/// How far back the speed looks, in milliseconds.
const SPAN: f64 = 4_000.0;
/// How far apart the looks are, in milliseconds.
const APART: f64 = 100.0;
/// Before this time, in milliseconds, a speed would be a guess.
const LEAST: f64 = 300.0;

/// How fast bytes arrive, over the last seconds.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Meter {
    /// Times in milliseconds, and how many bytes had arrived by then.
    looks: VecDeque<(f64, u64)>,
    latest: Option<(f64, u64)>,
}

impl Meter {
    /// So many bytes of the file have arrived by now.
    pub(super) fn look(&mut self, now: f64, bytes: u64) {
        // Bytes that are fewer belong to an attempt that starts over.
        if self.latest.is_some_and(|(_, before)| bytes < before) {
            self.reset();
        }
        self.latest = Some((now, bytes));
        if self.looks.back().is_none_or(|(last, _)| now - last >= APART) {
            self.looks.push_back((now, bytes));
        }
        self.forget(now);
    }

    /// A pause says nothing about the speed.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Bytes a second; it sinks while nothing arrives.
    pub(super) fn speed(&self, now: f64) -> Option<f64> {
        let (start, from) = *self.looks.iter().find(|(time, _)| now - time <= SPAN).or(self.looks.back())?;
        let (_, to) = self.latest?;
        let span = now - start;
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        (span >= LEAST).then(|| (to - from) as f64 / span * 1e3)
    }

    /// Milliseconds until `left` bytes have arrived; `None` while nothing moves.
    pub(super) fn time_left(&self, now: f64, left: u64) -> Option<f64> {
        let speed = self.speed(now).filter(|speed| *speed >= 1.0)?;
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        Some(left as f64 / speed * 1e3)
    }

    fn forget(&mut self, now: f64) {
        while self.looks.len() > 2 && self.looks.get(1).is_some_and(|(time, _)| now - time >= SPAN) {
            self.looks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut meter = Meter::default();
        for tenth in 0..100 {
            meter.look(f64::from(tenth) * 100.0, tenth as u64 * 1_000);
        }
        assert_eq!(meter.speed(9_900.0).map(f64::round), Some(10_000.0));
        for tenth in 0..60 {
            meter.look(9_900.0 + f64::from(tenth) * 100.0, 99_000 + tenth as u64 * 5_000);
        }
        assert_eq!(meter.speed(15_800.0).map(f64::round), Some(50_000.0));
    }

    #[test]
    fn nothing_is_said_before_there_is_something_to_say() {
        let mut meter = Meter::default();
        assert_eq!(meter.speed(0.0), None);
        meter.look(0.0, 0);
        meter.look(100.0, 5_000_000);
        assert_eq!(meter.speed(200.0), None);
    }

    #[test]
    fn it_sinks_while_nothing_arrives() {
        let mut meter = Meter::default();
        meter.look(0.0, 0);
        meter.look(1_000.0, 1_000);
        assert_eq!(meter.speed(1_000.0), Some(1_000.0));
        assert_eq!(meter.speed(4_000.0), Some(250.0));
        assert_eq!(meter.speed(60_000.0), Some(0.0));
        assert_eq!(meter.time_left(60_000.0, 10), None);
    }

    #[test]
    fn the_time_that_is_left_follows_from_the_speed() {
        let mut meter = Meter::default();
        meter.look(0.0, 0);
        meter.look(1_000.0, 500);
        assert_eq!(meter.time_left(1_000.0, 1_500), Some(3_000.0));
    }

    #[test]
    fn a_start_from_the_beginning_is_no_negative_speed() {
        let mut meter = Meter::default();
        meter.look(0.0, 10_000);
        meter.look(500.0, 0);
        meter.look(1_000.0, 1_000);
        assert_eq!(meter.speed(1_000.0), Some(2_000.0));
    }

    #[test]
    fn it_does_not_grow_with_the_file() {
        let mut meter = Meter::default();
        for step in 0..100_000_u64 {
            meter.look(step as f64, step);
        }
        assert!(meter.looks.len() <= 45, "{}", meter.looks.len());
    }
}

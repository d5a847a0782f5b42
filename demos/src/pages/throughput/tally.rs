use std::collections::VecDeque;
use std::time::Duration;

use everwire::Histogram;

/// What all connections of a run count together. Times are milliseconds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    answered: u64,
    round_trips: Histogram,
    /// The count of answers at the ends of the latest quarters of a second.
    marks: VecDeque<(f64, u64)>,
    started_at: Option<f64>,
}

/// How far back the chart reaches.
const SPAN: f64 = 60_000.0;

impl Tally {
    /// A ping came back after so long.
    pub(super) fn answered(&mut self, round_trip: f64) {
        self.answered += 1;
        self.round_trips.record(Duration::from_secs_f64(round_trip.max(0.0) / 1e3));
    }

    /// Marks a moment of the chart. Called a few times a second.
    pub(super) fn mark(&mut self, now: f64) {
        self.started_at.get_or_insert(now);
        self.marks.push_back((now, self.answered));
        while self.marks.front().is_some_and(|(at, _)| *at < now - SPAN - 1_000.0) {
            self.marks.pop_front();
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.answered
    }

    /// How long the run has lasted at its latest mark.
    pub(super) fn lasted(&self) -> f64 {
        let latest = self.marks.back().map(|(at, _)| *at);
        latest.zip(self.started_at).map_or(0.0, |(latest, start)| latest - start)
    }

    /// Answers a second in the second before the latest mark.
    pub(super) fn per_second(&self) -> f64 {
        self.rate_at(self.marks.len().saturating_sub(1))
    }

    pub(super) fn round_trip(&self, percent: f64) -> Option<Duration> {
        self.round_trips.percentile(percent).map(Duration::from)
    }

    /// The columns of the chart: seconds from the latest mark, and answers a second.
    pub(super) fn columns(&self) -> Vec<Vec<f64>> {
        let now = self.marks.back().map_or(0.0, |(at, _)| *at);
        let shown = self.marks.iter().enumerate().filter(|(_, (at, _))| *at > now - SPAN);
        let (mut times, mut rates) = (vec![-SPAN / 1e3], vec![f64::NAN]);
        for (index, (at, _)) in shown {
            times.push((at - now) / 1e3);
            rates.push(if index == 0 { f64::NAN } else { self.rate_at(index) });
        }
        vec![times, rates]
    }

    /// Answers a second in the second before a mark, or since the first where that is later.
    fn rate_at(&self, index: usize) -> f64 {
        let Some((now, after)) = self.marks.get(index).copied() else { return 0.0 };
        let earlier = self.marks.iter().take(index).rev().find(|(at, _)| now - at >= 999.0);
        match earlier.or_else(|| self.marks.front()) {
            Some((then, before)) if now > *then => (after - before) as f64 / (now - then) * 1e3,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many answers a second, for so many seconds.
    fn steady(per_quarter: u32, seconds: u32) -> Tally {
        let mut tally = Tally::default();
        tally.mark(0.0);
        for quarter in 1..=seconds * 4 {
            (0..per_quarter).for_each(|_| tally.answered(2.0));
            tally.mark(f64::from(quarter) * 250.0);
        }
        tally
    }

    #[test]
    fn a_steady_flow_is_told_as_it_is() {
        let tally = steady(25, 10);
        assert_eq!((tally.per_second(), tally.total(), tally.lasted()), (100.0, 1_000, 10_000.0));
        assert!(tally.columns()[1][2..].iter().all(|rate| (rate - 100.0).abs() < 1e-9));
    }

    #[test]
    fn a_stall_is_seen_within_a_second() {
        let mut tally = steady(25, 10);
        [250.0, 500.0, 750.0, 1_000.0].into_iter().for_each(|later| tally.mark(10_000.0 + later));
        assert_eq!(tally.per_second(), 0.0);
    }

    #[test]
    fn an_hour_keeps_a_minute() {
        let tally = steady(1, 3_600);
        assert!(tally.marks.len() < 250);
        let columns = tally.columns();
        assert_eq!((columns[0][0], columns[0].len()), (-60.0, columns[1].len()));
        assert_eq!(tally.total(), 14_400);
    }

    #[test]
    fn half_the_round_trips_are_not_longer_than_the_median() {
        let mut tally = Tally::default();
        (1..=100).for_each(|ms| tally.answered(f64::from(ms)));
        let p50 = tally.round_trip(50.0).unwrap().as_secs_f64() * 1e3;
        assert!((p50 - 50.0).abs() <= 1.0, "{p50}");
    }
}

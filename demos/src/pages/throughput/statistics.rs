//! What a run measures: the answers of all connections together, and the gaps between two frames of the page.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use everwire::Histogram;
use gloo_render::{AnimationFrame, request_animation_frame};

use crate::now::now;

/// How far back the chart reaches.
const SPAN: f64 = 60_000.0;

/// The counts of all connections of a run. Times are milliseconds.
#[derive(Debug, Default)]
pub(super) struct RunStatistics {
    answered: u64,
    round_trips: Histogram,
    /// Samples of the count of answers, with their times.
    samples: VecDeque<(f64, u64)>,
    started_at: Option<f64>,
}

impl RunStatistics {
    /// Records the round trip of a ping that came back.
    pub(super) fn record(&mut self, round_trip: f64) {
        self.answered += 1;
        self.round_trips.record(Duration::from_secs_f64(round_trip.max(0.0) / 1e3));
    }

    /// Adds a point to the chart. To be called a few times per second.
    pub(super) fn sample(&mut self, now: f64) {
        self.started_at.get_or_insert(now);
        self.samples.push_back((now, self.answered));
        while self.samples.front().is_some_and(|(at, _)| *at < now - SPAN - 1_000.0) {
            self.samples.pop_front();
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.answered
    }

    /// How long the run had lasted at its latest sample.
    pub(super) fn duration(&self) -> f64 {
        let latest = self.samples.back().map(|(at, _)| *at);
        latest.zip(self.started_at).map_or(0.0, |(latest, start)| latest - start)
    }

    /// The rate of answers over the second before the latest sample.
    pub(super) fn per_second(&self) -> f64 {
        self.rate_at(self.samples.len().saturating_sub(1))
    }

    pub(super) fn round_trip(&self, percent: f64) -> Option<Duration> {
        self.round_trips.percentile(percent).map(Duration::from)
    }

    /// The columns of the chart: seconds relative to the latest sample, and answers per second.
    pub(super) fn columns(&self) -> Vec<Vec<f64>> {
        let now = self.samples.back().map_or(0.0, |(at, _)| *at);
        let shown = self.samples.iter().enumerate().filter(|(_, (at, _))| *at > now - SPAN);
        let (mut times, mut rates) = (vec![-SPAN / 1e3], vec![f64::NAN]);
        for (index, (at, _)) in shown {
            times.push((at - now) / 1e3);
            rates.push(if index == 0 { f64::NAN } else { self.rate_at(index) });
        }
        vec![times, rates]
    }

    /// The rate of answers over the second before a sample, or since the first sample where that is later.
    fn rate_at(&self, index: usize) -> f64 {
        let Some((now, after)) = self.samples.get(index).copied() else { return 0.0 };
        let earlier = self.samples.iter().take(index).rev().find(|(at, _)| now - at >= 999.0);
        match earlier.or_else(|| self.samples.front()) {
            Some((then, before)) if now > *then => (after - before) as f64 / (now - then) * 1e3,
            _ => 0.0,
        }
    }
}

/// After how long without a frame a page should do less, in milliseconds.
const OVERDUE: f64 = 40.0;

/// Browsers draw no frames of a hidden page. After this long without one, in milliseconds, the page counts as hidden and not as busy.
const HIDDEN: f64 = 1_000.0;

/// How far back the longest gap is looked for, in milliseconds.
const GAP_SPAN: f64 = 5_000.0;

/// Measures the time between two frames of the page, which its visitor sees as stuttering when it is long. Dropping it stops it.
#[derive(Default)]
pub(super) struct FrameMonitor(Rc<FrameState>);

#[derive(Default)]
struct FrameState {
    frame: RefCell<Option<AnimationFrame>>,
    latest: Cell<Option<f64>>,
    gaps: RefCell<Gaps>,
}

impl FrameMonitor {
    pub(super) fn start() -> Self {
        let monitor = Self::default();
        FrameState::request_frame(&monitor.0);
        monitor
    }

    /// Whether the next frame is overdue, so that sending should wait until the browser has drawn it.
    pub(super) fn is_overdue(&self, now: f64) -> bool {
        self.0.latest.get().is_some_and(|latest| (OVERDUE..HIDDEN).contains(&(now - latest)))
    }

    /// The longest time between two frames of the last seconds, in milliseconds.
    pub(super) fn longest_gap(&self) -> Option<f64> {
        self.0.gaps.borrow().longest()
    }
}

impl FrameState {
    fn request_frame(state: &Rc<Self>) {
        let weak = Rc::downgrade(state);
        let frame = request_animation_frame(move |_| {
            if let Some(state) = weak.upgrade() {
                let now = now();
                if let Some(before) = state.latest.replace(Some(now)) {
                    state.gaps.borrow_mut().push(now, now - before);
                }
                Self::request_frame(&state);
            }
        });
        state.frame.replace(Some(frame));
    }
}

/// The maximum of the gaps within a sliding window. Only gaps are kept that no later one exceeds, so that their number stays small.
#[derive(Default)]
struct Gaps(VecDeque<(f64, f64)>);

impl Gaps {
    fn push(&mut self, now: f64, gap: f64) {
        while self.0.back().is_some_and(|(_, shorter)| *shorter <= gap) {
            self.0.pop_back();
        }
        self.0.push_back((now, gap));
        while self.0.front().is_some_and(|(at, _)| now - at > GAP_SPAN) {
            self.0.pop_front();
        }
    }

    fn longest(&self) -> Option<f64> {
        self.0.front().map(|(_, gap)| *gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with the same number of answers in each quarter of a second.
    fn steady(per_quarter: u32, seconds: u32) -> RunStatistics {
        let mut statistics = RunStatistics::default();
        statistics.sample(0.0);
        for quarter in 1..=seconds * 4 {
            (0..per_quarter).for_each(|_| statistics.record(2.0));
            statistics.sample(f64::from(quarter) * 250.0);
        }
        statistics
    }

    #[test]
    fn a_steady_rate_is_shown_exactly() {
        let statistics = steady(25, 10);
        assert_eq!((statistics.per_second(), statistics.total(), statistics.duration()), (100.0, 1_000, 10_000.0));
        assert!(statistics.columns()[1][2..].iter().all(|rate| (rate - 100.0).abs() < 1e-9));
    }

    #[test]
    fn a_stall_shows_as_zero_within_a_second() {
        let mut statistics = steady(25, 10);
        [250.0, 500.0, 750.0, 1_000.0].into_iter().for_each(|later| statistics.sample(10_000.0 + later));
        assert_eq!(statistics.per_second(), 0.0);
    }

    #[test]
    fn only_the_last_minute_is_kept() {
        let statistics = steady(1, 3_600);
        assert!(statistics.samples.len() < 250);
        let columns = statistics.columns();
        assert_eq!((columns[0][0], columns[0].len()), (-60.0, columns[1].len()));
        assert_eq!(statistics.total(), 14_400);
    }

    #[test]
    fn the_median_is_half_way_through_the_round_trips() {
        let mut statistics = RunStatistics::default();
        (1..=100).for_each(|ms| statistics.record(f64::from(ms)));
        let p50 = statistics.round_trip(50.0).unwrap().as_secs_f64() * 1e3;
        assert!((p50 - 50.0).abs() <= 1.0, "{p50}");
    }

    #[test]
    fn the_longest_gap_counts_until_it_leaves_the_window() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.longest(), None);
        [(0.0, 16.0), (100.0, 80.0), (120.0, 16.0), (150.0, 30.0), (5_100.0, 17.0)]
            .into_iter()
            .for_each(|(now, gap)| gaps.push(now, gap));
        assert_eq!(gaps.longest(), Some(80.0));
        gaps.push(5_120.0, 16.0);
        assert_eq!(gaps.longest(), Some(30.0));
        (0..10_000).for_each(|frame| gaps.push(6_000.0 + f64::from(frame), 16.0));
        assert_eq!((gaps.longest(), gaps.0.len()), (Some(16.0), 1));
    }
}

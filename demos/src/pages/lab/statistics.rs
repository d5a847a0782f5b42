//! What is computed from the measurements, and how its numbers are formatted.

use std::f64::consts::TAU;
use std::ops::Deref;

use everwire_companion_api::lab::Usage;

/// Values from the least to the greatest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sorted(Vec<f64>);

impl Sorted {
    /// Drops NaN and infinite values.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Inserts a value in order. Among 100,000 values that moves at most 800 kB; to sort all of them at each render would block the page
    /// for longer than many calls take.
    pub(super) fn insert(&mut self, value: f64) {
        if value.is_finite() {
            let index = self.0.partition_point(|other| *other <= value);
            self.0.insert(index, value);
        }
    }

    /// The percentile by the nearest-rank method.
    fn percentile(&self, percent: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to the number of values")]
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }
}

impl Deref for Sorted {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.0
    }
}

/// The summary statistics of a sample, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) count: usize,
    pub(super) mean: f64,
    /// The sample standard deviation; NaN for a single value.
    pub(super) deviation: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Summary {
    /// `None` for an empty sample.
    pub(super) fn of(values: &Sorted) -> Option<Self> {
        let (min, max) = (*values.first()?, *values.last()?);
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (count as f64 - 1.0)).sqrt();
        Some(Self { count, mean, deviation, min, max, p50: values.percentile(50.0), p99: values.percentile(99.0) })
    }
}

/// The number of bars of a distribution.
const MAX_BARS: f64 = 40.0;
const MIN_BARS: f64 = 12.0;

/// The distribution of a sample: bars of equal width, and the normal curve with the mean and the deviation of the sample, scaled to the
/// bars.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Distribution {
    /// The middle of each bar.
    pub(super) middles: Vec<f64>,
    pub(super) counts: Vec<f64>,
    pub(super) normal: Vec<f64>,
    /// The number of values beyond the last bar.
    pub(super) beyond: usize,
}

impl Distribution {
    /// `None` for fewer than two values. Values that exceed the 99th percentile by more than that exceeds the minimum are beyond the bars:
    /// otherwise one pause of the browser would squeeze everything else into one bar.
    pub(super) fn of(values: &Sorted) -> Option<Self> {
        let summary = Summary::of(values).filter(|summary| summary.count > 1)?;
        let end = summary.max.min(summary.p99 + (summary.p99 - summary.min).max(1e-3));
        let bars = bars(values, end - summary.min);
        let width = ((end - summary.min) / bars).max(1e-3);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen")]
        let bars = bars as usize;
        let mut counts = vec![0.0; bars];
        let mut beyond = 0;
        for value in values.iter().copied() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "no value is below the minimum"
            )]
            let bar = ((value - summary.min) / width) as usize;
            match counts.get_mut(bar) {
                Some(count) => *count += 1.0,
                // The maximum is the upper edge of the last bar.
                None if value <= end => counts[bars - 1] += 1.0,
                None => beyond += 1,
            }
        }
        let middles: Vec<f64> = (0..bars).map(|bar| summary.min + (bar as f64 + 0.5) * width).collect();
        let normal = middles.iter().map(|middle| density(*middle, &summary) * width * summary.count as f64).collect();
        Some(Self { middles, counts, normal, beyond })
    }
}

/// The number of bars by the rule of Freedman and Diaconis (1981), within limits.
fn bars(sorted: &Sorted, range: f64) -> f64 {
    let quartiles = sorted.percentile(75.0) - sorted.percentile(25.0);
    let width = 2.0 * quartiles / (sorted.len() as f64).cbrt();
    if width > 0.0 { (range / width).ceil().clamp(MIN_BARS, MAX_BARS) } else { MIN_BARS }
}

fn density(value: f64, summary: &Summary) -> f64 {
    if summary.deviation <= 0.0 {
        return f64::NAN;
    }
    let z = (value - summary.mean) / summary.deviation;
    (-z * z / 2.0).exp() / (summary.deviation * TAU.sqrt())
}

/// The usage of a running transport, which separates the bytes of its setup from those of each message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RunningUsage {
    /// The first usage that includes messages.
    first: Option<Usage>,
    latest: Option<Usage>,
}

impl RunningUsage {
    pub(super) fn update(&mut self, usage: Usage) {
        if self.first.is_none() && usage.messages > 0 {
            self.first = Some(usage);
        }
        self.latest = Some(usage);
    }

    /// Everything that was counted; `None` before the server has reported it.
    pub(super) fn total(&self) -> Option<Usage> {
        self.latest
    }

    /// The usage since the setup.
    pub(super) fn steady(&self) -> Usage {
        self.latest.zip(self.first).map(|(latest, first)| latest.since(&first)).unwrap_or_default()
    }

    /// The bytes of the setup, such as a handshake: what is left when every message is assumed to have the overhead of later ones.
    pub(super) fn setup(&self) -> Option<f64> {
        let each = self.steady().overhead_per_message()?;
        let total = self.latest?;
        Some((total.overhead() as f64 - each * total.messages as f64).max(0.0))
    }
}

/// The bytes of headers of one poll, and of a WebSocket frame, in Lubbers and Greco, “HTML5 WebSocket: A Quantum Leap in Scalability for
/// the Web” (2010).
pub(super) const PAPER_POLLING: f64 = 871.0;
pub(super) const PAPER_SOCKET: f64 = 2.0;

/// A use case of the paper: a number of clients that each get one message per second.
pub(super) struct UseCase {
    pub(super) name: &'static str,
    pub(super) clients: u32,
}

pub(super) const USE_CASES: [UseCase; 3] = [
    UseCase { name: "A", clients: 1_000 },
    UseCase { name: "B", clients: 10_000 },
    UseCase { name: "C", clients: 100_000 },
];

/// Megabits per second for a number of clients with so many bytes per second each, in the unit of the paper: 2^20 bits.
pub(super) fn megabits(clients: u32, bytes: f64) -> f64 {
    f64::from(clients) * bytes * 8.0 / f64::from(1 << 20)
}

/// Milliseconds with the significant digits: `0.42`, `3.1`, `250`.
pub(super) fn format_ms(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "–".to_owned(),
        ms if ms < 9.995 => format!("{ms:.2}"),
        ms if ms < 99.95 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// Bytes of overhead, with a fraction where there are few.
pub(super) fn format_overhead(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 99.95 => format!("{bytes:.1}"),
        _ => format!("{bytes:.0}"),
    }
}

/// Megabits per second.
pub(super) fn format_megabits(size: f64) -> String {
    match size {
        size if size < 9.9995 => format!("{size:.3}"),
        size if size < 99.95 => format!("{size:.1}"),
        _ => format!("{size:.0}"),
    }
}

/// A dash for what is not known yet.
pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_inserted_one_by_one_are_sorted() {
        let values = [3.0, 1.0, f64::NAN, 2.0, 3.0, 0.5, f64::INFINITY];
        let mut sorted = Sorted::default();
        values.into_iter().for_each(|value| sorted.insert(value));
        assert_eq!(sorted[..], [0.5, 1.0, 2.0, 3.0, 3.0]);
        assert_eq!(sorted, Sorted::of(values));
    }

    #[test]
    fn the_summary_matches_the_sample() {
        let summary = Summary::of(&Sorted::of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])).unwrap();
        assert_eq!((summary.count, summary.mean, summary.min, summary.max), (8, 5.0, 2.0, 9.0));
        assert!((summary.deviation - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let summary = Summary::of(&Sorted::of((1..=200).rev().map(f64::from))).unwrap();
        assert_eq!((summary.p50, summary.p99), (100.0, 198.0));
    }

    #[test]
    fn calls_without_an_answer_are_not_in_the_sample() {
        assert_eq!(Summary::of(&Sorted::of([f64::NAN])), None);
        let one = Summary::of(&Sorted::of([f64::NAN, 3.0])).unwrap();
        assert_eq!((one.count, one.p99), (1, 3.0));
        assert!(one.deviation.is_nan());
    }

    /// A sample of the normal distribution, as sums of twelve uniform values from a generator with a fixed seed.
    fn normal(count: usize) -> Vec<f64> {
        let mut state = 1_u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        (0..count).map(|_| 50.0 + 5.0 * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0)).collect()
    }

    #[test]
    fn every_value_is_in_a_bar_or_beyond_the_last() {
        let mut values = normal(2_000);
        values.push(10_000.0);
        let distribution = Distribution::of(&Sorted::of(values)).unwrap();
        assert_eq!(distribution.counts.iter().sum::<f64>() as usize + distribution.beyond, 2_001);
        assert_eq!(distribution.beyond, 1);
    }

    #[test]
    fn the_curve_fits_the_bars_of_a_normal_distribution() {
        let distribution = Distribution::of(&Sorted::of(normal(20_000))).unwrap();
        let total: f64 = distribution.counts.iter().sum();
        let apart: f64 =
            distribution.counts.iter().zip(&distribution.normal).map(|(bar, curve)| (bar - curve).abs()).sum();
        assert!(apart / total < 0.06, "{}", apart / total);
        assert!(distribution.counts.len() >= 20);
    }

    #[test]
    fn equal_values_fill_one_bar() {
        let distribution = Distribution::of(&Sorted::of([3.0; 10])).unwrap();
        assert_eq!(distribution.counts.iter().filter(|count| **count > 0.0).count(), 1);
        assert_eq!(Distribution::of(&Sorted::of([3.0])), None);
    }

    fn usage(requests: u64, read: u64, written: u64, messages: u64, payload: u64) -> Usage {
        Usage { requests, read, written, messages, payload }
    }

    #[test]
    fn the_bytes_of_the_handshake_are_separated_from_those_of_each_message() {
        let mut running = RunningUsage::default();
        assert_eq!(running.total(), None, "unknown, not zero");
        running.update(usage(1, 500, 150, 0, 0));
        assert_eq!((running.setup(), running.steady()), (None, Usage::default()));
        running.update(usage(1, 500, 150 + 3 * 130, 3, 3 * 128));
        running.update(usage(1, 500, 150 + 103 * 130, 103, 103 * 128));
        assert_eq!(running.steady().overhead_per_message(), Some(2.0));
        assert_eq!(running.setup(), Some(650.0));
    }

    #[test]
    fn the_figures_of_the_paper_follow_from_its_bytes() {
        let polling = USE_CASES.map(|case| format!("{:.1}", megabits(case.clients, PAPER_POLLING)));
        assert_eq!(polling, ["6.6", "66.5", "664.5"]);
        let socket = USE_CASES.map(|case| format!("{:.3}", megabits(case.clients, PAPER_SOCKET)));
        assert_eq!(socket, ["0.015", "0.153", "1.526"]);
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!([0.123, 12.34, 249.6].map(format_ms), ["0.12", "12.3", "250"]);
        assert_eq!([2.0, 871.4].map(format_overhead), ["2.0", "871"]);
        assert_eq!([0.01526, 66.45, 664.5].map(format_megabits), ["0.015", "66.5", "664"]);
        assert_eq!(format_ms(f64::NAN), "–");
    }
}

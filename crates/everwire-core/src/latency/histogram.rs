//! The distribution of durations.

use alloc::boxed::Box;
use core::time::Duration;

use crate::time::Time;

/// How many buckets there are from a value to its double. The buckets are evenly spaced on a scale that approximates the
/// logarithm by a parabola between powers of two (DDSketch: Masson, Rim, Lee, VLDB 2019, section 2.1; its "quadratically
/// interpolated mapping"), which takes no logarithm to compute and 8 % more buckets: the widest of them reach 0.94 % to either
/// side of their middles.
const PER_DOUBLING: usize = 40;
/// The upper bound of the first bucket, in seconds: browsers' clocks are not finer than 5 µs.
const SMALLEST: f64 = 5e-6;
/// Enough for round trips of up to 100 s: log₂(100 s / 5 µs) · 40 + 1.
const BUCKETS: usize = 972;
/// Where an `f64` has its exponent, and what is added to that.
const MANTISSA_BITS: u32 = 52;
const EXPONENT_BIAS: u64 = 1023;

/// The distribution of durations from 5 µs to 100 s in constant memory (under 4 KiB), with percentiles within 1 %.
///
/// Values outside that range count at its ends; the least and the greatest value are kept exactly.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    count: u64,
    min: Time,
    max: Time,
}

impl Histogram {
    /// Adds one value.
    pub fn record(&mut self, value: Duration) {
        self.add(value.into());
    }

    /// [`Self::record`] with the core's own times.
    pub(super) fn add(&mut self, value: Time) {
        if let Some(count) = self.counts.get_mut(bucket(value.as_secs_f64())) {
            *count = count.saturating_add(1);
        }
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The least value.
    pub fn min(&self) -> Option<Time> {
        (self.count > 0).then_some(self.min)
    }

    /// The greatest value.
    pub fn max(&self) -> Option<Time> {
        (self.count > 0).then_some(self.max)
    }

    /// The value that `percent` (0 to 100) of all values do not exceed, within 1 %; `None` where there is none.
    pub fn percentile(&self, percent: f64) -> Option<Time> {
        if self.count == 0 {
            return None;
        }
        let rank = ceil(self.count as f64 * percent.clamp(0.0, 100.0) / 100.0).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                // Not `clamp`, whose panic would bring the formatting machinery into a browser's download.
                return Some(Time::from_secs_f64(middle(index)).max(self.min).min(self.max));
            }
        }
        Some(self.max)
    }

    /// The buckets that hold anything: lower bound, upper bound, count.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, Duration, u32)> + '_ {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| (duration(lower_bound(index)), duration(upper_bound(index)), *count))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, min: Time::FOREVER, max: Time::ZERO }
    }
}

/// The bucket that counts a duration in seconds.
fn bucket(seconds: f64) -> usize {
    let ratio = seconds / SMALLEST;
    if ratio < 1.0 {
        return 0;
    }
    let doublings = (ratio.to_bits() >> MANTISSA_BITS) - EXPONENT_BIAS;
    let rest = ratio / power_of_two(doublings) - 1.0;
    let steps = (doublings as f64 + (4.0 - rest) * rest / 3.0) * PER_DOUBLING as f64;
    (ceil(steps) as usize).min(BUCKETS - 1)
}

/// In seconds; the inverse of [`bucket`].
fn upper_bound(bucket: usize) -> f64 {
    let rest = (bucket % PER_DOUBLING) as f64 / PER_DOUBLING as f64;
    SMALLEST * power_of_two((bucket / PER_DOUBLING) as u64) * (3.0 - sqrt(4.0 - 3.0 * rest))
}

fn lower_bound(bucket: usize) -> f64 {
    bucket.checked_sub(1).map_or(0.0, upper_bound)
}

/// The value that is as far, in proportion, from either bound of a bucket.
fn middle(bucket: usize) -> f64 {
    let (low, high) = (lower_bound(bucket), upper_bound(bucket));
    2.0 * low * high / (low + high)
}

fn power_of_two(exponent: u64) -> f64 {
    f64::from_bits((exponent + EXPONENT_BIAS) << MANTISSA_BITS)
}

fn ceil(value: f64) -> u64 {
    let floor = value as u64;
    floor + u64::from((floor as f64) < value)
}

fn duration(seconds: f64) -> Duration {
    Time::from_secs_f64(seconds).into()
}

/// The square root of a finite number that is not negative; `core` has none. Newton's method, from a start that has half the exponent
/// and is within 7 %: each step doubles the correct digits.
pub(super) fn sqrt(square: f64) -> f64 {
    if square <= 0.0 {
        return 0.0;
    }
    let mut root = f64::from_bits((square.to_bits() >> 1) + (1023 << 51));
    for _ in 0..4 {
        root = (root + square / root) / 2.0;
    }
    root
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::SmallRng};
    use rand_distr::LogNormal;

    use super::*;

    #[test]
    fn percentiles_of_a_million_log_normal_samples_are_within_one_percent_of_exact() {
        // A median of 40 ms with a long tail, as on mobile links.
        let distribution = LogNormal::new(0.04_f64.ln(), 0.8).unwrap();
        let mut samples: Vec<Duration> = SmallRng::seed_from_u64(11)
            .sample_iter(distribution)
            .take(1_000_000)
            .map(Duration::from_secs_f64)
            .collect();
        let mut histogram = Histogram::default();
        samples.iter().for_each(|sample| histogram.record(*sample));
        samples.sort_unstable();
        for percent in [0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let rank = ((samples.len() as f64 * percent / 100.0).ceil() as usize).max(1);
            let exact = samples[rank - 1].as_secs_f64();
            let reported = histogram.percentile(percent).unwrap().as_secs_f64();
            assert!((reported / exact - 1.0).abs() <= 0.01, "p{percent}: {reported} against {exact}");
        }
    }

    #[test]
    fn the_whole_histogram_takes_at_most_four_kibibytes() {
        assert!(size_of::<Histogram>() + size_of::<[u32; BUCKETS]>() <= 4096);
    }

    #[test]
    fn the_range_reaches_from_five_microseconds_to_a_hundred_seconds() {
        assert!(upper_bound(BUCKETS - 1) >= 100.0 && upper_bound(BUCKETS - 2) < 102.0);
        let mut histogram = Histogram::default();
        for value in [Duration::ZERO, Duration::from_secs(1_000_000), Duration::MAX] {
            histogram.record(value);
        }
        assert_eq!((histogram.count(), histogram.min(), histogram.max()), (3, Some(Time::ZERO), Some(Time::FOREVER)));
        assert!(histogram.percentile(100.0).is_some());
    }

    #[test]
    fn no_bucket_is_so_wide_that_its_middle_is_further_than_one_percent_from_its_bounds() {
        for index in 1..BUCKETS {
            let (low, middle, high) = (lower_bound(index), middle(index), upper_bound(index));
            assert!(high / middle - 1.0 < 0.0095 && 1.0 - low / middle < 0.0095, "{index}: {low} {middle} {high}");
            assert_eq!((bucket(middle), bucket(high * (1.0 - 1e-12))), (index, index));
            assert_eq!(bucket(high * (1.0 + 1e-12)), (index + 1).min(BUCKETS - 1));
        }
    }

    #[test]
    fn buckets_hold_what_was_recorded_between_their_bounds() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_millis(40));
        let (low, high, count) = histogram.buckets().next().unwrap();
        assert!(low < Duration::from_millis(40) && Duration::from_millis(40) <= high && count == 1);
    }

    #[test]
    fn the_root_is_right_to_the_last_digits_over_all_that_is_measured() {
        for exponent in -40..40 {
            for mantissa in 0..100 {
                let square = (1.0 + f64::from(mantissa) / 100.0) * 2_f64.powi(exponent);
                assert!((sqrt(square) / square.sqrt() - 1.0).abs() < 1e-15, "{square}");
            }
        }
        assert_eq!((sqrt(0.0), sqrt(-0.0)), (0.0, 0.0));
    }
}

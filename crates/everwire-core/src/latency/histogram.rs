use alloc::boxed::Box;
use core::time::Duration;

/// How far a reported value may lie from the true one, as a share of it.
const PRECISION: f64 = 0.0095;
/// The ratio of a bucket's upper bound to its lower one: the middle of a bucket is then within [`PRECISION`] of all it holds
/// (DDSketch: Masson, Rim, Lee, VLDB 2019, section 2.1).
const RATIO: f64 = (1.0 + PRECISION) / (1.0 - PRECISION);
/// The upper bound of the first bucket: browsers' clocks are not finer than 5 µs.
const SMALLEST: f64 = 5e-6;
/// Enough for round trips of up to 100 s: ln(100 s / 5 µs) / ln(RATIO).
const BUCKETS: usize = 886;

/// The distribution of durations from 5 µs to 100 s in constant memory (under 4 KiB), with percentiles within 1 %.
///
/// Values outside that range count at its ends; the least and the greatest value are kept exactly.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    count: u64,
    min: Duration,
    max: Duration,
}

impl Histogram {
    /// Adds one value.
    pub fn record(&mut self, value: Duration) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
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
    pub fn min(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.min)
    }

    /// The greatest value.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.max)
    }

    /// The value that `percent` (0 to 100) of all values do not exceed, within 1 %; `None` where there is none.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        let rank = libm::ceil(self.count as f64 * percent.clamp(0.0, 100.0) / 100.0).max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(middle(index).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// The buckets that hold anything: lower bound, upper bound, count.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, Duration, u32)> + '_ {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| (bound(index as i32 - 1), bound(index as i32), *count))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, min: Duration::MAX, max: Duration::ZERO }
    }
}

fn bucket(value: Duration) -> usize {
    let steps = libm::log(value.as_secs_f64() / SMALLEST) / libm::log(RATIO);
    // A cast from a negative or infinite float saturates, so that everything lands in a bucket.
    (libm::ceil(steps).max(0.0) as usize).min(BUCKETS - 1)
}

/// The upper bound of a bucket.
fn bound(index: i32) -> Duration {
    Duration::from_secs_f64(SMALLEST * libm::pow(RATIO, f64::from(index)))
}

/// The value that is within [`PRECISION`] of both bounds of a bucket.
fn middle(index: usize) -> Duration {
    Duration::from_secs_f64(SMALLEST * libm::pow(RATIO, index as f64) * 2.0 / (1.0 + RATIO))
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
            let told = histogram.percentile(percent).unwrap().as_secs_f64();
            assert!((told / exact - 1.0).abs() <= 0.01, "p{percent}: {told} against {exact}");
        }
    }

    #[test]
    fn the_whole_histogram_takes_at_most_four_kibibytes() {
        assert!(size_of::<Histogram>() + size_of::<[u32; BUCKETS]>() <= 4096);
    }

    #[test]
    fn the_range_reaches_from_five_microseconds_to_a_hundred_seconds() {
        assert!(bound(BUCKETS as i32 - 1) >= Duration::from_secs(100));
        let mut histogram = Histogram::default();
        for value in [Duration::ZERO, Duration::from_secs(1_000_000), Duration::MAX] {
            histogram.record(value);
        }
        assert_eq!(
            (histogram.count(), histogram.min(), histogram.max()),
            (3, Some(Duration::ZERO), Some(Duration::MAX))
        );
        assert!(histogram.percentile(100.0).is_some());
    }

    #[test]
    fn buckets_hold_what_was_recorded_between_their_bounds() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_millis(40));
        let (low, high, count) = histogram.buckets().next().unwrap();
        assert!(low < Duration::from_millis(40) && Duration::from_millis(40) <= high && count == 1);
    }
}

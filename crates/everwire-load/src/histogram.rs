use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Percentiles;

/// What counts as the longest time, in microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;
/// Values are kept with this many significant digits, so a percentile is within 0.1 %.
const DIGITS: u8 = 3;

/// The distribution of times, as an HDR histogram in microseconds. Those of several processes can be added up, which
/// percentiles cannot.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// An empty one, which grows with what it is shown.
    pub fn new() -> Self {
        let mut histogram = hdrhistogram::Histogram::new(DIGITS).expect("three digits are a precision that there is");
        histogram.auto(true);
        Self(histogram)
    }

    /// Adds one time.
    pub fn record(&mut self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(LONGEST), 1);
    }

    /// Adds what another one holds.
    pub fn merge(&mut self, other: &Self) {
        for value in other.0.iter_recorded() {
            self.add(value.value_iterated_to(), value.count_at_value());
        }
    }

    /// How many times were added.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The figures to tell; `None` where there is nothing to tell of.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let at = |percent| self.0.value_at_percentile(percent) as f64 / 1e3;
        (self.count() > 0).then(|| Percentiles {
            count: self.count(),
            mean_ms: self.0.mean() / 1e3,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: self.0.max() as f64 / 1e3,
        })
    }

    fn add(&mut self, micros: u64, count: u64) {
        // It grows as far as memory allows, and the bound keeps that at some 200 kB.
        let _ = self.0.record_n(micros.min(LONGEST), count);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// As pairs of a value in microseconds and how often it was seen.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut histogram = Self::new();
        for (micros, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            histogram.add(micros, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        millis.into_iter().for_each(|time| histogram.record(Duration::from_millis(time)));
        histogram
    }

    #[test]
    fn merging_gives_the_percentiles_of_all_values_together() {
        let mut merged = of((1..=500).map(|n| n * 2));
        merged.merge(&of((1..=500).map(|n| n * 2 - 1)));
        let found = merged.percentiles().unwrap();
        assert_eq!(found.count, 1000);
        for (found, exact) in
            [(found.p50_ms, 500.0), (found.p99_ms, 990.0), (found.p999_ms, 999.0), (found.max_ms, 1000.0)]
        {
            assert!((found / exact - 1.0).abs() < 0.002, "{found} instead of {exact}");
        }
    }

    #[test]
    fn what_a_worker_tells_as_json_is_what_it_counted() {
        let sent = of([1, 1, 7, 30_000]);
        let received: Histogram = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        assert_eq!(received.percentiles(), sent.percentiles());
    }

    #[test]
    fn a_time_beyond_all_measure_counts_as_the_longest() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::MAX);
        assert!((histogram.percentiles().unwrap().max_ms / 600_000.0 - 1.0).abs() < 0.001);
    }

    #[test]
    fn an_empty_histogram_has_nothing_to_tell() {
        assert_eq!(Histogram::new().percentiles(), None);
    }
}

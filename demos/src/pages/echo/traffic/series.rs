use std::collections::VecDeque;

/// The course of a value over the last minute, folded into bins of a quarter of a second, so that a chart costs the same
/// for one value a second and for ten thousand.
#[derive(Debug, Default)]
pub(in crate::pages::echo) struct Series {
    bins: VecDeque<Bin>,
}

/// What was recorded within one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::pages::echo) struct Bin {
    /// The time of its first value, in milliseconds since the Unix epoch.
    pub(in crate::pages::echo) time: f64,
    pub(in crate::pages::echo) mean: f64,
    pub(in crate::pages::echo) max: f64,
    count: u32,
}

impl Series {
    const BIN_MS: f64 = 250.0;
    /// How far back the chart reaches.
    pub(in crate::pages::echo) const SPAN_MS: f64 = 60_000.0;

    pub(in crate::pages::echo) fn record(&mut self, time: f64, value: f64) {
        match self.bins.back_mut() {
            Some(bin) if time < bin.time + Self::BIN_MS => {
                bin.count += 1;
                bin.mean += (value - bin.mean) / f64::from(bin.count);
                bin.max = bin.max.max(value);
            }
            _ => self.bins.push_back(Bin { time, mean: value, max: value, count: 1 }),
        }
        while self.bins.front().is_some_and(|oldest| oldest.time < time - Self::SPAN_MS) {
            self.bins.pop_front();
        }
    }

    pub(in crate::pages::echo) fn bins(&self) -> impl Iterator<Item = &Bin> {
        self.bins.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_quarter_of_a_second_share_a_bin() {
        let mut series = Series::default();
        [(0.0, 1.0), (100.0, 3.0), (249.0, 8.0), (250.0, 5.0)].into_iter().for_each(|(t, v)| series.record(t, v));
        let bins: Vec<_> = series.bins().map(|bin| (bin.time, bin.mean, bin.max)).collect();
        assert_eq!(bins, [(0.0, 4.0, 8.0), (250.0, 5.0, 5.0)]);
    }

    #[test]
    fn a_flood_for_an_hour_takes_no_more_than_a_minute_of_bins() {
        let mut series = Series::default();
        (0..360_000).for_each(|n| series.record(f64::from(n) * 10.0, 1.0));
        assert!((235..=241).contains(&series.bins().count()), "{}", series.bins().count());
        let oldest = series.bins().next().unwrap().time;
        assert!(oldest >= 3_600_000.0 - 10.0 - Series::SPAN_MS);
    }
}

use std::f64::consts::TAU;

use super::{Sorted, Summary};

/// How many bars there are, at most and at least.
const MOST: f64 = 40.0;
const LEAST: f64 = 12.0;

/// The distribution of a sample: bars of one width, and the normal curve with the sample's mean and deviation, as high as
/// bars of such a distribution would be.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pages::lab) struct Histogram {
    /// The middle of each bar.
    pub(in crate::pages::lab) middles: Vec<f64>,
    pub(in crate::pages::lab) counts: Vec<f64>,
    pub(in crate::pages::lab) normal: Vec<f64>,
    /// How many values are beyond the last bar.
    pub(in crate::pages::lab) beyond: usize,
}

impl Histogram {
    /// `None` of fewer than two values. What is above the 99th percentile by more than it is above the least counts as beyond: one
    /// pause of the browser would otherwise press everything else into one bar.
    pub(in crate::pages::lab) fn of(values: &Sorted) -> Option<Self> {
        let summary = Summary::of(values).filter(|summary| summary.count > 1)?;
        let end = summary.max.min(summary.p99 + (summary.p99 - summary.min).max(1e-3));
        let bars = bars(values, end - summary.min);
        let width = ((end - summary.min) / bars).max(1e-3);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen")]
        let bars = bars as usize;
        let mut counts = vec![0.0; bars];
        let mut beyond = 0;
        for value in values.iter().copied() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no value is below the least")]
            let bar = ((value - summary.min) / width) as usize;
            match counts.get_mut(bar) {
                Some(count) => *count += 1.0,
                // The greatest value is the end of the last bar.
                None if value <= end => counts[bars - 1] += 1.0,
                None => beyond += 1,
            }
        }
        let middles: Vec<f64> = (0..bars).map(|bar| summary.min + (bar as f64 + 0.5) * width).collect();
        let normal = middles.iter().map(|middle| density(*middle, &summary) * width * summary.count as f64).collect();
        Some(Self { middles, counts, normal, beyond })
    }
}

/// As many bars as Freedman and Diaconis (1981) advise, within what can be seen.
fn bars(sorted: &Sorted, range: f64) -> f64 {
    let quartiles = sorted.percentile(75.0) - sorted.percentile(25.0);
    let width = 2.0 * quartiles / (sorted.len() as f64).cbrt();
    if width > 0.0 { (range / width).ceil().clamp(LEAST, MOST) } else { LEAST }
}

fn density(value: f64, summary: &Summary) -> f64 {
    if summary.deviation <= 0.0 {
        return f64::NAN;
    }
    let z = (value - summary.mean) / summary.deviation;
    (-z * z / 2.0).exp() / (summary.deviation * TAU.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample of the normal distribution by the sum of twelve even ones, from a generator that is the same each time.
    fn normal(count: usize) -> Vec<f64> {
        let mut state = 1_u32;
        let mut even = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        (0..count).map(|_| 50.0 + 5.0 * ((0..12).map(|_| even()).sum::<f64>() - 6.0)).collect()
    }

    #[test]
    fn every_value_is_in_a_bar_or_beyond() {
        let mut values = normal(2_000);
        values.push(10_000.0);
        let histogram = Histogram::of(&Sorted::of(values)).unwrap();
        assert_eq!(histogram.counts.iter().sum::<f64>() as usize + histogram.beyond, 2_001);
        assert_eq!(histogram.beyond, 1);
    }

    #[test]
    fn the_curve_goes_through_the_bars_of_a_normal_distribution() {
        let histogram = Histogram::of(&Sorted::of(normal(20_000))).unwrap();
        let total: f64 = histogram.counts.iter().sum();
        let apart: f64 = histogram.counts.iter().zip(&histogram.normal).map(|(bar, curve)| (bar - curve).abs()).sum();
        assert!(apart / total < 0.06, "{}", apart / total);
        assert!(histogram.counts.len() >= 20);
    }

    #[test]
    fn values_that_are_all_the_same_are_one_bar() {
        let histogram = Histogram::of(&Sorted::of([3.0; 10])).unwrap();
        assert_eq!(histogram.counts.iter().filter(|count| **count > 0.0).count(), 1);
        assert_eq!(Histogram::of(&Sorted::of([3.0])), None);
    }
}

use super::Sorted;

/// A sample of times in milliseconds, in figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::pages::lab) struct Summary {
    pub(in crate::pages::lab) count: usize,
    pub(in crate::pages::lab) mean: f64,
    /// Of the sample; not a number for a single value.
    pub(in crate::pages::lab) deviation: f64,
    pub(in crate::pages::lab) min: f64,
    pub(in crate::pages::lab) max: f64,
    pub(in crate::pages::lab) p50: f64,
    pub(in crate::pages::lab) p99: f64,
}

impl Summary {
    /// `None` of nothing.
    pub(in crate::pages::lab) fn of(values: &Sorted) -> Option<Self> {
        let (min, max) = (*values.first()?, *values.last()?);
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (count as f64 - 1.0)).sqrt();
        Some(Self { count, mean, deviation, min, max, p50: values.percentile(50.0), p99: values.percentile(99.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_sample() {
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
    fn calls_that_never_came_back_are_no_values() {
        assert_eq!(Summary::of(&Sorted::of([f64::NAN])), None);
        let one = Summary::of(&Sorted::of([f64::NAN, 3.0])).unwrap();
        assert_eq!((one.count, one.p99), (1, 3.0));
        assert!(one.deviation.is_nan());
    }
}

use std::ops::Deref;

/// Values from the least to the greatest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::pages::lab) struct Sorted(Vec<f64>);

impl Sorted {
    /// What is not a number is left out.
    pub(in crate::pages::lab) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Puts a value where it belongs. Among 100,000 that moves 800 kB at most; sorting them all each time
    /// they are shown would take a page's attention for longer than many a call.
    pub(in crate::pages::lab) fn insert(&mut self, value: f64) {
        if value.is_finite() {
            let place = self.0.partition_point(|other| *other <= value);
            self.0.insert(place, value);
        }
    }

    /// The least value that so many percent of all do not exceed (nearest rank).
    pub(super) fn percentile(&self, percent: f64) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_one_by_one_is_in_the_same_order_as_what_comes_at_once() {
        let values = [3.0, 1.0, f64::NAN, 2.0, 3.0, 0.5, f64::INFINITY];
        let mut sorted = Sorted::default();
        values.into_iter().for_each(|value| sorted.insert(value));
        assert_eq!(sorted[..], [0.5, 1.0, 2.0, 3.0, 3.0]);
        assert_eq!(sorted, Sorted::of(values));
    }
}

use crate::lab::text::Digits;

/// What several runs gave for one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { least, median, most })
    }

    /// Whether some run of one could as well be one of the other.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.least <= other.most && other.least <= self.most
    }

    /// `3.1 % (2.9–3.4)`; without brackets where there is nothing to add.
    pub(super) fn text(self, digits: Digits, unit: &str) -> String {
        let (median, range) = (digits(self.median), self.range(digits));
        if range == median { format!("{median}{unit}") } else { format!("{median}{unit} ({range})") }
    }

    /// `2.9–3.4`; a single number where both are the same.
    pub(super) fn range(self, digits: Digits) -> String {
        let [least, most] = [self.least, self.most].map(digits);
        if least == most { most } else { format!("{least}–{most}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::text::percent;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_told_with_the_least_and_the_most() {
        assert_eq!(spread(&[30.0, 10.0, 11.0]).text(percent, " %"), "11 % (10–30)");
        assert_eq!(spread(&[30.0, 10.0, 11.0, 13.0]).text(percent, ""), "12 (10–30)");
        assert_eq!(spread(&[3.0]).text(percent, " %"), "3.0 %");
        assert_eq!(Spread::of(std::iter::empty()), None);
    }

    #[test]
    fn runs_overlap_where_one_could_be_of_either() {
        assert!(spread(&[1.0, 3.0]).overlaps(spread(&[2.0, 9.0])) && spread(&[2.0, 9.0]).overlaps(spread(&[1.0, 3.0])));
        assert!(
            !spread(&[1.0, 3.0]).overlaps(spread(&[4.0, 9.0])) && !spread(&[4.0, 9.0]).overlaps(spread(&[1.0, 3.0]))
        );
    }
}

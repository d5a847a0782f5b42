use crate::lab::render::spread::Spread;

/// By how many times figures have to differ before they are said to: what is closer than a quarter is about the same.
pub(super) const QUARTER: f64 = 1.25;

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Falls,
    StaysTheSame,
    Rises,
    /// The medians differ, and the runs differ as much among themselves.
    Unclear,
}

impl Change {
    pub(super) fn between(before: Spread, after: Spread) -> Self {
        let is_close = after.median <= before.median * QUARTER && before.median <= after.median * QUARTER;
        match after.median < before.median {
            _ if is_close => Self::StaysTheSame,
            _ if before.overlaps(after) => Self::Unclear,
            true => Self::Falls,
            false => Self::Rises,
        }
    }

    /// A clause on what is called so, with the figures in words.
    pub(super) fn told(self, name: &str, before: &str, after: &str) -> String {
        match self {
            Self::Falls => format!("{name} falls from {before} to {after}"),
            Self::StaysTheSame => format!("{name} stays about the same, {before} and {after}"),
            Self::Rises => format!("{name} rises from {before} to {after}"),
            Self::Unclear => format!("{name} differs no more than its runs do, {before} and {after}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: [f64; 3], after: [f64; 3]) -> Change {
        let [before, after] = [before, after].map(|[least, median, most]| Spread { least, median, most });
        Change::between(before, after)
    }

    #[test]
    fn what_is_closer_than_a_quarter_is_about_the_same_also_where_no_run_overlaps() {
        assert_eq!(change([9.9, 10.0, 10.1], [12.3, 12.4, 12.5]), Change::StaysTheSame);
        assert_eq!(change([12.3, 12.4, 12.5], [9.9, 10.0, 10.1]), Change::StaysTheSame);
        assert_eq!(change([9.9, 10.0, 10.1], [12.5, 12.6, 12.7]), Change::Rises);
        assert_eq!(change([12.5, 12.6, 12.7], [9.9, 10.0, 10.1]), Change::Falls);
    }

    #[test]
    fn nothing_is_said_of_what_differs_as_much_from_run_to_run() {
        assert_eq!(change([1.0, 2.0, 5.0], [4.0, 6.0, 7.0]), Change::Unclear);
        assert_eq!(change([4.0, 6.0, 7.0], [1.0, 2.0, 5.0]), Change::Unclear);
    }
}

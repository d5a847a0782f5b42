use core::ops::Range;

/// Which rows of a long list stand in the page: those that can be seen, and some above and below, so that a quick scroll
/// shows rows and not a gap. Their number does not depend on the length of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// How far the list is scrolled, in pixels.
    pub(super) top: f64,
    /// The height of what can be seen, in pixels.
    pub(super) height: f64,
    /// The height of one row, in pixels.
    pub(super) row: f64,
}

impl Window {
    /// Rows kept above and below what is seen: at 60 frames a second, a scroll of a thousand rows a second stays inside.
    const MARGIN: usize = 16;
    /// The range moves by so many rows, so that most scroll events change nothing.
    const STEP: usize = 8;

    pub(super) fn rows(self, length: usize) -> Range<usize> {
        let seen = (self.height / self.row).ceil() as usize + 1;
        let count = (seen + 2 * Self::MARGIN).next_multiple_of(Self::STEP) + Self::STEP;
        let first = ((self.top / self.row) as usize).saturating_sub(Self::MARGIN) / Self::STEP * Self::STEP;
        let first = first.min(length.saturating_sub(count));
        first..(first + count).min(length)
    }

    /// Whether the end of the list is in sight, to within a row.
    pub(super) fn is_at_end(self, length: usize) -> bool {
        self.top + self.height >= (length as f64 - 1.0) * self.row
    }

    /// Where to scroll to, if anywhere, for a row to be in sight.
    pub(super) fn reveal(self, row: usize) -> Option<f64> {
        let highest = row as f64 * self.row;
        // Compared as it is given: by a sum that rounds otherwise, a row that was just revealed would have to be once more.
        let lowest = highest + self.row - self.height;
        if highest < self.top {
            Some(highest)
        } else if lowest > self.top {
            Some(lowest)
        } else {
            None
        }
    }

    /// How many rows a page up or down moves.
    pub(super) fn page(self) -> usize {
        ((self.height / self.row) as usize).saturating_sub(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window() -> impl Strategy<Value = (Window, usize)> {
        (0..200_000_usize, 20.0..60.0_f64, 100.0..1_500.0_f64, 0.0..1.0_f64).prop_map(|(length, row, height, share)| {
            let furthest = (length as f64 * row - height).max(0.0);
            (Window { top: furthest * share, height, row }, length)
        })
    }

    proptest! {
        #[test]
        fn every_row_in_sight_stands_in_the_page((window, length) in window()) {
            let rows = window.rows(length);
            let first = (window.top / window.row) as usize;
            let last = (((window.top + window.height) / window.row) as usize).min(length.saturating_sub(1));
            prop_assert!(length == 0 || (rows.contains(&first.min(length - 1)) && rows.contains(&last)), "{rows:?} {first} {last}");
        }

        #[test]
        fn their_number_depends_on_the_height_alone((window, length) in window()) {
            let count = window.rows(length).len();
            let most = Window { top: 0.0, ..window }.rows(usize::MAX / 2).len();
            prop_assert_eq!(count, most.min(length));
            prop_assert!((count as f64) < window.height / window.row + 60.0);
        }

        #[test]
        fn a_revealed_row_is_in_sight((window, _) in window(), row in 0..200_000_usize) {
            let window = Window { top: window.reveal(row).unwrap_or(window.top), ..window };
            prop_assert_eq!(window.reveal(row), None);
            let from_top = row as f64 * window.row - window.top;
            prop_assert!(from_top >= -1e-6 && from_top + window.row <= window.height + 1e-6, "{from_top}");
        }
    }

    #[test]
    fn the_end_is_in_sight_where_less_than_a_row_is_missing() {
        let window = Window { top: 700.0, height: 300.0, row: 10.0 };
        assert!(window.is_at_end(100) && window.is_at_end(101) && window.is_at_end(0));
        assert!(!window.is_at_end(103));
    }
}

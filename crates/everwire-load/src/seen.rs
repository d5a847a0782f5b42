use core::ops::Range;

/// Which numbers of a sequence have been seen, in room that grows with the gaps and not with the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Above all that have been seen.
    next: u32,
    /// What is missing below, in ascending order.
    gaps: Vec<Range<u32>>,
}

impl Seen {
    /// Takes note of a number. Whether it is the first time.
    pub(crate) fn note(&mut self, number: u32) -> bool {
        if number >= self.next {
            if number > self.next {
                self.gaps.push(self.next..number);
            }
            self.next = number.saturating_add(1);
            return true;
        }
        let Some(index) = self.gaps.iter().position(|gap| gap.contains(&number)) else { return false };
        let gap = self.gaps.remove(index);
        let rest = [gap.start..number, number + 1..gap.end];
        self.gaps.splice(index..index, rest.into_iter().filter(|gap| !gap.is_empty()));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    impl Seen {
        /// How many numbers have been seen.
        fn count(&self) -> u64 {
            let missing: u64 = self.gaps.iter().map(|gap| u64::from(gap.end - gap.start)).sum();
            u64::from(self.next) - missing
        }
    }

    #[test]
    fn in_order_nothing_is_kept_but_a_number() {
        let mut seen = Seen::default();
        assert!((0..1000).all(|number| seen.note(number)));
        assert_eq!((seen.count(), seen.gaps.len()), (1000, 0));
    }

    #[test]
    fn a_number_that_comes_late_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.note(0) && seen.note(9));
        assert_eq!(seen.count(), 2);
        assert!(seen.note(5) && !seen.note(5) && !seen.note(9) && !seen.note(0));
        assert_eq!(seen.gaps, [1..5, 6..9]);
    }

    #[test]
    fn in_any_order_each_number_is_new_exactly_once() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut seen, mut model) = (Seen::default(), HashSet::new());
        for _ in 0..5000 {
            let number = random.u32(0..500);
            assert_eq!(seen.note(number), model.insert(number));
            assert_eq!(seen.count(), model.len() as u64);
        }
    }
}

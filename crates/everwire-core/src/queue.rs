use alloc::vec::Vec;

/// How many places may be empty before that is worth tidying up.
const FEW: usize = 16;

/// First in, first out, with removal in between.
///
/// What is taken out leaves an empty place, and the places close up when more than half of them are empty: so
/// pushing and popping take constant time on average, and there are never many more places than a queue without holes would need.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    places: Vec<Option<T>>,
    /// All places before this one are empty.
    front: usize,
    len: usize,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), front: 0, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, item: T) {
        self.places.push(Some(item));
        self.len += 1;
    }

    /// Takes out the oldest.
    #[inline(never)]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.pop_if(|_| true)
    }

    /// Takes out the oldest if that is as wanted.
    pub(crate) fn pop_if(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        while let Some(place) = self.places.get_mut(self.front) {
            match place {
                Some(item) if !is_wanted(item) => return None,
                _ => self.front += 1,
            }
            if let Some(item) = place.take() {
                self.len -= 1;
                self.close_up();
                return Some(item);
            }
        }
        None
    }

    /// Takes out all that are as wanted, oldest first.
    pub(crate) fn extract(&mut self, is_wanted: impl Fn(&T) -> bool, mut take: impl FnMut(T)) {
        for place in &mut self.places {
            if place.as_ref().is_some_and(&is_wanted)
                && let Some(item) = place.take()
            {
                self.len -= 1;
                take(item);
            }
        }
        self.close_up();
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    fn close_up(&mut self) {
        if self.len == 0 {
            self.places.clear();
            self.front = 0;
        } else if self.places.len() > 2 * self.len + FEW {
            self.places.retain(Option::is_some);
            self.front = 0;
        }
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_done_it_holds_what_a_plain_queue_would(steps in proptest::collection::vec(0..6_u8, 0..600)) {
            let (mut queue, mut plain) = (Queue::new(), VecDeque::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    0 => prop_assert_eq!(queue.pop(), plain.pop_front()),
                    1 => {
                        let mut taken = Vec::new();
                        queue.extract(|other| other % 3 == 0, |other| taken.push(other));
                        let (expected, rest) = plain.iter().partition::<Vec<_>, _>(|other| *other % 3 == 0);
                        prop_assert_eq!(taken, expected);
                        plain = rest.into();
                    }
                    2 => {
                        let is_wanted = plain.front().is_some_and(|oldest| oldest % 2 == 0);
                        let expected = if is_wanted { plain.pop_front() } else { None };
                        prop_assert_eq!(queue.pop_if(|oldest| oldest % 2 == 0), expected);
                    }
                    _ => {
                        queue.push(number);
                        plain.push_back(number);
                    }
                }
                prop_assert_eq!((queue.len(), queue.is_empty()), (plain.len(), plain.is_empty()));
                prop_assert!(queue.iter().eq(plain.iter()));
            }
        }
    }

    #[test]
    fn a_queue_that_is_filled_and_emptied_for_days_stays_small() {
        let mut queue = Queue::new();
        for number in 0..100_000 {
            queue.push(number);
            if number >= 10 {
                queue.extract(|other| *other == number - if number % 2 == 0 { 10 } else { 3 }, drop);
                queue.pop();
            }
        }
        assert!(queue.places.capacity() <= 64, "{}", queue.places.capacity());
    }
}

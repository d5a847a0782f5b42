//! The queues of the state machines: messages that wait or are in flight, and actions for the driver.

use alloc::vec::Vec;

#[cfg(not(feature = "socket"))]
pub(crate) use always_empty::Queue;
#[cfg(feature = "socket")]
pub(crate) use fifo::Queue;

#[cfg(any(feature = "socket", test))]
mod fifo {
    use alloc::vec::Vec;
    use core::cmp::Ordering;

    /// How many places may be empty before it is worth compacting them.
    const FEW: usize = 16;

    /// A queue with removal in the middle.
    ///
    /// A removed item leaves an empty place, and the places are compacted when more than half of them are empty: pushing and popping take
    /// constant time on average, and there are never many more places than a queue without holes would need.
    #[derive(Debug)]
    pub(crate) struct Queue<T> {
        pub(super) places: Vec<Option<T>>,
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

        /// Removes the oldest item.
        pub(crate) fn pop(&mut self) -> Option<T> {
            self.pop_if(|_| true)
        }

        /// Removes the oldest item if it matches.
        pub(crate) fn pop_if(&mut self, matches: impl Fn(&T) -> bool) -> Option<T> {
            while let Some(place) = self.places.get_mut(self.front) {
                match place {
                    Some(item) if !matches(item) => return None,
                    _ => self.front += 1,
                }
                if let Some(item) = place.take() {
                    self.len -= 1;
                    self.compact();
                    return Some(item);
                }
            }
            None
        }

        /// Removes all items that match, oldest first.
        pub(crate) fn extract(&mut self, matches: impl Fn(&T) -> bool, mut take: impl FnMut(T)) {
            for place in &mut self.places {
                if place.as_ref().is_some_and(&matches)
                    && let Some(item) = place.take()
                {
                    self.len -= 1;
                    take(item);
                }
            }
            self.compact();
        }

        /// The place of the item with this key, by binary search: the keys must ascend from the oldest to the newest.
        pub(crate) fn find_by_key<K: Ord>(&self, key: K, key_of: impl Fn(&T) -> K) -> Option<usize> {
            let (mut low, mut high) = (self.front, self.places.len());
            while low < high {
                let middle = low + (high - low) / 2;
                let filled = self.places.get(middle..high)?.iter().position(Option::is_some);
                let Some((place, item)) = filled.and_then(|skip| Some((middle + skip, self.get(middle + skip)?)))
                else {
                    high = middle;
                    continue;
                };
                match key_of(item).cmp(&key) {
                    Ordering::Less => low = place + 1,
                    Ordering::Greater => high = middle,
                    Ordering::Equal => return Some(place),
                }
            }
            None
        }

        /// The item at a place that [`find_by_key`](Self::find_by_key) returned.
        pub(crate) fn get(&self, place: usize) -> Option<&T> {
            self.places.get(place)?.as_ref()
        }

        /// Removes the item at a place.
        pub(crate) fn take(&mut self, place: usize) -> Option<T> {
            let item = self.places.get_mut(place)?.take()?;
            self.len -= 1;
            self.compact();
            Some(item)
        }

        /// Oldest first.
        pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
            self.places.iter().flatten()
        }

        #[inline(never)]
        fn compact(&mut self) {
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
}

#[cfg(not(feature = "socket"))]
mod always_empty {
    use core::{iter, marker::PhantomData};

    /// A queue that is always empty, for a build without the outbox: the compiler then removes the code that handles its items, a kilobyte of a
    /// browser's download.
    #[derive(Debug)]
    pub(crate) struct Queue<T>(PhantomData<T>);

    impl<T> Queue<T> {
        pub(crate) const fn new() -> Self {
            Self(PhantomData)
        }

        pub(crate) fn len(&self) -> usize {
            0
        }

        pub(crate) fn is_empty(&self) -> bool {
            true
        }

        pub(crate) fn push(&mut self, _: T) {}

        pub(crate) fn pop(&mut self) -> Option<T> {
            None
        }

        pub(crate) fn pop_if(&mut self, _: impl Fn(&T) -> bool) -> Option<T> {
            None
        }

        pub(crate) fn extract(&mut self, _: impl Fn(&T) -> bool, _: impl FnMut(T)) {}

        pub(crate) fn find_by_key<K: Ord>(&self, _: K, _: impl Fn(&T) -> K) -> Option<usize> {
            None
        }

        pub(crate) fn get(&self, _: usize) -> Option<&T> {
            None
        }

        pub(crate) fn take(&mut self, _: usize) -> Option<T> {
            None
        }

        pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
            iter::empty()
        }
    }
}

/// The actions that a driver has yet to carry out, oldest first.
///
/// The driver takes all of them after each input, so a vector with a read position is enough: it never grows beyond one input's actions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ActionQueue<T> {
    all: Vec<Option<T>>,
    taken: usize,
}

impl<T> ActionQueue<T> {
    pub(crate) const fn new() -> Self {
        Self { all: Vec::new(), taken: 0 }
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, action: T) {
        self.all.push(Some(action));
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let action = self.all.get_mut(self.taken).and_then(Option::take);
        self.taken += 1;
        if self.taken >= self.all.len() {
            self.all.clear();
            self.taken = 0;
        }
        action
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::{ActionQueue, fifo::Queue};

    proptest! {
        #[test]
        fn it_holds_what_a_plain_queue_would_hold(steps in proptest::collection::vec(0..7_u8, 0..600)) {
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
                        let matches = plain.front().is_some_and(|oldest| oldest % 2 == 0);
                        let expected = if matches { plain.pop_front() } else { None };
                        prop_assert_eq!(queue.pop_if(|oldest| oldest % 2 == 0), expected);
                    }
                    3 => {
                        let key = number / 2;
                        let expected = plain.iter().position(|other| *other == key);
                        let place = queue.find_by_key(key, |other| *other);
                        prop_assert_eq!(place.is_some(), expected.is_some());
                        prop_assert_eq!(place.and_then(|place| queue.take(place)), expected.and_then(|at| plain.remove(at)));
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

    #[test]
    fn actions_are_taken_in_their_order_also_when_others_come_meanwhile() {
        let mut actions = ActionQueue::new();
        actions.push(1);
        actions.push(2);
        assert_eq!(actions.pop(), Some(1));
        actions.push(3);
        assert!(!actions.is_empty());
        assert_eq!([actions.pop(), actions.pop(), actions.pop()], [Some(2), Some(3), None]);
        assert!(actions.is_empty());
        actions.push(4);
        assert_eq!(actions.pop(), Some(4));
    }
}

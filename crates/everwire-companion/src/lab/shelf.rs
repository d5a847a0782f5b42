use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// The longest name that a client may give to what it puts here.
const LONGEST_NAME: usize = 40;

/// Things that clients name and come back for. There is room for so many. A new one takes the place of that which was used
/// longest ago, among those that nobody holds: clients do not say when they are done, and a shelf that waited to be sure
/// would be closed to everybody once one client had named many.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    room: usize,
    things: Mutex<HashMap<String, Thing<T>>>,
}

#[derive(Debug)]
struct Thing<T> {
    thing: Arc<T>,
    used: Instant,
}

impl<T> Shelf<T> {
    pub(super) fn new(room: usize) -> Self {
        Self { room, things: Mutex::default() }
    }

    /// The thing with this name, made if there is none. `None` where the name is no name, or all there is room for are held.
    pub(super) fn open(&self, name: &str, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        if !is_name(name) {
            return None;
        }
        let now = Instant::now();
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        if things.len() >= self.room && !things.contains_key(name) {
            let left = things.iter().filter(|(_, thing)| Arc::strong_count(&thing.thing) == 1);
            let oldest = left.min_by_key(|(_, thing)| thing.used)?.0.clone();
            things.remove(&oldest);
        }
        let thing = things.entry(name.to_owned()).or_insert_with(|| Thing { thing: Arc::new(make()), used: now });
        thing.used = now;
        Some(Arc::clone(&thing.thing))
    }

    /// The thing with this name, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<Arc<T>> {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = things.get_mut(name)?;
        thing.used = Instant::now();
        Some(Arc::clone(&thing.thing))
    }
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_is_found_again() {
        let shelf = Shelf::new(2);
        let thing = shelf.open("a", || 1).unwrap();
        assert!(Arc::ptr_eq(&thing, &shelf.open("a", || 2).unwrap()));
        assert_eq!(shelf.find("b"), None);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let shelf = Shelf::new(2);
        for name in ["", "a b", "a\n", &"x".repeat(41)] {
            assert_eq!(shelf.open(name, || 1), None, "{name:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_shelf_gives_up_what_was_used_longest_ago_unless_it_is_held() {
        let shelf = Shelf::new(3);
        let held = shelf.open("held", || 1);
        for name in ["early", "late", "early"] {
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(shelf.open(name, || 1).is_some());
        }
        assert!(shelf.open("new", || 1).is_some());
        let is_there = ["held", "early", "late", "new"].map(|name| shelf.find(name).is_some());
        assert_eq!(is_there, [true, true, false, true]);
        drop(held);
    }

    #[test]
    fn a_shelf_whose_things_are_all_held_takes_no_more() {
        let shelf = Shelf::new(1);
        let held = shelf.open("held", || 1);
        assert_eq!(shelf.open("new", || 1), None);
        drop(held);
        assert!(shelf.open("new", || 1).is_some());
    }
}

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// The greatest length of a name that a client chooses.
const MAX_NAME: usize = 40;

/// A bounded cache of values that clients name and come back for. A new one evicts the least recently used of those that are not
/// held: clients do not say when they are done, and a cache that waited for them would be full for all once one client had
/// named many.
#[derive(Debug)]
pub(super) struct NamedCache<T>(Mutex<LruCache<String, Arc<T>>>);

impl<T> NamedCache<T> {
    pub(super) fn new(capacity: NonZero<usize>) -> Self {
        Self(Mutex::new(LruCache::new(capacity)))
    }

    /// The value with this name, which is created if there is none. `None` if the name is invalid, or all values are held.
    pub(super) fn open(&self, name: &str, create: impl FnOnce() -> T) -> Option<Arc<T>> {
        if !is_name(name) {
            return None;
        }
        let mut values = self.values();
        if let Some(value) = values.get(name) {
            return Some(Arc::clone(value));
        }
        if values.len() == values.cap().get() {
            let evicted = values.iter().rev().find(|(_, value)| Arc::strong_count(value) == 1)?.0.clone();
            values.pop(&evicted);
        }
        let value = Arc::new(create());
        values.put(name.to_owned(), Arc::clone(&value));
        Some(value)
    }

    /// The value with this name, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<Arc<T>> {
        self.values().get(name).cloned()
    }

    fn values(&self) -> MutexGuard<'_, LruCache<String, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache<T>(capacity: usize) -> NamedCache<T> {
        NamedCache::new(NonZero::new(capacity).unwrap())
    }

    #[test]
    fn a_name_is_found_again() {
        let cache = cache(2);
        let value = cache.open("a", || 1).unwrap();
        assert!(Arc::ptr_eq(&value, &cache.open("a", || 2).unwrap()));
        assert_eq!(cache.find("b"), None);
    }

    #[test]
    fn an_invalid_name_is_refused() {
        let cache = cache(2);
        for name in ["", "a b", "a\n", &"x".repeat(41)] {
            assert_eq!(cache.open(name, || 1), None, "{name:?}");
        }
    }

    #[test]
    fn a_full_cache_evicts_the_least_recently_used_value_that_is_not_held() {
        let cache = cache(3);
        let held = cache.open("held", || 1);
        for name in ["early", "late", "early"] {
            assert!(cache.open(name, || 1).is_some());
        }
        assert!(cache.open("new", || 1).is_some());
        let is_there = ["held", "early", "late", "new"].map(|name| cache.find(name).is_some());
        assert_eq!(is_there, [true, true, false, true]);
        drop(held);
    }

    #[test]
    fn a_cache_whose_values_are_all_held_takes_no_more() {
        let cache = cache(1);
        let held = cache.open("held", || 1);
        assert_eq!(cache.open("new", || 1), None);
        drop(held);
        assert!(cache.open("new", || 1).is_some());
    }
}

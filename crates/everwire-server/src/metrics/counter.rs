use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::worker_index;

/// How many places a counter is spread over. With as many workers none shares a cache line with another; with more
/// they share a little.
pub(crate) const SHARDS: usize = 8;

/// A count that many threads add to at once without passing a cache line around.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    shards: [Shard; SHARDS],
}

/// 128 bytes: two cache lines, since x86 processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // Nothing is ordered by a statistic, so that the cheapest ordering is enough.
        self.shards[this_worker() % SHARDS].0.fetch_add(count, Ordering::Relaxed);
    }

    /// What the worker with this index added, and those that share its place.
    pub(crate) fn by_worker(&self, index: usize) -> u64 {
        self.shards[index % SHARDS].0.load(Ordering::Relaxed)
    }

    pub(crate) fn value(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}

/// The index of the runtime's worker that this runs on. What runs on no worker goes with the first.
pub(crate) fn this_worker() -> usize {
    worker_index().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_many_threads_add_is_the_sum() {
        let counter = Counter::default();
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| counter.add(2)));
            }
        });
        assert_eq!(counter.value(), 40_000);
    }
}

use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use tokio::runtime::worker_index;

/// How many places a counter is spread over: one for each worker that a runtime has unless it is told otherwise. With more
/// workers some share one. It is a power of two, so that no division finds the place.
static SHARDS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, NonZero::get).next_power_of_two());

/// A count that many threads add to at once without passing a cache line around.
#[derive(Debug)]
pub(crate) struct Counter {
    shards: Box<[Shard]>,
}

/// 128 bytes: two cache lines, since x86 processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

impl Default for Counter {
    fn default() -> Self {
        Self { shards: (0..Self::places()).map(|_| Shard::default()).collect() }
    }
}

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // Nothing is ordered by a statistic, so that the cheapest ordering is enough.
        self.of(this_worker()).fetch_add(count, Ordering::Relaxed);
    }

    /// How many workers have a place of their own.
    pub(crate) fn places() -> usize {
        *SHARDS
    }

    /// What the worker with this index added, and those that share its place.
    pub(crate) fn by_worker(&self, index: usize) -> u64 {
        self.of(index).load(Ordering::Relaxed)
    }

    fn of(&self, worker: usize) -> &AtomicU64 {
        &self.shards[worker & (self.shards.len() - 1)].0
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

    #[test]
    fn each_worker_that_a_processor_has_room_for_has_a_place_of_its_own() {
        assert!(Counter::places() >= available_parallelism().unwrap().get());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let counter = std::sync::Arc::new(Counter::default());
        let on_the_worker = std::sync::Arc::clone(&counter);
        runtime.block_on(runtime.spawn(async move { on_the_worker.add(3) })).unwrap();
        let by_place: Vec<u64> = (0..Counter::places()).map(|index| counter.by_worker(index)).collect();
        assert_eq!((by_place[0], by_place.iter().sum::<u64>()), (3, 3));
    }
}

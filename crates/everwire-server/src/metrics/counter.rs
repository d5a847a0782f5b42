use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use tokio::runtime::worker_index;

/// The number of shards of a counter: one for each worker of a runtime with default settings. Further workers share them. It is a
/// power of two, so that no division is needed to find a shard.
static SHARDS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, NonZero::get).next_power_of_two());

/// A counter that the workers add to without contention for a cache line.
#[derive(Debug)]
pub(crate) struct Counter {
    shards: Box<[Shard]>,
}

/// 128 bytes are two cache lines; x86 processors prefetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(AtomicU64);

impl Default for Counter {
    fn default() -> Self {
        Self { shards: (0..Self::shards()).map(|_| Shard::default()).collect() }
    }
}

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // Nothing depends on the order of a statistic.
        self.shard(this_worker()).fetch_add(count, Ordering::Relaxed);
    }

    /// The number of shards.
    pub(crate) fn shards() -> usize {
        *SHARDS
    }

    /// The count of the worker with this index, and of those that share its shard.
    pub(crate) fn by_worker(&self, index: usize) -> u64 {
        self.shard(index).load(Ordering::Relaxed)
    }

    fn shard(&self, worker: usize) -> &AtomicU64 {
        &self.shards[worker & (self.shards.len() - 1)].0
    }

    pub(crate) fn value(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}

/// The index of the runtime's worker that this runs on; 0 outside of workers.
pub(crate) fn this_worker() -> usize {
    worker_index().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn counts_of_many_threads_add_up() {
        let counter = Counter::default();
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| counter.add(2)));
            }
        });
        assert_eq!(counter.value(), 40_000);
    }

    #[test]
    fn each_worker_has_a_shard_of_its_own() {
        assert!(Counter::shards() >= available_parallelism().unwrap().get());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let counter = std::sync::Arc::new(Counter::default());
        let on_the_worker = std::sync::Arc::clone(&counter);
        runtime.block_on(runtime.spawn(async move { on_the_worker.add(3) })).unwrap();
        let by_place: Vec<u64> = (0..Counter::shards()).map(|index| counter.by_worker(index)).collect();
        assert_eq!((by_place[0], by_place.iter().sum::<u64>()), (3, 3));
    }
}

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many places a counter is spread over. Threads take turns, so that with as many worker threads none shares
/// a cache line with another; with more they share a little.
const SHARDS: usize = 8;

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
        self.shards[shard_of_this_thread()].0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}

fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
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

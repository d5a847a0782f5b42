//! The open connections of a server, and the drain that closes them one after another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::connection::OutboundQueue;
use crate::metrics::EndpointMetrics;

/// The open connections, by number.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRegistry {
    open: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    queues: HashMap<u64, Arc<OutboundQueue>>,
    next: u64,
}

/// The connections of one worker of the runtime. A connection is counted for the worker that polled it last, which may be another one
/// each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerLoad {
    /// The number of connections.
    pub connections: u64,
    /// Bytes that are queued for all of them together.
    pub queued: u64,
    /// Bytes that are queued for the slowest of them.
    pub largest_queue: u64,
}

/// Counts a connection among the open ones until it is dropped.
#[derive(Debug)]
#[must_use = "dropping the guard counts the connection as closed"]
pub(crate) struct ConnectionGuard {
    registry: Arc<ConnectionRegistry>,
    metrics: Arc<EndpointMetrics>,
    number: u64,
}

impl ConnectionRegistry {
    /// Counts a connection until the guard is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        outbound: &Arc<OutboundQueue>,
        metrics: &Arc<EndpointMetrics>,
    ) -> ConnectionGuard {
        let number = self.insert(outbound);
        metrics.record_opened(outbound.is_direct());
        ConnectionGuard { registry: Arc::clone(self), metrics: Arc::clone(metrics), number }
    }

    /// Adds a connection and returns its number, which is never used again.
    fn insert(&self, outbound: &Arc<OutboundQueue>) -> u64 {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.queues.insert(number, Arc::clone(outbound));
        number
    }

    fn remove(&self, number: u64) {
        let mut open = self.open();
        open.queues.remove(&number);
        // After a burst of thousands of connections the table must shrink again.
        if open.queues.len() < open.queues.capacity() / 8 {
            open.queues.shrink_to_fit();
        }
    }

    /// The load of each worker of a runtime with this many.
    pub(crate) fn worker_loads(&self, workers: usize) -> Vec<WorkerLoad> {
        let mut loads = vec![WorkerLoad::default(); workers.max(1)];
        let open = self.open();
        for outbound in open.queues.values() {
            let index = outbound.worker() % loads.len();
            let (bytes, load) = (outbound.bytes() as u64, &mut loads[index]);
            load.connections += 1;
            load.queued += bytes;
            load.largest_queue = load.largest_queue.max(bytes);
        }
        loads
    }

    /// The open connections.
    pub(crate) fn all(&self) -> Vec<(u64, Arc<OutboundQueue>)> {
        self.open().queues.iter().map(|(number, outbound)| (*number, Arc::clone(outbound))).collect()
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.registry.remove(self.number);
        self.metrics.record_closed();
    }
}

/// The drain of a server that stops: connections close one after another, so that their clients do not all reconnect to the
/// next server at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    started: CancellationToken,
    /// When the drain started, and over which period connections close.
    period: OnceLock<(Instant, Duration)>,
    tracker: TaskTracker,
    /// The greatest time limit of any endpoint for closing a connection, in milliseconds.
    close_time_limit: AtomicU64,
}

impl Drain {
    /// Starts the drain. Returns when it started and the period over which connections close, which are those of the first call.
    pub(crate) fn start(&self, period: Duration) -> (Instant, Duration) {
        let period = *self.period.get_or_init(|| (Instant::now(), period));
        self.started.cancel();
        self.tracker.close();
        period
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started.is_cancelled()
    }

    /// Raises the time limit for closing a connection.
    pub(crate) fn raise_close_time_limit(&self, time_limit: Duration) {
        let time_limit = u64::try_from(time_limit.as_millis()).unwrap_or(u64::MAX);
        self.close_time_limit.fetch_max(time_limit, Ordering::Relaxed);
    }

    /// The greatest time limit for closing a connection.
    pub(crate) fn close_time_limit(&self) -> Duration {
        Duration::from_millis(self.close_time_limit.load(Ordering::Relaxed))
    }

    /// Cancelled when the drain starts.
    pub(crate) fn token(&self) -> CancellationToken {
        self.started.clone()
    }

    /// Completes when the drain starts.
    pub(crate) async fn started(&self) {
        self.started.cancelled().await;
    }

    /// Returns a token that [`finished`](Self::finished) waits for until it is dropped.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// Completes when the drain has started and every token has been dropped.
    pub(crate) async fn finished(&self) {
        self.tracker.wait().await;
    }
}

/// When the connection with this number closes, as a fraction of the drain period. Multiples of the golden ratio fill the period
/// evenly, whichever range of numbers is still connected (Weyl's equidistribution).
pub(crate) fn close_time(number: u64) -> f64 {
    (number as f64 * 0.618_033_988_749_894_9).fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn worker_loads_count_connections_and_queued_bytes() {
        let registry = ConnectionRegistry::default();
        let queues = [(); 3].map(|()| Arc::new(OutboundQueue::new(1000)));
        let numbers = queues.each_ref().map(|outbound| registry.insert(outbound));
        queues[0].send(&Message::binary(vec![0; 98]));
        queues[1].send(&Message::binary(vec![0; 8]));
        assert_eq!(registry.worker_loads(1), [WorkerLoad { connections: 3, queued: 110, largest_queue: 100 }]);
        registry.remove(numbers[0]);
        assert_eq!(registry.worker_loads(1), [WorkerLoad { connections: 2, queued: 10, largest_queue: 10 }]);
    }

    #[test]
    fn connections_close_evenly_over_the_period() {
        let mut tenths = [0; 10];
        for number in 5_000..6_000 {
            tenths[(close_time(number) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (95..=105).contains(count)), "{tenths:?}");
    }
}

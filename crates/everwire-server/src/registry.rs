use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connection::OutboundQueue;

/// The open connections, by number.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRegistry {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    queues: HashMap<u64, Arc<OutboundQueue>>,
    next: u64,
}

/// What a worker has to do with. A connection counts to the worker that served it last: with each thing that happens
/// it may go to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkerLoad {
    pub(crate) connections: u64,
    /// Bytes that wait to be written, to all of them together, and to the slowest.
    pub(crate) queued: u64,
    pub(crate) largest_queue: u64,
}

impl ConnectionRegistry {
    /// Enters a connection, and gives it a number that no other had.
    pub(crate) fn insert(&self, outbound: &Arc<OutboundQueue>) -> u64 {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.queues.insert(number, Arc::clone(outbound));
        number
    }

    pub(crate) fn remove(&self, number: u64) {
        let mut open = self.open();
        open.queues.remove(&number);
        // Thousands that came at once and went leave no table of their size behind.
        if open.queues.len() < open.queues.capacity() / 8 {
            open.queues.shrink_to_fit();
        }
    }

    /// The connections of each of so many workers, and what waits for them.
    pub(crate) fn worker_loads(&self, workers: usize) -> Vec<WorkerLoad> {
        let mut loads = vec![WorkerLoad::default(); workers.max(1)];
        let open = self.open();
        for outbound in open.queues.values() {
            let place = outbound.worker() % loads.len();
            let (bytes, of) = (outbound.bytes() as u64, &mut loads[place]);
            of.connections += 1;
            of.queued += bytes;
            of.largest_queue = of.largest_queue.max(bytes);
        }
        loads
    }

    /// Everybody who is here now.
    pub(crate) fn all(&self) -> Vec<(u64, Arc<OutboundQueue>)> {
        self.open().queues.iter().map(|(number, outbound)| (*number, Arc::clone(outbound))).collect()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    #[test]
    fn worker_loads_count_who_is_here_and_what_waits() {
        let registry = ConnectionRegistry::default();
        let queues = [(); 3].map(|()| Arc::new(OutboundQueue::new(1000)));
        let numbers = queues.each_ref().map(|outbound| registry.insert(outbound));
        queues[0].send(Message::binary(vec![0; 98]));
        queues[1].send(Message::binary(vec![0; 8]));
        assert_eq!(registry.worker_loads(1), [WorkerLoad { connections: 3, queued: 110, largest_queue: 100 }]);
        registry.remove(numbers[0]);
        assert_eq!(registry.worker_loads(1), [WorkerLoad { connections: 2, queued: 10, largest_queue: 10 }]);
    }
}

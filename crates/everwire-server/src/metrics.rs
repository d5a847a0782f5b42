//! The server's counters, by endpoint and by worker, and the reasons for drops.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::worker_index;

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    endpoints: Mutex<Vec<Arc<EndpointMetrics>>>,
    /// Connections that did not send a whole request in time, and so reached no endpoint.
    pub(crate) handshake_timeouts: Counter,
    /// Connections over the limits that were closed without an answer.
    pub(crate) connections_cut: Counter,
}

/// The counters of one endpoint.
#[derive(Debug)]
pub struct EndpointMetrics {
    name: Box<str>,
    opened: Counter,
    closed: Counter,
    indirect: Counter,
    messages_in: Counter,
    messages_out: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    drops: [Counter; DropReason::BUILT_IN.len()],
    /// Drops for reasons of the application's own, by label.
    other_drops: Mutex<BTreeMap<&'static str, u64>>,
}

/// Counts that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Text and binary messages from clients.
    pub messages_in: u64,
    /// Text and binary messages to clients.
    pub messages_out: u64,
    /// Bytes of payload from clients.
    pub bytes_in: u64,
    /// Bytes of payload to clients.
    pub bytes_out: u64,
}

/// Why the server refused or ended a connection that its client would have kept: the label `reason` of the metric
/// `everwire_drops_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The client reads too slowly.
    SlowReader,
    /// A message is larger than [`ConnectionLimits::message_bytes`](crate::ConnectionLimits::message_bytes).
    MessageTooBig,
    /// The client sends more than [`ConnectionLimits::messages_per_second`](crate::ConnectionLimits::messages_per_second).
    TooManyMessages,
    /// No message went in either direction for [`ConnectionLimits::idle`](crate::ConnectionLimits::idle).
    Idle,
    /// A message took longer than [`ConnectionLimits::message`](crate::ConnectionLimits::message) to arrive.
    Unfinished,
    /// A message found no room in [`Limits::buffered_bytes`](crate::Limits::buffered_bytes).
    NoRoom,
    /// The client broke a rule of the WebSocket protocol, or of the application's.
    Malformed,
    /// The server holds as many connections as it may.
    ServerFull,
    /// The client's address holds as many connections as it may.
    AddressFull,
    /// The page that connects, or the name by which it calls the server, is not allowed.
    Origin,
    /// The request is not a valid handshake.
    BadRequest,
    /// A part of a request did not arrive in time.
    LateRequest,
    /// The server is stopping.
    Draining,
    /// An [`Interceptor`](crate::Interceptor) ended the connection, or the application refused it to test its client.
    Fault,
    /// The application refused the handshake with a response that names no other reason.
    Rejected,
    /// A reason of the application's own, by its label. It appears in the metrics with the first connection that it drops.
    Application(&'static str),
}

impl Metrics {
    /// The counters of the endpoint with this name, which are created if there are none.
    pub(crate) fn endpoint(&self, name: &str) -> Arc<EndpointMetrics> {
        let mut endpoints = self.lock();
        if let Some(known) = endpoints.iter().find(|endpoint| endpoint.name() == name) {
            return Arc::clone(known);
        }
        let endpoint = Arc::new(EndpointMetrics::new(name));
        endpoints.push(Arc::clone(&endpoint));
        endpoint
    }

    /// The counters of all endpoints, in the order of their creation.
    pub(crate) fn endpoints(&self) -> Vec<Arc<EndpointMetrics>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<EndpointMetrics>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EndpointMetrics {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            opened: Counter::default(),
            closed: Counter::default(),
            indirect: Counter::default(),
            messages_in: Counter::default(),
            messages_out: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            drops: Default::default(),
            other_drops: Mutex::default(),
        }
    }

    /// The endpoint's name: the label `endpoint`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many connections are open.
    pub fn connections(&self) -> u64 {
        // Read in this order, a connection that closes in between counts as open. Another processor may see the counters change in
        // the other order.
        let closed = self.closed.value();
        self.opened.value().saturating_sub(closed)
    }

    /// Connections since the start.
    pub fn connections_total(&self) -> u64 {
        self.opened.value()
    }

    /// Connections since the start without direct writes, so that each message of a group wakes their task: those with TLS, with an
    /// [`Interceptor`](crate::Interceptor), with an observed stream, or with a stream that is not tokio's.
    pub fn indirect_connections_total(&self) -> u64 {
        self.indirect.value()
    }

    /// The messages and bytes sent and received.
    pub fn totals(&self) -> Totals {
        Totals {
            messages_in: self.messages_in.value(),
            messages_out: self.messages_out.value(),
            bytes_in: self.bytes_in.value(),
            bytes_out: self.bytes_out.value(),
        }
    }

    /// The messages and bytes that the runtime's worker with this index sent and received. With many workers, some share a count.
    pub fn worker_totals(&self, worker: usize) -> Totals {
        Totals {
            messages_in: self.messages_in.by_worker(worker),
            messages_out: self.messages_out.by_worker(worker),
            bytes_in: self.bytes_in.by_worker(worker),
            bytes_out: self.bytes_out.by_worker(worker),
        }
    }

    /// Counts a connection that was refused or ended.
    pub fn record_drop(&self, reason: DropReason) {
        match self.built_in(reason) {
            Some(counter) => counter.add(1),
            None => *self.other_drops().entry(reason.label()).or_default() += 1,
        }
    }

    /// Lists a reason that nothing was dropped for yet.
    pub(crate) fn declare(&self, reason: DropReason) {
        if self.built_in(reason).is_none() {
            self.other_drops().entry(reason.label()).or_default();
        }
    }

    /// How many connections were refused or ended for this reason.
    pub fn drops(&self, reason: DropReason) -> u64 {
        match self.built_in(reason) {
            Some(counter) => counter.value(),
            None => self.other_drops().get(reason.label()).copied().unwrap_or_default(),
        }
    }

    /// All reasons with their counts.
    #[cfg(feature = "metrics")]
    pub(crate) fn all_drops(&self) -> Vec<(&'static str, u64)> {
        let built_in = DropReason::BUILT_IN.iter().zip(&self.drops);
        let built_in = built_in.map(|(reason, counter)| (reason.label(), counter.value()));
        built_in.chain(self.other_drops().iter().map(|(label, count)| (*label, *count))).collect()
    }

    pub(crate) fn record_opened(&self, is_direct: bool) {
        self.opened.add(1);
        if !is_direct {
            self.indirect.add(1);
        }
    }

    pub(crate) fn record_closed(&self) {
        self.closed.add(1);
    }

    pub(crate) fn record_received(&self, messages: u64, payload: u64) {
        self.messages_in.add(messages);
        self.bytes_in.add(payload);
    }

    pub(crate) fn record_sent(&self, messages: u64, payload: u64) {
        self.messages_out.add(messages);
        self.bytes_out.add(payload);
    }

    fn built_in(&self, reason: DropReason) -> Option<&Counter> {
        let index = DropReason::BUILT_IN.iter().position(|built_in| built_in.label() == reason.label())?;
        Some(&self.drops[index])
    }

    fn other_drops(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.other_drops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DropReason {
    pub(crate) const BUILT_IN: [Self; 15] = [
        Self::SlowReader,
        Self::MessageTooBig,
        Self::TooManyMessages,
        Self::Idle,
        Self::Unfinished,
        Self::NoRoom,
        Self::Malformed,
        Self::ServerFull,
        Self::AddressFull,
        Self::Origin,
        Self::BadRequest,
        Self::LateRequest,
        Self::Draining,
        Self::Fault,
        Self::Rejected,
    ];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::MessageTooBig => "message_too_big",
            Self::TooManyMessages => "too_many_messages",
            Self::Idle => "idle",
            Self::Unfinished => "unfinished",
            Self::NoRoom => "no_room",
            Self::Malformed => "malformed",
            Self::ServerFull => "server_full",
            Self::AddressFull => "address_full",
            Self::Origin => "origin",
            Self::BadRequest => "bad_request",
            Self::LateRequest => "late_request",
            Self::Draining => "draining",
            Self::Fault => "fault",
            Self::Rejected => "rejected",
            Self::Application(label) => label,
        }
    }
}

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

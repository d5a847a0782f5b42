//! The usage of each transport of a client: counts bytes on TCP, and keeps what clients name and come back for.

use std::num::NonZero;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::http::Extensions;
use everwire_companion_api::lab::Usage;
use everwire_server::StreamObserver;
use lru::LruCache;

/// The greatest length of a name that a client chooses.
const MAX_NAME: usize = 40;

/// Counts the bytes of one TCP connection above TLS for the account of its current exchange.
///
/// HTTP/1.1 carries one exchange after another. Bytes that are read between the last byte of a response and the first of the next
/// belong to the next exchange, so each exchange is counted exactly, with head, body and chunk sizes.
#[derive(Debug, Default)]
pub(crate) struct StreamMeter {
    read: AtomicU64,
    written: AtomicU64,
    /// Bytes read before the last byte was written. Later ones belong to the next request.
    read_before_answer: AtomicU64,
    exchange: Mutex<Option<Exchange>>,
}

/// The account of the current exchange.
#[derive(Debug)]
struct Exchange {
    account: Arc<Account>,
    read_from: u64,
    written_from: u64,
    /// Whether the connection has become a WebSocket, which belongs to its account to the end.
    is_upgraded: bool,
}

impl StreamMeter {
    fn count_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Relaxed);
    }

    fn count_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Relaxed);
        self.read_before_answer.store(self.read.load(Relaxed), Relaxed);
    }

    /// Subtracts bytes that were counted as written and have not been.
    fn uncount_written(&self, bytes: usize) {
        self.written.fetch_sub(bytes as u64, Relaxed);
    }

    /// Ends the exchange before the request that has arrived.
    fn end_exchange(&self) {
        let mut exchange = self.exchange();
        if let Some(exchange) = exchange.take() {
            let (requests, read, written) = self.since(&exchange);
            exchange.account.requests.fetch_add(requests, Relaxed);
            exchange.account.read.fetch_add(read, Relaxed);
            exchange.account.written.fetch_add(written, Relaxed);
        }
    }

    /// Assigns the current exchange to an account, up to the next request or the end.
    pub(super) fn assign_exchange(self: &Arc<Self>, account: &Arc<Account>, is_upgraded: bool) {
        account.follow(self);
        *self.exchange() = Some(Exchange {
            account: Arc::clone(account),
            read_from: self.read_before_answer.load(Relaxed),
            written_from: self.written.load(Relaxed),
            is_upgraded,
        });
    }

    /// The requests (0 or 1), bytes read and bytes written of the current exchange. A request counts from the start of its response, as its
    /// bytes do. Otherwise a pending one would make the others look cheaper.
    fn since(&self, exchange: &Exchange) -> (u64, u64, u64) {
        let read = if exchange.is_upgraded { &self.read } else { &self.read_before_answer };
        let written = self.written.load(Relaxed) - exchange.written_from;
        (u64::from(written > 0), read.load(Relaxed) - exchange.read_from, written)
    }

    /// The current exchange, if it belongs to this account.
    fn current(&self, account: &Account) -> (u64, u64, u64) {
        match &*self.exchange() {
            Some(exchange) if std::ptr::eq(&raw const *exchange.account, account) => self.since(exchange),
            _ => (0, 0, 0),
        }
    }

    fn exchange(&self) -> MutexGuard<'_, Option<Exchange>> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamObserver for StreamMeter {
    fn on_read(&self, bytes: usize) {
        self.count_read(bytes);
    }

    fn on_write(&self, bytes: usize) {
        self.count_written(bytes);
    }

    fn on_unwritten(&self, bytes: usize) {
        self.uncount_written(bytes);
    }

    fn on_request(self: Arc<Self>, extensions: &mut Extensions) {
        self.end_exchange();
        extensions.insert(self);
    }
}

impl Drop for StreamMeter {
    fn drop(&mut self) {
        self.end_exchange();
    }
}

/// The usage of one transport of one client.
#[derive(Debug, Default)]
pub(crate) struct Account {
    requests: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    messages: AtomicU64,
    payload: AtomicU64,
    /// The connections that may carry its exchanges: as many as the client holds open.
    meters: Mutex<Vec<Weak<StreamMeter>>>,
}

impl Account {
    /// Counts a message to the client and its bytes.
    pub(super) fn sent(&self, bytes: usize) {
        self.wrote(1, bytes as u64);
    }

    /// Counts messages to the client, with `bytes` in total.
    pub(super) fn wrote(&self, messages: u64, bytes: u64) {
        self.messages.fetch_add(messages, Relaxed);
        self.payload.fetch_add(bytes, Relaxed);
    }

    /// Counts payload bytes from the client.
    pub(super) fn received(&self, bytes: usize) {
        self.payload.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        let meters: Vec<_> = self.meters().iter().filter_map(Weak::upgrade).collect();
        let mut requests = self.requests.load(Relaxed);
        let (mut read, mut written) = (self.read.load(Relaxed), self.written.load(Relaxed));
        for meter in meters {
            let (more_requests, more_read, more_written) = meter.current(self);
            requests += more_requests;
            read += more_read;
            written += more_written;
        }
        Usage { requests, read, written, messages: self.messages.load(Relaxed), payload: self.payload.load(Relaxed) }
    }

    fn follow(&self, meter: &Arc<StreamMeter>) {
        let mut meters = self.meters();
        meters.retain(|other| other.strong_count() > 0 && !std::ptr::eq(other.as_ptr(), &raw const **meter));
        meters.push(Arc::downgrade(meter));
    }

    fn meters(&self) -> MutexGuard<'_, Vec<Weak<StreamMeter>>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bounded LRU map of values that clients name and come back for. A new one evicts the least recently used of those that are not
/// held: clients do not say when they are done, and a map that waited for them would be full for all once one client had
/// named many.
#[derive(Debug)]
pub(super) struct LruMap<T>(Mutex<LruCache<String, Arc<T>>>);

impl<T> LruMap<T> {
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

    fn exchange(meter: &Arc<StreamMeter>, account: Option<&Arc<Account>>, head: usize, body: usize, answer: usize) {
        meter.count_read(head);
        meter.end_exchange();
        if let Some(account) = account {
            meter.assign_exchange(account, false);
        }
        meter.count_read(body);
        meter.count_written(answer);
    }

    fn bytes(account: &Account) -> (u64, u64) {
        let Usage { read, written, .. } = account.usage();
        (read, written)
    }

    #[test]
    fn each_exchange_of_a_connection_goes_into_its_own_account() {
        let (meter, one, other) = (Arc::<StreamMeter>::default(), Arc::<Account>::default(), Arc::<Account>::default());
        exchange(&meter, Some(&one), 100, 7, 50);
        exchange(&meter, None, 1000, 1000, 1000);
        exchange(&meter, Some(&other), 30, 0, 20);
        exchange(&meter, Some(&one), 200, 0, 10);
        assert_eq!(bytes(&one), (307, 60));
        assert_eq!(bytes(&other), (30, 20));
    }

    #[test]
    fn the_current_exchange_counts_at_once_and_stays_counted_after_the_end() {
        let (meter, account) = (Arc::<StreamMeter>::default(), Arc::<Account>::default());
        exchange(&meter, Some(&account), 10, 0, 20);
        meter.count_written(5);
        assert_eq!(bytes(&account), (10, 25));
        drop(meter);
        assert_eq!(bytes(&account), (10, 25));
    }

    #[test]
    fn a_websocket_is_charged_for_what_it_reads_without_an_answer() {
        let (meter, account) = (Arc::<StreamMeter>::default(), Arc::<Account>::default());
        meter.count_read(150);
        meter.end_exchange();
        meter.assign_exchange(&account, true);
        meter.count_written(129);
        meter.count_read(6);
        assert_eq!(bytes(&account), (156, 129));
    }

    #[test]
    fn connections_that_ended_are_not_remembered() {
        let account = Arc::<Account>::default();
        for _ in 0..100 {
            exchange(&Arc::default(), Some(&account), 1, 0, 1);
        }
        assert_eq!(bytes(&account), (100, 100));
        assert!(account.meters().len() <= 1);
    }

    fn cache<T>(capacity: usize) -> LruMap<T> {
        LruMap::new(NonZero::new(capacity).unwrap())
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

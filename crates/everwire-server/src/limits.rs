//! The limits that an application sets, the rate limiter of a connection, and the memory budget of all connections.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Limits of all connections together, and time limits of HTTP. A request over one of them is refused with an HTTP status and a message.
///
/// Change the defaults with [`Builder::limits`](crate::Builder::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in total. Each counts from the moment that it is accepted, whatever it is used for; a request on one more is
    /// refused with HTTP 503. [`Server`](crate::Server) holds fewer if the system permits too few open files. If another server
    /// accepts the connections, WebSockets and [admitted](crate::Everwire::admit) requests count.
    pub connections: usize,
    /// Connections from one address (IPv6: one /64 network); more are refused with HTTP 429.
    pub connections_per_address: usize,
    /// Time limit of [`Server`](crate::Server) from accepting a connection to the end of the head of its request, TLS included; then
    /// for the body of the request; and from a response to the next request. A late request is answered with HTTP 408; a connection
    /// without a request is closed without an answer.
    pub handshake: Duration,
    /// Time limit of [`Server`](crate::Server) for the client to read a part of an HTTP response. Then the connection is cut.
    pub response: Duration,
    /// Bytes that all connections together may hold for incomplete messages and unsent answers, in addition to up to 32 KiB that each
    /// has read but not decoded. A message without room is not read until others are complete; its connection closes with 1013 if that
    /// takes longer than [`ConnectionLimits::message`]. The connections of one address may hold half of it, unless one address may
    /// have all [`connections`](Self::connections).
    pub buffered_bytes: usize,
}

/// Limits of one WebSocket. A connection over one of them is closed with a code and a reason.
///
/// Change the defaults for all endpoints with [`Builder::connection_limits`](crate::Builder::connection_limits), and for one with
/// [`Endpoint::limits`](crate::Endpoint::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Bytes of one message from the client. A larger one closes the connection with 1009.
    pub message_bytes: usize,
    /// Messages per second from the client, with a burst of as many. More close the connection with 1008. 0 is no limit.
    pub messages_per_second: u32,
    /// Time without a message in either direction after which the connection closes with 1001. Zero is no limit.
    pub idle: Duration,
    /// Time limit for a message from its first byte to its last. A slower one closes the connection with 1008. Zero is no limit.
    pub message: Duration,
    /// Bytes that may be queued for the client. The first message over it closes the connection with 1013.
    pub backlog_bytes: usize,
    /// Time limit for writing one message. A slower reader is closed with 1013.
    pub write: Duration,
    /// Time limit for the closing handshake, after which TCP is cut.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 1_000,
            handshake: Duration::from_secs(10),
            response: Duration::from_secs(30),
            buffered_bytes: 256 << 20,
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            messages_per_second: 10_000,
            idle: Duration::from_secs(300),
            message: Duration::from_secs(60),
            backlog_bytes: 4 << 20,
            write: Duration::from_secs(30),
            close: Duration::from_secs(5),
        }
    }
}

/// The network that limits per address apply to: an IPv4 address, or an IPv6 /64, since one household or server usually has a
/// whole /64 and could use a new address for each connection.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Limits the messages per second of one connection: a token bucket that holds one second's worth.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    tokens: f64,
    refilled_at: Instant,
}

impl RateLimiter {
    /// Starts with a full bucket. 0 per second is no limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), tokens: f64::from(per_second), refilled_at: now }
    }

    /// Takes a token for one message. Returns whether there was one.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let refill = now.saturating_duration_since(self.refilled_at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + refill).min(self.per_second);
        self.refilled_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// The unit in which memory is charged. Less than a page is free, so that small messages, which are most, do not touch the
/// counters that all workers share.
const PAGE: usize = 4 << 10;

/// Bounds the memory that all connections together hold for incomplete messages and unsent answers. Waiting requests are served
/// in order.
///
/// The connections of one address may hold half of it, so that one client that announces large messages, or does not read
/// their echoes, leaves room for others. If the limits let one address have all connections, it may have the whole budget.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    all: Arc<Share>,
    pages_per_address: usize,
    by_address: Mutex<HashMap<IpAddr, Weak<Share>>>,
}

/// Pages that several holders have in common: those of one address, or all.
#[derive(Debug)]
struct Share {
    total: usize,
    free: Arc<Semaphore>,
}

/// The pages that one holder has been charged for. Dropping it returns them.
pub(crate) struct Charge {
    budget: Arc<MemoryBudget>,
    /// The holder's address and the share of that address.
    address: Option<(IpAddr, Arc<Share>)>,
    pages: usize,
    waiting: Option<AcquireFuture>,
}

/// Permits of the share of the address, if there is one, and of the share of all.
type Permits = (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);
type AcquireFuture = Pin<Box<dyn Future<Output = Result<Permits, AcquireError>> + Send + Sync>>;

impl MemoryBudget {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let all = Share::new(limits.buffered_bytes / PAGE);
        let shares = if limits.connections_per_address < limits.connections { 2 } else { 1 };
        Arc::new(Self { pages_per_address: all.total / shares, all, by_address: Mutex::default() })
    }

    /// A charge of zero pages. Without an address only the total is limited.
    pub(crate) fn charge(self: &Arc<Self>, address: Option<IpAddr>) -> Charge {
        let address = address.map(network_of).map(|address| (address, self.share_of(address)));
        Charge { budget: Arc::clone(self), address, pages: 0, waiting: None }
    }

    fn share_of(&self, address: IpAddr) -> Arc<Share> {
        let mut by_address = self.by_address();
        let share = by_address.entry(address).or_default();
        share.upgrade().unwrap_or_else(|| {
            let new = Share::new(self.pages_per_address);
            *share = Arc::downgrade(&new);
            new
        })
    }

    fn by_address(&self) -> MutexGuard<'_, HashMap<IpAddr, Weak<Share>>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn new(total: usize) -> Arc<Self> {
        // The greatest number of permits that one request to the semaphore can name.
        let total = total.min(u32::MAX as usize);
        Arc::new(Self { total, free: Arc::new(Semaphore::new(total)) })
    }
}

impl Charge {
    /// Replaces the charge by one for `bytes`. If there is no room, the rest is acquired by [`poll_room`](Self::poll_room).
    pub(crate) fn request(&mut self, bytes: usize) {
        let most = self.address.as_ref().map_or(self.budget.all.total, |(_, share)| share.total);
        // A request for more than the whole share would wait forever.
        let Some(more) = self.growth((bytes / PAGE).min(most)) else { return };
        let all = Arc::clone(&self.budget.all.free);
        let share = self.address.as_ref().map(|(_, share)| Arc::clone(&share.free));
        let at_once = || {
            let of_address = share.clone().map(|share| share.try_acquire_many_owned(more)).transpose().ok()?;
            Some((of_address, Arc::clone(&all).try_acquire_many_owned(more).ok()?))
        };
        if let Some(permits) = at_once() {
            return self.take(permits);
        }
        self.waiting = Some(Box::pin(async move {
            // The address comes first: its holders wait for each other without a place in the queue of all.
            let of_address = match share {
                Some(share) => Some(share.acquire_many_owned(more).await?),
                None => None,
            };
            Ok((of_address, all.acquire_many_owned(more).await?))
        }));
    }

    /// Ready when the requested bytes are charged.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(()) };
        let permits = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        // The semaphores are never closed.
        permits.into_iter().for_each(|permits| self.take(permits));
        Poll::Ready(())
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Replaces the charge by one for `bytes`, or for as many as there is room for. Returns whether there was room for all.
    pub(crate) fn force(&mut self, bytes: usize) -> bool {
        let pages = bytes / PAGE;
        if let Some(more) = self.growth(pages) {
            let more = more as usize;
            let of_address = self.address.as_ref().map_or(more, |(_, share)| share.free.forget_permits(more));
            let of_all = self.budget.all.free.forget_permits(of_address);
            if let Some((_, share)) = &self.address {
                share.free.add_permits(of_address - of_all);
            }
            self.pages += of_all;
        }
        self.pages == pages
    }

    /// Returns pages that exceed `pages`, or says how many more are needed.
    fn growth(&mut self, pages: usize) -> Option<u32> {
        self.waiting = None;
        if pages <= self.pages {
            let less = self.pages - pages;
            if let Some((_, share)) = &self.address {
                share.free.add_permits(less);
            }
            self.budget.all.free.add_permits(less);
            self.pages = pages;
            return None;
        }
        u32::try_from(pages - self.pages).ok()
    }

    fn take(&mut self, (of_address, of_all): Permits) {
        self.pages += of_all.num_permits();
        of_address.into_iter().chain([of_all]).for_each(OwnedSemaphorePermit::forget);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.growth(0);
        if let Some((address, share)) = self.address.take() {
            let mut by_address = self.budget.by_address();
            drop(share);
            if by_address.get(&address).is_some_and(|share| share.strong_count() == 0) {
                by_address.remove(&address);
            }
        }
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge").field("pages", &self.pages).field("is_waiting", &self.is_waiting()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::task::Waker;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_of_one_second_is_allowed_and_then_the_rate() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(10, start);
        assert_eq!((0..20).filter(|_| limiter.allows(start)).count(), 10);
        let half_a_second_later = start + Duration::from_millis(500);
        assert_eq!((0..20).filter(|_| limiter.allows(half_a_second_later)).count(), 5);
        let an_hour_later = start + Duration::from_secs(3600);
        assert_eq!(
            (0..20).filter(|_| limiter.allows(an_hour_later)).count(),
            10,
            "an idle hour must not add up to a flood"
        );
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(0, start);
        assert!((0..100_000).all(|_| limiter.allows(start)));
    }

    /// A budget of `pages`, of which one address may have all or half.
    fn budget(pages: usize, address_may_have_all: bool) -> Arc<MemoryBudget> {
        let connections_per_address = if address_may_have_all { 2 } else { 1 };
        let limits =
            Limits { buffered_bytes: pages * PAGE, connections: 2, connections_per_address, ..Limits::default() };
        MemoryBudget::new(&limits)
    }

    fn has_room(charge: &mut Charge) -> bool {
        charge.poll_room(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_request_without_room_is_granted_when_others_return_pages() {
        let budget = budget(100, true);
        let address = Some(Ipv4Addr::LOCALHOST.into());
        let (mut one, mut other) = (budget.charge(address), budget.charge(address));
        one.request(60 * PAGE);
        other.request(50 * PAGE);
        assert!(has_room(&mut one) && !has_room(&mut other));
        one.request(50 * PAGE);
        assert!(has_room(&mut other));
        drop(one);
        assert!(other.force(100 * PAGE) && !other.force(101 * PAGE));
    }

    #[test]
    fn a_charge_that_is_dropped_while_it_waits_holds_no_pages() {
        let budget = budget(100, true);
        let (mut one, mut other, mut third) = (budget.charge(None), budget.charge(None), budget.charge(None));
        one.request(100 * PAGE);
        other.request(100 * PAGE);
        third.request(PAGE);
        assert!(!has_room(&mut other) && !has_room(&mut third));
        drop((one, other));
        assert!(has_room(&mut third));
        drop(third);
        assert_eq!(budget.all.free.available_permits(), 100);
    }

    #[test]
    fn less_than_a_page_is_free_and_a_request_for_more_than_all_gets_all() {
        let budget = budget(2, true);
        let mut little = budget.charge(None);
        assert!(little.force(PAGE - 1));
        let mut much = budget.charge(None);
        much.request(100 * PAGE);
        assert!(has_room(&mut much));
        little.request(PAGE);
        assert!(!has_room(&mut little));
    }

    #[test]
    fn one_address_leaves_half_of_the_budget_to_others() {
        let budget = budget(100, false);
        let [greedy, other] = [1, 2].map(|last| Some(IpAddr::from([127, 0, 0, last])));
        let (mut one, mut another, mut third) = (budget.charge(greedy), budget.charge(greedy), budget.charge(greedy));
        one.request(1000 * PAGE);
        another.request(PAGE);
        assert!(has_room(&mut one) && !has_room(&mut another) && !third.force(PAGE));
        let mut independent = budget.charge(other);
        independent.request(50 * PAGE);
        assert!(has_room(&mut independent));

        drop(one);
        assert!(has_room(&mut another), "pages that one connection returns go to the next of the address");
        assert!(third.force(49 * PAGE) && !third.force(50 * PAGE));
        drop((another, third, independent));
        assert_eq!(budget.all.free.available_permits(), 100);
        assert!(budget.by_address().is_empty(), "an address without connections is not remembered");
    }
}

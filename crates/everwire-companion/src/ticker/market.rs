use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire_server::Clock;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::feed::{Company, Feed, Trade};
use super::stream::TradeBatch;

/// Trades within this time share a message. The eye sees no difference, and a message for each of 100,000 trades a second would
/// cost more than its content.
const STEP: Duration = Duration::from_millis(5);

/// The trades of a set of companies: one feed for all streams of these, of which each gets as many trades as it has updates a
/// second. The feed runs at the rate of the fastest stream, and is suspended while no stream has subscribers.
#[derive(Debug)]
pub(super) struct Market {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
}

struct Inner {
    feed: Box<dyn Feed>,
    /// The start of the feed's time.
    start: Instant,
    batch: TradeBatch,
    /// The last price of each company that has been traded.
    prices: Vec<Option<f64>>,
    /// The streams with subscribers, by number.
    playing: HashMap<u64, Playing>,
    task: Option<AbortHandle>,
}

/// A stream with subscribers.
struct Playing {
    outlet: Arc<dyn Outlet>,
    share: Share,
}

/// A stream that gets a share of a market's trades.
pub(super) trait Outlet: std::fmt::Debug + Send + Sync {
    /// Whether the subscribers have been sent most of the earlier updates. A stream without room misses trades.
    fn has_room(&self) -> bool;

    /// Whether it needs the trades as JSON.
    fn is_encoded(&self) -> bool;

    /// Sends the subscribers these trades of a batch.
    fn play(&self, batch: &TradeBatch, trades: &mut dyn Iterator<Item = usize>);

    /// Resumes a stream without subscribers: so many updates were missed, and these are the prices now.
    fn resume(&self, missed: u64, prices: &mut dyn Iterator<Item = Trade>);
}

/// The share of a market's trades that a stream gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    All,
    /// A number of updates a second.
    Rate(Thinning),
}

/// Thins the trades out to the rate of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thinning {
    rate: u32,
    since: Duration,
    done: u64,
}

impl Market {
    pub(super) fn new(feed: Box<dyn Feed>, clock: Clock, now: Instant) -> Self {
        let opening = feed.opening();
        let inner = Inner {
            feed,
            start: now,
            batch: TradeBatch::new(&opening),
            prices: vec![None; opening.len()],
            playing: HashMap::new(),
            task: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock }
    }

    /// The companies with their opening prices.
    pub(super) fn opening(&self) -> Vec<(Company, f64)> {
        lock(&self.inner).feed.opening()
    }

    /// Updates a second of a stream that gets all trades.
    pub(super) fn rate(&self) -> f64 {
        lock(&self.inner).feed.rate()
    }

    /// The share of a stream that starts now.
    pub(super) fn share(&self, rate: Option<u32>, now: Instant) -> Share {
        let since = now - lock(&self.inner).start;
        rate.map_or(Share::All, |rate| Share::Rate(Thinning { rate, since, done: 0 }))
    }

    /// Plays a stream, which may have been suspended since it got its share.
    pub(super) fn play(&self, number: u64, outlet: Arc<dyn Outlet>, mut share: Share, now: Instant) {
        let mut inner = lock(&self.inner);
        let elapsed = now - inner.start;
        // A market that starts has not missed anything, not even the trades of its first moment.
        let skipped = if inner.task.is_none() && !elapsed.is_zero() { inner.feed.skip_to(elapsed) } else { 0 };
        let missed = match &mut share {
            Share::All => skipped,
            Share::Rate(thinning) => thinning.skip(elapsed),
        };
        let prices = inner.prices.iter().enumerate();
        outlet.resume(missed, &mut prices.filter_map(|(company, price)| Some(Trade { company, price: (*price)? })));
        inner.playing.insert(number, Playing { outlet, share });
        inner.set_rate(elapsed);
        // The running task may sleep until a trade that was far away at the old rate.
        inner.task.take().inspect(AbortHandle::abort);
        inner.task = Some(tokio::spawn(run(Arc::clone(&self.inner), self.clock.clone())).abort_handle());
    }

    /// Suspends a stream without subscribers. Returns its share, to resume from.
    pub(super) fn stop(&self, number: u64) -> Option<Share> {
        let mut inner = lock(&self.inner);
        let Playing { share, .. } = inner.playing.remove(&number)?;
        if inner.playing.is_empty() {
            inner.task.take().inspect(AbortHandle::abort);
        } else {
            let elapsed = inner.start.elapsed();
            inner.set_rate(elapsed);
        }
        Some(share)
    }

    /// Goes on from these prices of an earlier run, where there was no trade yet.
    pub(super) fn restore(&self, prices: impl IntoIterator<Item = Trade>) {
        let Inner { feed, prices: known, .. } = &mut *lock(&self.inner);
        for Trade { company, price } in prices {
            if known[company].is_none() {
                feed.restore(company, price);
                known[company] = Some(price);
            }
        }
    }

    /// Whether the feed runs.
    #[cfg(test)]
    pub(super) fn is_running(&self) -> bool {
        lock(&self.inner).task.is_some()
    }
}

/// Plays the feed until the task is aborted.
async fn run(market: Arc<Mutex<Inner>>, clock: Clock) {
    let mut last = Instant::now();
    loop {
        let Some(next) = lock(&market).next() else { return };
        sleep_until((last + STEP).max(next)).await;
        last = Instant::now();
        lock(&market).advance(last, &clock);
    }
}

impl Inner {
    fn next(&self) -> Option<Instant> {
        Some(self.start + self.feed.next()?)
    }

    fn set_rate(&mut self, elapsed: Duration) {
        let rates = self.playing.values().filter_map(|playing| match playing.share {
            Share::All => None,
            Share::Rate(thinning) => Some(thinning.rate),
        });
        if let Some(rate) = rates.max() {
            self.feed.set_rate(elapsed, rate);
        }
    }

    fn advance(&mut self, now: Instant, clock: &Clock) {
        let elapsed = now - self.start;
        self.batch.clear();
        self.feed.advance(elapsed, &mut self.batch.trades);
        self.batch.time_ms = clock.now_ms();
        if self.playing.values().any(|playing| playing.outlet.is_encoded()) {
            self.batch.encode();
        }
        for trade in &self.batch.trades {
            self.prices[trade.company] = Some(trade.price);
        }
        for Playing { outlet, share } in self.playing.values_mut() {
            // A stream whose subscribers do not keep up falls behind.
            if !outlet.has_room() {
                continue;
            }
            let count = self.batch.trades.len();
            match share {
                Share::All => outlet.play(&self.batch, &mut (0..count)),
                Share::Rate(thinning) => {
                    let due = thinning.take(elapsed, count);
                    outlet.play(&self.batch, &mut (0..due).map(|index| index * count / due));
                }
            }
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("playing", &self.playing.len()).finish_non_exhaustive()
    }
}

impl Thinning {
    fn until(&self, elapsed: Duration) -> u64 {
        (elapsed.saturating_sub(self.since).as_secs_f64() * f64::from(self.rate)) as u64
    }

    /// How many of `available` trades the stream gets. Updates that are more than a second behind are dropped.
    fn take(&mut self, elapsed: Duration, available: usize) -> usize {
        let due = self.until(elapsed).saturating_sub(self.done).min(available as u64);
        self.done = (self.done + due).max(self.until(elapsed).saturating_sub(self.rate.into()));
        due as usize
    }

    /// Skips all updates until now. Returns their number.
    fn skip(&mut self, elapsed: Duration) -> u64 {
        let missed = self.until(elapsed).saturating_sub(self.done);
        self.done += missed;
        missed
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire_server::Clock;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::stream::Stream;
use super::{Company, Feed, Trade};

/// Trades within this time share a message: the eye sees no difference, and a message for each of 100,000 a second
/// would cost more than its content.
const STEP: Duration = Duration::from_millis(5);

/// What happens to some companies: one feed for all streams of these, each of which hears as much of it as it has
/// updates a second. The feed runs as fast as the fastest needs, and stands still while nobody listens.
#[derive(Debug)]
pub(super) struct Market {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
}

struct Inner {
    feed: Box<dyn Feed>,
    /// Where the feed's time starts.
    start: Instant,
    step: Step,
    /// The last price of each company that was traded.
    prices: Vec<Option<f64>>,
    /// By their numbers, those that somebody listens to.
    playing: HashMap<u64, Playing>,
    task: Option<AbortHandle>,
}

/// A stream that somebody listens to.
struct Playing {
    stream: Arc<Stream>,
    share: Share,
}

/// How much a stream hears of what happens on its market.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    All,
    /// So many updates a second.
    Rate(Thinning),
}

/// Counts the updates of a stream by the time that goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thinning {
    rate: u32,
    since: Duration,
    done: u64,
}

/// What happened at one time, encoded once for all streams.
#[derive(Debug, Default)]
pub(super) struct Step {
    time: String,
    trades: Vec<Trade>,
    /// The end of the JSON object of each trade, behind its number.
    text: String,
    places: Vec<Range<usize>>,
    /// What each begins with, by company.
    heads: Vec<String>,
}

impl Market {
    pub(super) fn new(feed: Box<dyn Feed>, clock: Clock, now: Instant) -> Self {
        let opening = feed.opening();
        let inner = Inner {
            feed,
            start: now,
            step: Step::of(&opening),
            prices: vec![None; opening.len()],
            playing: HashMap::new(),
            task: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock }
    }

    /// What is traded, with opening prices.
    pub(super) fn opening(&self) -> Vec<(Company, f64)> {
        lock(&self.inner).feed.opening()
    }

    /// Updates a second of a stream that hears all.
    pub(super) fn rate(&self) -> f64 {
        lock(&self.inner).feed.rate()
    }

    /// The share of a stream that begins now.
    pub(super) fn share(&self, rate: Option<u32>, now: Instant) -> Share {
        let since = now - lock(&self.inner).start;
        rate.map_or(Share::All, |rate| Share::Rate(Thinning { rate, since, done: 0 }))
    }

    /// Plays a stream, which may have stood still since its share was taken.
    pub(super) fn play(&self, number: u64, stream: &Arc<Stream>, mut share: Share, now: Instant) {
        let mut inner = lock(&self.inner);
        let elapsed = now - inner.start;
        // A market that begins has nothing behind it, also not what happens at its very first moment.
        let skipped = if inner.task.is_none() && !elapsed.is_zero() { inner.feed.skip_to(elapsed) } else { 0 };
        let missed = match &mut share {
            Share::All => skipped,
            Share::Rate(thinning) => thinning.skip(elapsed),
        };
        let prices = inner.prices.iter().enumerate();
        stream.resume(missed, prices.filter_map(|(company, price)| Some(Trade { company, price: (*price)? })));
        inner.playing.insert(number, Playing { stream: Arc::clone(stream), share });
        inner.set_rate(elapsed);
        // What plays already may sleep until a trade that was far away.
        inner.task.take().inspect(AbortHandle::abort);
        inner.task = Some(tokio::spawn(run(Arc::clone(&self.inner), self.clock.clone())).abort_handle());
    }

    /// Ends a stream that nobody listens to any more, and gives its share to go on from.
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

    /// Whether anything happens.
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
        self.step.clear();
        self.feed.advance(elapsed, &mut self.step.trades);
        self.step.encode(clock.now_ms());
        for trade in &self.step.trades {
            self.prices[trade.company] = Some(trade.price);
        }
        for Playing { stream, share } in self.playing.values_mut() {
            // Where its subscribers cannot be sent as much as happens, a stream falls back.
            if !stream.has_room() {
                continue;
            }
            let count = self.step.trades.len();
            match share {
                Share::All => stream.play(&self.step, 0..count),
                Share::Rate(thinning) => {
                    let due = thinning.take(elapsed, count);
                    stream.play(&self.step, (0..due).map(|index| index * count / due));
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

    /// How many of `available` trades the stream hears. What is more than a second behind is not made up for.
    fn take(&mut self, elapsed: Duration, available: usize) -> usize {
        let due = self.until(elapsed).saturating_sub(self.done).min(available as u64);
        self.done = (self.done + due).max(self.until(elapsed).saturating_sub(self.rate.into()));
        due as usize
    }

    /// Passes over everything until now, and says how much that is.
    fn skip(&mut self, elapsed: Duration) -> u64 {
        let missed = self.until(elapsed).saturating_sub(self.done);
        self.done += missed;
        missed
    }
}

impl Step {
    fn of(opening: &[(Company, f64)]) -> Self {
        let head = |(company, _): &(Company, f64)| {
            let symbol = serde_json::Value::from(company.symbol.as_str());
            format!(r#","symbol":{symbol},"price":"#)
        };
        Self { heads: opening.iter().map(head).collect(), ..Self::default() }
    }

    fn clear(&mut self) {
        self.trades.clear();
        self.text.clear();
        self.places.clear();
    }

    fn encode(&mut self, time: f64) {
        // Finite numbers look the same in Rust and in JSON.
        self.time = format!("{time:?}");
        for trade in &self.trades {
            let start = self.text.len();
            let (head, price, time) = (&self.heads[trade.company], trade.price, &self.time);
            // Writing to a String never fails.
            let _ = write!(self.text, r#"{head}{price:?},"time":{time}}},"#);
            self.places.push(start..self.text.len());
        }
    }

    /// When it happened, as JSON.
    pub(super) fn time(&self) -> &str {
        &self.time
    }

    /// A trade, and the JSON of it behind its number, with the comma that separates it from the next.
    pub(super) fn trade(&self, index: usize) -> (Trade, &str) {
        (self.trades[index], &self.text[self.places[index].clone()])
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

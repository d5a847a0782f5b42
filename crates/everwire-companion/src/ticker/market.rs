//! A market plays one feed to all streams and channels of the same companies.
//!
//! Each gets as many trades as its rate allows, so that a hundred streams at different rates cost one random walk, and agree on the prices.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire_companion_api::ticker::{ServerMessage, Snapshot, Stock};
use everwire_server::{Clock, Connection, Group, Membership, Message};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::feed::{Company, Feed, Trade};
use crate::protocol::json;

/// Trades within this time share a message. The eye sees no difference, and a message for each of 100,000 trades per second would
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
    active: HashMap<u64, ActiveSink>,
    task: Option<AbortHandle>,
}

/// A stream with subscribers.
struct ActiveSink {
    sink: Arc<dyn TradeSink>,
    rate: SinkRate,
}

/// What a market plays its trades to, at a rate of its own: a stream or a channel.
pub(super) trait TradeSink: std::fmt::Debug + Send + Sync {
    /// Whether the subscribers have been sent most of the earlier updates. A stream without room misses trades.
    fn has_room(&self) -> bool;

    /// Whether it needs the trades as JSON.
    fn needs_json(&self) -> bool;

    /// Sends the subscribers these trades of a batch.
    fn play(&self, batch: &TradeBatch, trades: &mut dyn Iterator<Item = usize>);

    /// Resumes after a suspension: `missed` updates were skipped, and `prices` are the current ones.
    fn resume(&self, missed: u64, prices: &mut dyn Iterator<Item = Trade>);
}

/// How many of a market's trades a sink gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum SinkRate {
    All,
    /// A number of updates per second.
    Limited(Downsampler),
}

/// Reduces the trades of a market to the rate of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Downsampler {
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
            active: HashMap::new(),
            task: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock }
    }

    /// The companies with their opening prices.
    pub(super) fn opening(&self) -> Vec<(Company, f64)> {
        lock(&self.inner).feed.opening()
    }

    /// Updates per second of a stream that gets all trades.
    pub(super) fn rate(&self) -> f64 {
        lock(&self.inner).feed.rate()
    }

    /// The rate of a stream that starts now.
    pub(super) fn sink_rate(&self, rate: Option<u32>, now: Instant) -> SinkRate {
        let since = now - lock(&self.inner).start;
        rate.map_or(SinkRate::All, |rate| SinkRate::Limited(Downsampler { rate, since, done: 0 }))
    }

    /// Plays a stream, which may have been suspended since it got its rate.
    pub(super) fn play(&self, number: u64, sink: Arc<dyn TradeSink>, mut rate: SinkRate, now: Instant) {
        let mut inner = lock(&self.inner);
        let elapsed = now - inner.start;
        // A market that starts has not missed anything, not even the trades of its first moment.
        let skipped = if inner.task.is_none() && !elapsed.is_zero() { inner.feed.skip_to(elapsed) } else { 0 };
        let missed = match &mut rate {
            SinkRate::All => skipped,
            SinkRate::Limited(downsampler) => downsampler.skip(elapsed),
        };
        let prices = inner.prices.iter().enumerate();
        sink.resume(missed, &mut prices.filter_map(|(company, price)| Some(Trade { company, price: (*price)? })));
        inner.active.insert(number, ActiveSink { sink, rate });
        inner.set_rate(elapsed);
        // The running task may sleep until a trade that was far away at the old rate.
        inner.task.take().inspect(AbortHandle::abort);
        inner.task = Some(tokio::spawn(run(Arc::clone(&self.inner), self.clock.clone())).abort_handle());
    }

    /// Suspends a stream without subscribers. Returns its rate, to resume from.
    pub(super) fn stop(&self, number: u64) -> Option<SinkRate> {
        let mut inner = lock(&self.inner);
        let ActiveSink { rate, .. } = inner.active.remove(&number)?;
        if inner.active.is_empty() {
            inner.task.take().inspect(AbortHandle::abort);
        } else {
            let elapsed = inner.start.elapsed();
            inner.set_rate(elapsed);
        }
        Some(rate)
    }

    /// Continues from prices of an earlier run, for companies without a trade so far.
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
        let rates = self.active.values().filter_map(|active| match active.rate {
            SinkRate::All => None,
            SinkRate::Limited(downsampler) => Some(downsampler.rate),
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
        if self.active.values().any(|active| active.sink.needs_json()) {
            self.batch.encode();
        }
        for trade in &self.batch.trades {
            self.prices[trade.company] = Some(trade.price);
        }
        for ActiveSink { sink, rate } in self.active.values_mut() {
            // A stream whose subscribers do not keep up falls behind.
            if !sink.has_room() {
                continue;
            }
            let count = self.batch.trades.len();
            match rate {
                SinkRate::All => sink.play(&self.batch, &mut (0..count)),
                SinkRate::Limited(downsampler) => {
                    let due = downsampler.take(elapsed, count);
                    sink.play(&self.batch, &mut (0..due).map(|index| index * count / due));
                }
            }
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("active", &self.active.len()).finish_non_exhaustive()
    }
}

impl Downsampler {
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

/// The updates of one selection at one rate, with sequence numbers: a part of the trades of a market.
#[derive(Debug)]
pub(crate) struct Stream {
    group: Group<StreamState>,
    clock: Clock,
}

/// The state of a stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    epoch: String,
    rate: f64,
    seq: u64,
    /// The quotes after the trades so far, by company.
    stocks: Vec<Stock>,
}

/// The trades of one step of a market, encoded once for all of its streams.
#[derive(Debug, Default)]
pub(super) struct TradeBatch {
    /// When it was made.
    pub(super) time_ms: f64,
    /// The same as JSON.
    time: String,
    pub(super) trades: Vec<Trade>,
    /// The JSON objects of the trades, each without its sequence number.
    text: String,
    ranges: Vec<Range<usize>>,
    /// The beginning of each object, by company.
    heads: Vec<String>,
}

impl Stream {
    /// A stream of these companies with `rate` updates per second. The epoch distinguishes its sequence numbers from those of all
    /// other streams, also those of an earlier server.
    pub(super) fn new(opening: Vec<(Company, f64)>, rate: f64, epoch: String, clock: Clock) -> Self {
        let stock = |(company, price): (Company, f64)| Stock {
            symbol: company.symbol,
            company: company.name,
            price,
            open: price,
            low: price,
            high: price,
        };
        let stocks = opening.into_iter().map(stock).collect();
        Self { group: Group::new(StreamState { epoch, rate, seq: 0, stocks }), clock }
    }

    /// Sends a new subscriber a snapshot and all updates after it.
    pub(super) fn join(&self, connection: &Connection) -> Membership<StreamState> {
        self.group.join(connection, |state, _| vec![state.snapshot(self.clock.now_ms())])
    }
}

impl TradeSink for Stream {
    fn has_room(&self) -> bool {
        self.group.is_ready()
    }

    fn needs_json(&self) -> bool {
        true
    }

    fn play(&self, batch: &TradeBatch, trades: &mut dyn Iterator<Item = usize>) {
        self.group.update(|state, _| state.updates(batch, trades));
    }

    fn resume(&self, missed: u64, prices: &mut dyn Iterator<Item = Trade>) {
        self.group.enqueue(|state, _| {
            state.seq += missed;
            prices.for_each(|trade| state.apply(trade));
            None
        });
    }
}

impl StreamState {
    fn snapshot(&self, server_time: f64) -> Message {
        let (epoch, stocks) = (self.epoch.clone(), self.stocks.clone());
        json(&ServerMessage::Snapshot(Snapshot { epoch, seq: self.seq, server_time, rate: self.rate, stocks }))
    }

    /// Applies the trades. Their JSON was encoded once for all streams, except for the sequence numbers.
    fn updates(&mut self, batch: &TradeBatch, trades: impl Iterator<Item = usize>) -> Option<Message> {
        let mut trades = trades.peekable();
        trades.peek()?;
        let mut text = format!(r#"{{"type":"updates","server_time":{},"updates":["#, batch.time);
        for index in trades {
            let (trade, encoded) = batch.trade(index);
            self.apply(trade);
            self.seq += 1;
            // Writing to a String cannot fail.
            let _ = write!(text, r#"{{"seq":{}{encoded}"#, self.seq);
        }
        text.pop();
        text.push_str("]}");
        Some(Message::text(text))
    }

    fn apply(&mut self, trade: Trade) {
        let stock = &mut self.stocks[trade.company];
        stock.price = trade.price;
        stock.low = stock.low.min(trade.price);
        stock.high = stock.high.max(trade.price);
    }
}

impl TradeBatch {
    /// An empty batch for the trades of these companies.
    fn new(opening: &[(Company, f64)]) -> Self {
        let head = |(company, _): &(Company, f64)| {
            let symbol = serde_json::Value::from(company.symbol.as_str());
            format!(r#","symbol":{symbol},"price":"#)
        };
        Self { heads: opening.iter().map(head).collect(), ..Self::default() }
    }

    fn clear(&mut self) {
        self.trades.clear();
        self.text.clear();
        self.ranges.clear();
    }

    /// Encodes the trades.
    fn encode(&mut self) {
        // Finite numbers have the same form in Rust and in JSON.
        self.time = format!("{:?}", self.time_ms);
        for trade in &self.trades {
            let start = self.text.len();
            let (head, price, time) = (&self.heads[trade.company], trade.price, &self.time);
            // Writing to a String cannot fail.
            let _ = write!(self.text, r#"{head}{price:?},"time":{time}}},"#);
            self.ranges.push(start..self.text.len());
        }
    }

    /// A trade and its JSON behind the sequence number, with the comma that separates it from the next.
    fn trade(&self, index: usize) -> (Trade, &str) {
        (self.trades[index], &self.text[self.ranges[index].clone()])
    }
}

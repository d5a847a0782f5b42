//! The stock feed: the endpoint `/ticker`, and the channels of `everwire_companion_api::ticker`.
//!
//! # Layout
//! - this module: the endpoint, and the channels with the latest quotes
//! - `streams`: all streams of the endpoint and their limits; the symbols and the rate that a client selects
//! - `market`: plays one feed to all streams and channels of the same symbols; a stream sends a snapshot and numbered updates at one rate
//! - [`FeedSource`], `feed`: what a feed is, the companies whose stock is traded, and the random walk
//! - `replay`: plays a recording

mod feed;
mod market;
mod replay;
mod streams;

pub use feed::FeedSource;
pub(crate) use feed::{Company, Feed, Walk};
pub use replay::{Recording, RecordingError};
pub(crate) use streams::Streams;
pub use streams::TickerLimits;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use everwire_companion_api::ticker::{Companies, Quote, RATES, channel};
use everwire_server::broker::BrokerError;
use everwire_server::channels::ChannelOptions;
use everwire_server::{Connection, Handler, HandshakeError, Membership, Message};
use tokio::sync::{Notify, OnceCell};
use tokio::time::{Instant, sleep, sleep_until};

use crate::channels::{StateChannel, without_subscribers};
use crate::companion::Companion;
use crate::protocol::{SendJson, UpgradeRequest};
use feed::Trade;
use market::{Market, SinkRate, StreamState, TradeBatch, TradeSink};
use streams::{StreamSelection, StreamSubscription};

/// Trades within this time share a message for each company. A screen shows no more of them.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(50);

/// How long a channel waits for a broker that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Accepts a handshake with the stream that the client selects.
pub(crate) async fn open(
    State(companion): State<Companion>,
    UpgradeRequest { upgrade, query }: UpgradeRequest,
) -> Result<Response, HandshakeError> {
    let selection = StreamSelection::from_query(&query, &companion.config().feed)?;
    let subscription = companion.streams().subscribe(companion.config(), &selection, upgrade.peer_address())?;
    Ok(upgrade.accept(move |connection| TickerHandler::new(subscription, connection)))
}

/// One subscriber.
struct TickerHandler {
    _membership: Membership<StreamState>,
    _subscription: StreamSubscription,
    connection: Connection,
}

impl TickerHandler {
    fn new(subscription: StreamSubscription, connection: &Connection) -> Self {
        let membership = subscription.stream.join(connection);
        Self { _membership: membership, _subscription: subscription, connection: connection.clone() }
    }
}

impl Handler for TickerHandler {
    fn on_message(&mut self, _: Message) {
        self.connection.send_error("the ticker only sends; choose with ?symbols=NVDA,XOM (or *) and ?rate=1..100000");
    }
}

/// What a channel keeps: the latest quote of each company, and the messages of two minutes, as far as there is room. A page that returns
/// resumes only from one that is kept; it then gets the quotes that have changed.
pub(crate) fn channel_options() -> ChannelOptions {
    let mut options = ChannelOptions::state();
    options.retention = options.retention.with_count(20_000).with_bytes(8 << 20).with_age(Duration::from_secs(120));
    options
}

/// Whether a channel of this name exists.
pub(crate) fn is_channel(name: &str) -> bool {
    all_channels().any(|(rate, companies)| channel(rate, companies).name() == name)
}

/// Plays each channel while it has subscribers.
pub(crate) fn start(companion: &Companion) {
    let prices = [Companies::Nine, Companies::All].map(|companies| (companies, Arc::new(OnceCell::new())));
    for (rate, companies) in all_channels() {
        let Some((_, prices)) = prices.iter().find(|(of, _)| *of == companies) else { continue };
        let (prices, running) = (Arc::clone(prices), companion.clone());
        companion.spawn(async move { run_channel(&running, rate, companies, &prices).await });
    }
}

fn all_channels() -> impl Iterator<Item = (u32, Companies)> {
    [Companies::Nine, Companies::All].into_iter().flat_map(|companies| RATES.map(|rate| (rate, companies)))
}

/// Plays a channel while it has subscribers.
async fn run_channel(companion: &Companion, rate: u32, companies: Companies, prices: &OnceCell<HashMap<String, f64>>) {
    let channel = channel(rate, companies);
    let state = StateChannel::new(companion.everwire(), &channel);
    let Ok(mut subscribers) = companion.everwire().watch_subscribers(&channel) else { return };
    let mut feed = None;
    while subscribers.wait_for(|count| *count > 0).await.is_ok() {
        let feed = match &mut feed {
            Some(feed) => feed,
            none => match open_channel_feed(companion, &state, (rate, companies), prices).await {
                Ok(opened) => none.insert(opened),
                Err(error) => {
                    tracing::warn!(%error, channel = channel.name(), "the prices of the ticker cannot be read");
                    sleep(RETRY_AFTER).await;
                    continue;
                }
            },
        };
        feed.play();
        tokio::select! {
            () = publish_changes(&state, feed) => {}
            // Without a server, the loop ends.
            _ = without_subscribers(&mut subscribers) => {}
        }
        feed.stop();
    }
}

/// A feed that continues from the channel's quotes, also after a restart.
async fn open_channel_feed(
    companion: &Companion,
    state: &StateChannel<Quote>,
    (rate, companies): (u32, Companies),
    prices: &OnceCell<HashMap<String, f64>>,
) -> Result<ChannelFeed, BrokerError> {
    let selection = StreamSelection::of_channel(rate, companies, &companion.config().feed);
    let feed = companion.streams().channel_feed(companion.config(), &selection);
    feed.restore_market(prices.get_or_try_init(|| latest_prices(companion, companies)).await?);
    let gone = feed.restore(state.read().await?);
    state.publish(gone.into_iter().map(|symbol| (symbol, None))).await?;
    Ok(feed)
}

/// The latest price of each company in the channels of all rates, which are of the same market.
async fn latest_prices(companion: &Companion, companies: Companies) -> Result<HashMap<String, f64>, BrokerError> {
    let mut latest: HashMap<String, (f64, f64)> = HashMap::new();
    for rate in RATES {
        let state = StateChannel::new(companion.everwire(), &channel(rate, companies));
        for (symbol, Quote { price, time, .. }) in state.read().await? {
            let known = latest.entry(symbol).or_insert((time, price));
            if known.0 < time {
                *known = (time, price);
            }
        }
    }
    Ok(latest.into_iter().map(|(symbol, (_, price))| (symbol, price)).collect())
}

/// Publishes the quotes that have changed, a step at a time. A broker that is slow makes the steps longer.
async fn publish_changes(state: &StateChannel<Quote>, feed: &ChannelFeed) {
    loop {
        let start = Instant::now();
        let changes = feed.take_changes();
        if !changes.is_empty() {
            let symbols: BTreeSet<String> = changes.iter().map(|(symbol, _)| symbol.clone()).collect();
            let stored = state.publish(changes.into_iter().map(|(symbol, quote)| (symbol, Some(quote)))).await;
            if let Err(error) = stored {
                tracing::warn!(%error, "prices of the ticker are not published");
                feed.return_changes(&symbols);
                sleep(RETRY_AFTER).await;
                continue;
            }
        }
        sleep_until(start + PUBLISH_INTERVAL).await;
        feed.changed().await;
    }
}

/// The quotes of a channel, which follow a market while the feed plays.
#[derive(Debug)]
struct ChannelFeed {
    market: Arc<Market>,
    number: u64,
    /// Where it resumes; `None` while it plays.
    suspended: Option<SinkRate>,
    sink: Arc<ChannelSink>,
}

/// Keeps the latest quote of each company for a channel. Trades that come faster than they are published share a message.
#[derive(Debug)]
struct ChannelSink {
    quotes: Mutex<QuoteTable>,
    changed: Notify,
}

#[derive(Debug)]
struct QuoteTable {
    symbols: Vec<String>,
    quotes: Vec<Quote>,
    /// The companies whose quotes have changed since they were published.
    changed: BTreeSet<usize>,
}

impl ChannelFeed {
    fn new(market: Arc<Market>, number: u64, rate: Option<u32>) -> Self {
        let sink =
            Arc::new(ChannelSink { quotes: Mutex::new(QuoteTable::new(market.opening())), changed: Notify::new() });
        let suspended = Some(market.sink_rate(rate, Instant::now()));
        Self { market, number, suspended, sink }
    }

    /// Continues from the quotes of an earlier run. Returns the symbols that are no longer traded.
    fn restore(&self, quotes: Vec<(String, Quote)>) -> Vec<String> {
        self.sink.lock().restore(quotes)
    }

    /// Continues the market from prices of an earlier run, for companies without a trade so far.
    fn restore_market(&self, prices: &HashMap<String, f64>) {
        let symbols = self.market.opening().into_iter().enumerate();
        let price = |(index, (Company { symbol, .. }, _)): (usize, (Company, f64))| {
            Some(Trade { company: index, price: *prices.get(&symbol)? })
        };
        self.market.restore(symbols.filter_map(price));
    }

    /// Follows the market. It has no effect on a feed that plays.
    fn play(&mut self) {
        if let Some(rate) = self.suspended.take() {
            let sink = Arc::clone(&self.sink) as Arc<dyn TradeSink>;
            self.market.play(self.number, sink, rate, Instant::now());
        }
    }

    /// Stops following the market.
    fn stop(&mut self) {
        if self.suspended.is_none() {
            self.suspended = self.market.stop(self.number);
        }
    }

    /// Completes when a quote has changed since the last time.
    async fn changed(&self) {
        self.sink.changed.notified().await;
    }

    /// The quotes that have changed since the last time, by their symbols.
    fn take_changes(&self) -> Vec<(String, Quote)> {
        self.sink.lock().take_changes()
    }

    /// Takes back changes that could not be published.
    fn return_changes(&self, symbols: &BTreeSet<String>) {
        let mut quotes = self.sink.lock();
        let returned = quotes.symbols.iter().enumerate().filter(|(_, symbol)| symbols.contains(*symbol));
        let returned: Vec<usize> = returned.map(|(index, _)| index).collect();
        quotes.changed.extend(returned);
    }
}

impl ChannelSink {
    fn lock(&self) -> MutexGuard<'_, QuoteTable> {
        self.quotes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TradeSink for ChannelSink {
    /// Each trade replaces the one before it.
    fn has_room(&self) -> bool {
        true
    }

    fn needs_json(&self) -> bool {
        false
    }

    fn play(&self, batch: &TradeBatch, trades: &mut dyn Iterator<Item = usize>) {
        let mut quotes = self.lock();
        for index in trades {
            quotes.apply(batch.trades[index], batch.time_ms);
        }
        if !quotes.changed.is_empty() {
            self.changed.notify_one();
        }
    }

    /// The trades of other channels in the meantime count as one trade per company.
    fn resume(&self, _: u64, prices: &mut dyn Iterator<Item = Trade>) {
        let mut quotes = self.lock();
        for trade in prices {
            let Quote { price, time, .. } = quotes.quotes[trade.company];
            if (price - trade.price).abs() > f64::EPSILON {
                quotes.apply(trade, time);
            }
        }
        self.changed.notify_one();
    }
}

impl QuoteTable {
    /// The opening prices, which the channel does not have yet.
    fn new(opening: Vec<(Company, f64)>) -> Self {
        let changed = (0..opening.len()).collect();
        let quote = |(company, price): (Company, f64)| {
            let quote = Quote { company: company.name, price, open: price, low: price, high: price, seq: 0, time: 0.0 };
            (company.symbol, quote)
        };
        let (symbols, quotes) = opening.into_iter().map(quote).unzip();
        Self { symbols, quotes, changed }
    }

    fn restore(&mut self, restored: Vec<(String, Quote)>) -> Vec<String> {
        let indexes: HashMap<&str, usize> =
            self.symbols.iter().enumerate().map(|(index, symbol)| (symbol.as_str(), index)).collect();
        let mut gone = Vec::new();
        for (symbol, quote) in restored {
            match indexes.get(symbol.as_str()) {
                Some(index) => {
                    self.quotes[*index] = quote;
                    self.changed.remove(index);
                }
                None => gone.push(symbol),
            }
        }
        gone
    }

    fn apply(&mut self, Trade { company, price }: Trade, time: f64) {
        let quote = &mut self.quotes[company];
        quote.price = price;
        quote.low = quote.low.min(price);
        quote.high = quote.high.max(price);
        quote.seq += 1;
        quote.time = time;
        self.changed.insert(company);
    }

    fn take_changes(&mut self) -> Vec<(String, Quote)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|index| (self.symbols[index].clone(), self.quotes[index].clone())).collect()
    }
}

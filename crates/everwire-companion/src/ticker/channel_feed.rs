use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everwire_companion_api::ticker::Quote;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::feed::{Company, Trade};
use super::market::{Market, Outlet, Share};
use super::stream::TradeBatch;

/// The quotes of a channel, which follow a market while the feed plays.
#[derive(Debug)]
pub(crate) struct ChannelFeed {
    market: Arc<Market>,
    number: u64,
    /// Where it resumes; `None` while it plays.
    suspended: Option<Share>,
    board: Arc<Board>,
}

/// The latest quote of each company, and which of them the channel does not have yet. Trades that come faster than they are published share
/// a message.
#[derive(Debug)]
struct Board {
    quotes: Mutex<Quotes>,
    changed: Notify,
}

#[derive(Debug)]
struct Quotes {
    symbols: Vec<String>,
    quotes: Vec<Quote>,
    changed: BTreeSet<usize>,
}

impl ChannelFeed {
    pub(super) fn new(market: Arc<Market>, number: u64, rate: Option<u32>) -> Self {
        let board = Arc::new(Board { quotes: Mutex::new(Quotes::new(market.opening())), changed: Notify::new() });
        let suspended = Some(market.share(rate, Instant::now()));
        Self { market, number, suspended, board }
    }

    /// Goes on from the quotes of an earlier run. Returns the symbols of those that are not traded any more.
    pub(crate) fn restore(&self, quotes: Vec<(String, Quote)>) -> Vec<String> {
        self.board.lock().restore(quotes)
    }

    /// The market goes on from these prices of an earlier run, unless it has gone on already.
    pub(crate) fn restore_market(&self, prices: &HashMap<String, f64>) {
        let symbols = self.market.opening().into_iter().enumerate();
        let price = |(index, (Company { symbol, .. }, _)): (usize, (Company, f64))| {
            Some(Trade { company: index, price: *prices.get(&symbol)? })
        };
        self.market.restore(symbols.filter_map(price));
    }

    /// Follows the market, unless it does.
    pub(crate) fn play(&mut self) {
        if let Some(share) = self.suspended.take() {
            let outlet = Arc::clone(&self.board) as Arc<dyn Outlet>;
            self.market.play(self.number, outlet, share, Instant::now());
        }
    }

    /// Follows the market no more.
    pub(crate) fn stop(&mut self) {
        if self.suspended.is_none() {
            self.suspended = self.market.stop(self.number);
        }
    }

    /// Completes when a quote has changed since the last time.
    pub(crate) async fn changed(&self) {
        self.board.changed.notified().await;
    }

    /// The quotes that have changed since the last time, by their symbols.
    pub(crate) fn take_changes(&self) -> Vec<(String, Quote)> {
        self.board.lock().take_changes()
    }

    /// Takes changes back that could not be published.
    pub(crate) fn return_changes(&self, symbols: &BTreeSet<String>) {
        let mut quotes = self.board.lock();
        let returned = quotes.symbols.iter().enumerate().filter(|(_, symbol)| symbols.contains(*symbol));
        let returned: Vec<usize> = returned.map(|(index, _)| index).collect();
        quotes.changed.extend(returned);
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Quotes> {
        self.quotes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Board {
    /// Each trade replaces the one before it.
    fn has_room(&self) -> bool {
        true
    }

    fn is_encoded(&self) -> bool {
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

    /// What other channels of the market have traded meanwhile is one trade here.
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

impl Quotes {
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
        let places: HashMap<&str, usize> =
            self.symbols.iter().enumerate().map(|(index, symbol)| (symbol.as_str(), index)).collect();
        let mut gone = Vec::new();
        for (symbol, quote) in restored {
            match places.get(symbol.as_str()) {
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

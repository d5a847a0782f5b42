//! The prices of stocks and the rates of currencies, by random walks that follow from the time of day.
//!
//! A server that is started again continues with the same prices, without a journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use everwire_companion_api::live::{CURRENCY, MARKET, PAIRS, Pair, Price, Rate};
use everwire_server::Channel;

use super::{Publisher, ticks};
use crate::channels::StateChannel;
use crate::companion::Companion;
use crate::ticker::{Company, Feed, FeedSource, Walk};

/// Trades per second of all companies together. A recording has its own rate.
const TRADES: u32 = 6;

/// The time between two publishes of the latest price of each company that was traded meanwhile.
const PERIOD: Duration = Duration::from_millis(250);

/// Ticks per second of all pairs together.
const TICKS: u32 = 8;

/// The opening price of each pair's walk: so large that its cents are finer than a tenth of a pip.
const OPENING: f64 = 10_000.0;

/// Currencies move by a twentieth of what stocks do: about a pip a tick.
const CALM: f64 = 0.05;
const HOUR_MS: f64 = 3_600_000.0;

/// Trades are replayed in steps of this length, which a [`Feed`] does not take for a pause.
const REPLAY_STEP: Duration = Duration::from_secs(1);

/// The companies of a random walk, which are fictitious.
const SYMBOLS: [&str; 10] = ["AMBR", "COGL", "FJNE", "GRFO", "HALO", "INOP", "NIRO", "QUIN", "VETE", "ZEMO"];

/// The prices of stocks.
#[derive(Debug)]
pub(super) struct MarketPublisher {
    companies: Vec<(Company, f64)>,
    trades: HourlyFeed,
}

impl MarketPublisher {
    pub(super) fn new(source: &FeedSource) -> Self {
        let symbols: BTreeSet<String> = match source {
            FeedSource::Walk { .. } => SYMBOLS.map(str::to_owned).into(),
            FeedSource::Replay { .. } => source.symbols().into_iter().take(SYMBOLS.len()).collect(),
        };
        let companies = source.start(&symbols, TRADES).opening();
        let source = source.clone();
        let of_hour = move |hour| match &source {
            FeedSource::Walk { seed } => FeedSource::Walk { seed: seed.wrapping_add(hour) },
            FeedSource::Replay { .. } => source.clone(),
        };
        Self { companies, trades: HourlyFeed::new(move |hour| of_hour(hour).start(&symbols, TRADES)) }
    }

    /// The prices that changed since the last call, by symbol.
    fn advance(&mut self, now: f64) -> Vec<(String, Price)> {
        let traded = self.trades.advance(now).into_iter();
        traded
            .map(|(index, price)| {
                let (company, open) = &self.companies[index];
                (company.symbol.clone(), Price { company: company.name.clone(), price, open: *open })
            })
            .collect()
    }
}

impl Publisher for MarketPublisher {
    type Item = Price;

    const CHANNEL: Channel<Price> = MARKET;

    async fn run(&mut self, companion: &Companion) {
        let channel = StateChannel::new(companion.everwire(), &MARKET);
        let mut ticks = ticks(PERIOD);
        loop {
            ticks.tick().await;
            let changed = self.advance(companion.config().clock.now_ms()).into_iter();
            // The next value replaces one that was not stored.
            let _ = channel.publish(changed.map(|(name, value)| (name, Some(value)))).await;
        }
    }
}

/// Where each of the [`PAIRS`] opens, and its usual spread in pips.
const MARKETS: [(f64, f64); PAIRS.len()] =
    [(1.085, 0.6), (1.271, 0.9), (0.884, 1.1), (0.662, 0.9), (1.364, 1.3), (0.854, 1.0), (156.2, 0.8), (169.4, 1.4)];

/// How much a move of a pip widens the spread, in pips, and how far at most.
const WIDENING: f64 = 0.5;
const WIDEST: f64 = 2.0;

/// The rates of currencies.
#[derive(Debug)]
pub(super) struct CurrencyPublisher {
    walk: HourlyFeed,
    middles: [f64; PAIRS.len()],
}

impl CurrencyPublisher {
    pub(super) fn new(seed: u64) -> Self {
        let pairs = || PAIRS.iter().map(|pair| (Company::of_symbol(pair.name), OPENING)).collect();
        Self {
            walk: HourlyFeed::new(move |hour| Box::new(Walk::new(pairs(), TICKS, seed.wrapping_add(hour)))),
            middles: MARKETS.map(|(opening, _)| opening),
        }
    }

    /// The rates that changed since the last call.
    fn advance(&mut self, now: f64) -> Vec<(&'static str, Rate)> {
        let ticks = self.walk.advance(now).into_iter();
        ticks
            .map(|(index, price)| {
                let (pair, (opening, spread)) = (PAIRS[index], MARKETS[index]);
                let middle = opening * (1.0 + (price / OPENING - 1.0) * CALM);
                let moved = (middle - self.middles[index]).abs() / pair.pip;
                self.middles[index] = middle;
                (pair.name, quote(pair, middle, spread + (moved * WIDENING).min(WIDEST)))
            })
            .collect()
    }
}

/// Bid and ask around a middle, in whole tenths of a pip.
fn quote(pair: Pair, middle: f64, spread: f64) -> Rate {
    let tenths = 10.0 / pair.pip;
    let round = |rate: f64| (rate * tenths).round() / tenths;
    let bid = round(middle - spread * pair.pip / 2.0);
    Rate { bid, ask: round(bid + spread * pair.pip) }
}

impl Publisher for CurrencyPublisher {
    type Item = Rate;

    const CHANNEL: Channel<Rate> = CURRENCY;

    async fn run(&mut self, companion: &Companion) {
        let channel = StateChannel::new(companion.everwire(), &CURRENCY);
        let mut ticks = ticks(PERIOD);
        loop {
            ticks.tick().await;
            let changed = self.advance(companion.config().clock.now_ms()).into_iter();
            // The next value replaces one that was not stored.
            let _ = channel.publish(changed.map(|(name, value)| (name, Some(value)))).await;
        }
    }
}

/// A feed that starts over each hour. Its trades follow from the time of day, so that a restarted server continues where the earlier one
/// ended.
struct HourlyFeed {
    start: Box<dyn Fn(u64) -> Box<dyn Feed> + Send>,
    running: Option<RunningFeed>,
}

struct RunningFeed {
    hour: u64,
    feed: Box<dyn Feed>,
    elapsed: Duration,
}

impl HourlyFeed {
    /// `start` creates the feed of an hour, counted from 1970.
    pub(super) fn new(start: impl Fn(u64) -> Box<dyn Feed> + Send + 'static) -> Self {
        Self { start: Box::new(start), running: None }
    }

    /// The latest price of each company that was traded since the last call, by its index in the feed. `now` is in milliseconds since the
    /// Unix epoch.
    pub(super) fn advance(&mut self, now: f64) -> BTreeMap<usize, f64> {
        let hour = (now / HOUR_MS) as u64;
        let elapsed = Duration::from_secs_f64((now % HOUR_MS).max(0.0) / 1e3);
        // A clock that was set back restarts the hour.
        let is_running = |running: &RunningFeed| running.hour == hour && running.elapsed <= elapsed + REPLAY_STEP;
        if !self.running.as_ref().is_some_and(is_running) {
            self.running = Some(RunningFeed { hour, feed: (self.start)(hour), elapsed: Duration::ZERO });
        }
        let mut prices = BTreeMap::new();
        let mut trades = Vec::new();
        if let Some(running) = &mut self.running {
            while running.elapsed < elapsed {
                running.elapsed = (running.elapsed + REPLAY_STEP).min(elapsed);
                running.feed.advance(running.elapsed, &mut trades);
                prices.extend(trades.drain(..).map(|trade| (trade.company, trade.price)));
            }
        }
        prices
    }
}

impl fmt::Debug for HourlyFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HourlyFeed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_companies_are_traded_a_few_times_per_second() {
        let mut market = MarketPublisher::new(&FeedSource::default());
        let midnight = 1_795_219_200_000.0;
        market.advance(midnight);
        let mut changes = 0;
        for tick in 1..=240 {
            let prices = market.advance(midnight + f64::from(tick) * 250.0);
            assert!(prices.len() <= 2, "{prices:?}");
            for (symbol, price) in &prices {
                assert!(SYMBOLS.contains(&symbol.as_str()), "{symbol}");
                assert!(price.price > 0.0 && price.company.contains(' '), "{price:?}");
            }
            changes += prices.len();
        }
        // 360 trades in a minute, of which some are of the same company within a tick.
        assert!((300..=360).contains(&changes), "{changes}");
    }

    #[test]
    fn who_comes_late_gets_a_price_of_every_company() {
        let prices = MarketPublisher::new(&FeedSource::default()).advance(1_795_219_200_000.0 + 600_000.0);
        assert_eq!(prices.len(), SYMBOLS.len());
    }

    #[test]
    fn a_rate_has_whole_tenths_of_a_pip_and_a_spread() {
        let mut exchange = CurrencyPublisher::new(1);
        for tick in 0..2_000 {
            for (name, Rate { bid, ask }) in exchange.advance(MIDNIGHT + f64::from(tick) * 250.0) {
                let pair = Pair::of_name(name).unwrap();
                for rate in [bid, ask] {
                    let text = rate.to_string();
                    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                    assert!(decimals <= pair.decimals, "{name} {text}");
                }
                let spread = (ask - bid) / pair.pip;
                assert!((0.5..=3.5).contains(&spread), "{name} {spread}");
            }
        }
    }

    #[test]
    fn rates_stay_near_their_opening_for_an_hour() {
        let mut exchange = CurrencyPublisher::new(7);
        for second in 0..3_600 {
            for (name, rate) in exchange.advance(MIDNIGHT + f64::from(second) * 1e3) {
                let index = PAIRS.iter().position(|other| other.name == name).unwrap();
                let opening = MARKETS[index].0;
                assert!((rate.bid / opening - 1.0).abs() < 0.03, "{name} {rate:?}");
            }
        }
    }

    #[test]
    fn a_large_move_widens_the_spread() {
        let pair = PAIRS[0];
        let calm = quote(pair, 1.085, 0.6);
        let wide = quote(pair, 1.085, 2.6);
        assert_eq!((calm.bid, calm.ask), (1.08497, 1.08503));
        assert_eq!((wide.bid, wide.ask), (1.08487, 1.08513));
    }

    /// The beginning of a day.
    const MIDNIGHT: f64 = 1_795_219_200_000.0;

    fn hourly() -> HourlyFeed {
        let companies: Vec<_> = ["A", "B", "C"].map(|name| (Company::of_symbol(name), 100.0)).into();
        HourlyFeed::new(move |hour| Box::new(Walk::new(companies.clone(), 6, hour)))
    }

    /// The prices after steps of 250 ms from `from` to `until`.
    fn after(hourly: &mut HourlyFeed, from: f64, until: f64) -> BTreeMap<usize, f64> {
        let mut prices = BTreeMap::new();
        let mut now = from;
        while now <= until {
            prices.extend(hourly.advance(now));
            now += 250.0;
        }
        prices
    }

    #[test]
    fn a_server_that_is_started_again_goes_on_with_the_same_prices() {
        let before = after(&mut hourly(), MIDNIGHT, MIDNIGHT + 600_000.0);
        assert_eq!(before.len(), 3);
        assert_eq!(hourly().advance(MIDNIGHT + 600_000.0), before);
    }

    #[test]
    fn a_pause_changes_nothing_either() {
        let mut paused = hourly();
        let mut prices = after(&mut paused, MIDNIGHT, MIDNIGHT + 10_000.0);
        prices.extend(paused.advance(MIDNIGHT + 600_000.0));
        assert_eq!(prices, after(&mut hourly(), MIDNIGHT, MIDNIGHT + 600_000.0));
    }

    #[test]
    fn only_what_was_traded_is_returned() {
        let mut hourly = hourly();
        assert_eq!(hourly.advance(MIDNIGHT), BTreeMap::new());
        assert_eq!(hourly.advance(MIDNIGHT + 170.0).len(), 1);
        assert_eq!(hourly.advance(MIDNIGHT + 180.0), BTreeMap::new());
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut hourly = hourly();
        hourly.advance(MIDNIGHT + 600_000.0);
        hourly.advance(MIDNIGHT + 300_000.0);
        assert!(!hourly.advance(MIDNIGHT + 301_000.0).is_empty());
    }

    #[test]
    fn each_hour_has_prices_of_its_own() {
        let mut hourly = hourly();
        let first = hourly.advance(MIDNIGHT + 600_000.0);
        let second = hourly.advance(MIDNIGHT + HOUR_MS + 600_000.0);
        assert_ne!(first, second);
    }
}

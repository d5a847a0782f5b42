//! Where trades come from: the source that a server is configured with, what every feed implements, and the random walk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::replay::{Recording, Replay};

/// A feed that was suspended, as when the machine sleeps, catches up at most this much.
pub(super) const CATCH_UP: Duration = Duration::from_secs(1);

/// The standard deviation of one trade, as a share of the price.
const TRADE_DEVIATION: f64 = 0.002;

/// The pull of a trade back to the opening price. Without it, a walk at a high rate would leave any plausible range within
/// minutes; with it, prices stay within about a third of the opening price.
const MEAN_REVERSION: f64 = 0.0005;
const MIN_PRICE: f64 = 0.01;

/// The source of the prices of the ticker.
#[derive(Clone, Debug)]
pub enum FeedSource {
    /// A random walk; the same seed gives the same prices.
    Walk {
        /// The seed of the random numbers.
        seed: u64,
    },
    /// A recording, played in a loop.
    Replay {
        /// The recorded trades.
        recording: Arc<Recording>,
        /// A factor: 2 plays the recording twice as fast.
        speed: f64,
    },
}

impl FeedSource {
    /// Whether a client may choose the updates per second.
    pub(super) fn takes_rates(&self) -> bool {
        matches!(self, Self::Walk { .. })
    }

    /// The companies that a client may choose from.
    pub(crate) fn symbols(&self) -> BTreeSet<String> {
        match self {
            Self::Walk { .. } => classic().chain(synthetic()).map(|(company, _)| company.symbol).collect(),
            Self::Replay { recording, .. } => recording.symbols().map(str::to_owned).collect(),
        }
    }

    /// The companies of a client that does not choose.
    pub(super) fn default_symbols(&self) -> BTreeSet<String> {
        match self {
            Self::Walk { .. } => classic().map(|(company, _)| company.symbol).collect(),
            Self::Replay { .. } => self.symbols(),
        }
    }

    /// Starts a feed of the companies with these symbols. A recording has its own rate.
    pub(crate) fn start(&self, symbols: &BTreeSet<String>, rate: u32) -> Box<dyn Feed> {
        match self {
            Self::Walk { seed } => {
                let selected = |(company, _): &(Company, f64)| symbols.contains(&company.symbol);
                let companies = classic().chain(synthetic()).filter(selected).collect();
                Box::new(Walk::new(companies, rate, *seed))
            }
            Self::Replay { recording, speed } => Box::new(Replay::new(Arc::clone(recording), symbols, *speed)),
        }
    }
}

impl Default for FeedSource {
    fn default() -> Self {
        Self::Walk { seed: 1 }
    }
}

/// A source of trades: a random walk, a recording, an exchange.
///
/// A feed has no clock. It is passed the time since its start, so that tests run in virtual time.
pub(crate) trait Feed: Send {
    /// The companies with their opening prices. Trades refer to them by index.
    fn opening(&self) -> Vec<(Company, f64)>;

    /// Updates per second, on average.
    fn rate(&self) -> f64;

    /// Sets the updates per second from `elapsed` on. A recording keeps its own rate.
    fn set_rate(&mut self, _elapsed: Duration, _rate: u32) {}

    /// Continues from the price that a company had in an earlier run. A recording has its own prices.
    fn restore(&mut self, _company: usize, _price: f64) {}

    /// The time of the next trade since the start; `None` if there is none.
    fn next(&self) -> Option<Duration>;

    /// Skips the trades up to `elapsed` since the start. Returns their number.
    fn skip_to(&mut self, elapsed: Duration) -> u64;

    /// Appends the trades up to `elapsed` since the start and moves past them. Trades older than [`CATCH_UP`] are skipped.
    fn advance(&mut self, elapsed: Duration, trades: &mut Vec<Trade>);
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trade {
    /// Index into [`Feed::opening`].
    pub(crate) company: usize,
    /// The price, in dollars.
    pub(crate) price: f64,
}

/// A company whose stock is traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Company {
    /// The short name, like `NVDA`.
    pub(crate) symbol: String,
    /// The company's name.
    pub(crate) name: String,
}

impl Company {
    fn new(symbol: impl Into<String>, name: impl Into<String>) -> Self {
        Self { symbol: symbol.into(), name: name.into() }
    }

    /// The company of a symbol. An unknown symbol is used as the name as well.
    pub(crate) fn of_symbol(symbol: &str) -> Self {
        let known = classic().map(|(company, _)| company).chain(synthetic().map(|(company, _)| company));
        known.into_iter().find(|company| company.symbol == symbol).unwrap_or_else(|| Self::new(symbol, symbol))
    }
}

/// The nine companies of a classic stock ticker demo, with their opening prices of that time.
fn classic() -> impl Iterator<Item = (Company, f64)> {
    [
        ("DIS", "The Walt Disney Company", 37.81),
        ("GRMN", "Garmin Ltd.", 37.62),
        ("SNDK", "SanDisk Corporation", 45.68),
        ("GR", "Goodrich Corporation", 87.94),
        ("NVDA", "NVIDIA Corporation", 17.86),
        ("CVX", "Chevron Corporation", 91.66),
        ("ALL", "The Allstate Corporation", 30.79),
        ("XOM", "Exxon Mobil Corporation", 70.91),
        ("MET", "MetLife, Inc.", 44.18),
    ]
    .into_iter()
    .map(|(symbol, name, price)| (Company::new(symbol, name), price))
}

const FIRST_WORDS: [&str; 25] = [
    "Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Keystone",
    "Lumen", "Meadow", "Nimbus", "Opal", "Prairie", "Quartz", "Ridge", "Summit", "Tundra", "Umber", "Velvet", "Willow",
    "Yonder", "Zephyr",
];
const SECOND_WORDS: [&str; 20] = [
    "Analytics",
    "Brewing",
    "Chemicals",
    "Dynamics",
    "Energy",
    "Foods",
    "Glass",
    "Holdings",
    "Instruments",
    "Jewelry",
    "Kinetics",
    "Logistics",
    "Motors",
    "Networks",
    "Optics",
    "Pharma",
    "Quarries",
    "Robotics",
    "Steel",
    "Textiles",
];

/// Five hundred fictitious companies, for feeds of the size of a real exchange.
fn synthetic() -> impl Iterator<Item = (Company, f64)> {
    FIRST_WORDS.iter().enumerate().flat_map(|(row, first)| {
        SECOND_WORDS.iter().enumerate().map(move |(column, second)| {
            let symbol = format!("{}{}", &first[..2], &second[..2]).to_uppercase();
            // Prices from 10.00 to 509.00 that look unordered: 37 and 500 have no common factor.
            let price = 10.0 + ((row * SECOND_WORDS.len() + column) * 37 % 500) as f64;
            (Company::new(symbol, format!("{first} {second}")), price)
        })
    })
}

/// A random walk: each trade moves the price of a random company.
pub(crate) struct Walk {
    companies: Vec<(Company, f64)>,
    prices: Vec<f64>,
    rate: u32,
    /// The time of the last change of the rate.
    since: Duration,
    random: Rng,
    /// Trades since then, skipped ones included.
    trades: u64,
}

impl Walk {
    /// A walk with `rate` trades per second. The same companies and seed give the same trades.
    pub(crate) fn new(companies: Vec<(Company, f64)>, rate: u32, seed: u64) -> Self {
        let prices = companies.iter().map(|(_, price)| *price).collect();
        Self { companies, prices, rate, since: Duration::ZERO, random: Rng::with_seed(seed), trades: 0 }
    }

    fn trade(&mut self) -> Trade {
        let company = self.random.usize(..self.companies.len());
        let price = &mut self.prices[company];
        let open = self.companies[company].1;
        // The sum of two uniform numbers approximates a normal distribution well enough for prices.
        let shock = (self.random.f64() + self.random.f64() - 1.0) * TRADE_DEVIATION * 2.45;
        let pull = (open / *price - 1.0) * MEAN_REVERSION;
        *price = (*price * (1.0 + shock + pull)).max(MIN_PRICE);
        Trade { company, price: (*price * 100.0).round() / 100.0 }
    }

    fn trades_until(&self, elapsed: Duration) -> u64 {
        (elapsed.saturating_sub(self.since).as_secs_f64() * f64::from(self.rate)) as u64
    }
}

impl Feed for Walk {
    fn opening(&self) -> Vec<(Company, f64)> {
        self.companies.clone()
    }

    fn rate(&self) -> f64 {
        f64::from(self.rate)
    }

    fn restore(&mut self, company: usize, price: f64) {
        self.prices[company] = price;
    }

    fn next(&self) -> Option<Duration> {
        // Plus a nanosecond, so that rounding down in `trades_until` does not miss this trade.
        let next = Duration::from_secs_f64((self.trades + 1) as f64 / f64::from(self.rate));
        Some(self.since + next + Duration::from_nanos(1))
    }

    fn set_rate(&mut self, elapsed: Duration, rate: u32) {
        if rate != self.rate {
            (self.rate, self.since, self.trades) = (rate, elapsed, 0);
        }
    }

    fn skip_to(&mut self, elapsed: Duration) -> u64 {
        let skipped = self.trades_until(elapsed).saturating_sub(self.trades);
        self.trades += skipped;
        skipped
    }

    fn advance(&mut self, elapsed: Duration, trades: &mut Vec<Trade>) {
        self.skip_to(elapsed.saturating_sub(CATCH_UP));
        let due = self.trades_until(elapsed).saturating_sub(self.trades);
        trades.extend((0..due).map(|_| self.trade()));
        self.trades += due;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nine_and_five_hundred_companies_have_symbols_of_their_own() {
        assert_eq!(classic().count(), 9);
        assert_eq!(synthetic().count(), 500);
        let symbols: HashSet<String> = classic().chain(synthetic()).map(|(company, _)| company.symbol).collect();
        assert_eq!(symbols.len(), 509);
    }

    #[test]
    fn an_unknown_symbol_is_its_own_name() {
        assert_eq!(Company::of_symbol("NVDA").name, "NVIDIA Corporation");
        assert_eq!(Company::of_symbol("ZZZZ").name, "ZZZZ");
    }

    fn first_trades(seed: u64) -> Vec<Trade> {
        let mut trades = Vec::new();
        Walk::new(classic().collect(), 100, seed).advance(Duration::from_secs(1), &mut trades);
        trades
    }

    #[test]
    fn the_same_seed_gives_the_same_prices_and_another_seed_others() {
        assert_eq!(first_trades(7), first_trades(7));
        assert_ne!(first_trades(7), first_trades(8));
        assert_eq!(first_trades(7).len(), 100);
    }

    #[test]
    fn every_trade_is_made_at_its_time_and_once() {
        let mut walk = Walk::new(classic().collect(), 3, 1);
        let mut times = Vec::new();
        let mut trades = Vec::new();
        while trades.len() < 9 {
            let next = walk.next().unwrap();
            walk.advance(next, &mut trades);
            times.push(next.as_millis());
        }
        assert_eq!(times, [333, 666, 1000, 1333, 1666, 2000, 2333, 2666, 3000]);
        assert_eq!(trades.len(), 9);
    }

    #[test]
    fn an_hour_of_suspension_is_not_caught_up() {
        let mut walk = Walk::new(classic().collect(), 1000, 1);
        let mut trades = Vec::new();
        walk.advance(Duration::from_secs(3600), &mut trades);
        assert_eq!(trades.len(), 1000);
        assert!(walk.next().unwrap() > Duration::from_secs(3600));
    }

    #[test]
    fn prices_stay_plausible_through_ten_million_trades() {
        let mut walk = Walk::new(classic().collect(), 100_000, 1);
        for _ in 0..10_000_000 {
            let trade = walk.trade();
            let open = walk.companies[trade.company].1;
            assert!(trade.price > open * 0.5 && trade.price < open * 2.0, "{trade:?} from {open}");
        }
    }
}

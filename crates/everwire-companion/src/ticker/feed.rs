use std::time::Duration;

/// A feed that was suspended, like the machine, makes up for this much of what it missed.
pub(super) const CATCH_UP: Duration = Duration::from_secs(1);

/// A source of trades: a random walk, a recording, an exchange.
///
/// A feed has no clock. It is passed the time since its start, so that tests run in virtual time.
pub(crate) trait Feed: Send {
    /// The companies with their opening prices. Trades refer to them by index.
    fn opening(&self) -> Vec<(Company, f64)>;

    /// Updates a second, on average.
    fn rate(&self) -> f64;

    /// Sets the updates a second from `elapsed` on. A recording keeps its own rate.
    fn set_rate(&mut self, _elapsed: Duration, _rate: u32) {}

    /// Goes on from the price that a company had in an earlier run. A recording has its own prices.
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
pub(super) fn classic() -> impl Iterator<Item = (Company, f64)> {
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

const FIRST: [&str; 25] = [
    "Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Keystone",
    "Lumen", "Meadow", "Nimbus", "Opal", "Prairie", "Quartz", "Ridge", "Summit", "Tundra", "Umber", "Velvet", "Willow",
    "Yonder", "Zephyr",
];
const SECOND: [&str; 20] = [
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
pub(super) fn synthetic() -> impl Iterator<Item = (Company, f64)> {
    FIRST.iter().enumerate().flat_map(|(row, first)| {
        SECOND.iter().enumerate().map(move |(column, second)| {
            let symbol = format!("{}{}", &first[..2], &second[..2]).to_uppercase();
            // Prices from 10.00 to 509.00 that look unordered: 37 and 500 have no common factor.
            let price = 10.0 + ((row * SECOND.len() + column) * 37 % 500) as f64;
            (Company::new(symbol, format!("{first} {second}")), price)
        })
    })
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
}

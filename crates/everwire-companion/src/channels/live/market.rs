use std::collections::BTreeSet;
use std::time::Duration;

use everwire_companion_api::live::{MARKET, Price};
use everwire_server::Channel;

use super::hourly::Hourly;
use super::publisher::{Publisher, ticks};
use crate::channels::state::StateChannel;
use crate::companion::Companion;
use crate::ticker::{Company, FeedSource};

/// Trades a second of all companies together. A recording has its own rate.
const TRADES: u32 = 6;

/// The time between two publishes of the latest price of each company that was traded meanwhile.
const PERIOD: Duration = Duration::from_millis(250);

/// The companies of a random walk. None of them exists.
const SYMBOLS: [&str; 10] = ["AMBR", "COGL", "FJNE", "GRFO", "HALO", "INOP", "NIRO", "QUIN", "VETE", "ZEMO"];

/// The prices of stocks.
#[derive(Debug)]
pub(super) struct Market {
    companies: Vec<(Company, f64)>,
    trades: Hourly,
}

impl Market {
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
        Self { companies, trades: Hourly::new(move |hour| of_hour(hour).start(&symbols, TRADES)) }
    }

    /// What was traded since the call before, by symbols.
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

impl Publisher for Market {
    type Item = Price;

    const CHANNEL: Channel<Price> = MARKET;

    async fn run(&mut self, companion: &Companion) {
        let channel = StateChannel::new(companion.everwire(), &MARKET);
        let mut ticks = ticks(PERIOD);
        loop {
            ticks.tick().await;
            let changed = self.advance(companion.config().clock.now_ms()).into_iter();
            // What is not stored, the next value replaces.
            let _ = channel.publish(changed.map(|(name, value)| (name, Some(value)))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_companies_are_traded_a_few_times_a_second() {
        let mut market = Market::new(&FeedSource::default());
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
        let prices = Market::new(&FeedSource::default()).advance(1_795_219_200_000.0 + 600_000.0);
        assert_eq!(prices.len(), SYMBOLS.len());
    }
}

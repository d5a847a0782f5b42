use std::time::Duration;

use fastrand::Rng;

use super::feed::{CATCH_UP, Company, Feed, Trade};

/// The standard deviation of one trade, as a share of the price.
const STEP: f64 = 0.002;
/// The pull of a trade back to the opening price. Without it, a walk at a high rate would leave any plausible range within
/// minutes; with it, prices stay within about a third of the opening price.
const PULL: f64 = 0.0005;
const MIN_PRICE: f64 = 0.01;

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
    /// A walk with `rate` trades a second. The same companies and seed give the same trades.
    pub(crate) fn new(companies: Vec<(Company, f64)>, rate: u32, seed: u64) -> Self {
        let prices = companies.iter().map(|(_, price)| *price).collect();
        Self { companies, prices, rate, since: Duration::ZERO, random: Rng::with_seed(seed), trades: 0 }
    }

    fn trade(&mut self) -> Trade {
        let company = self.random.usize(..self.companies.len());
        let price = &mut self.prices[company];
        let open = self.companies[company].1;
        // The sum of two uniform numbers approximates a normal distribution well enough for prices.
        let shock = (self.random.f64() + self.random.f64() - 1.0) * STEP * 2.45;
        let pull = (open / *price - 1.0) * PULL;
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
    use super::super::feed::classic;
    use super::*;

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

use std::collections::BTreeMap;

use everwire::client::SubscribeOptions;
use everwire_companion_api::live::{PAIRS, Pair, Price, Rate};
use yew::AttrValue;

use super::feed::{Arrival, Model};
use crate::components::Spark;

/// The prices of stocks, by their symbols.
#[derive(Debug, Default)]
pub(super) struct Market(BTreeMap<String, Stock>);

/// A row of the market.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stock {
    pub(super) symbol: AttrValue,
    pub(super) company: AttrValue,
    pub(super) price: f64,
    /// In percent since the opening.
    pub(super) change: f64,
    pub(super) spark: Spark,
}

impl Market {
    pub(super) fn stocks(&self) -> impl Iterator<Item = &Stock> {
        self.0.values()
    }

    /// Adds the present prices to the sparklines.
    pub(super) fn sample(&mut self) {
        for stock in self.0.values_mut() {
            stock.spark.sample(stock.price);
        }
    }
}

impl Model for Market {
    type Item = Price;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().state().latest()
    }

    // The latest prices follow, and the sparklines are still theirs.
    fn restart(&mut self) {}

    fn take(&mut self, arrival: Arrival<Price>) {
        let (Some(symbol), Price { company, price, open }) = (arrival.key, arrival.item) else { return };
        let spark = self.0.remove(&symbol).map(|stock| stock.spark).unwrap_or_default();
        let change = if open > 0.0 { (price / open - 1.0) * 100.0 } else { 0.0 };
        let stock = Stock { symbol: symbol.clone().into(), company: company.into(), price, change, spark };
        self.0.insert(symbol, stock);
    }
}

/// The rates of currencies, in the order of [`PAIRS`].
#[derive(Debug, Default)]
pub(super) struct Exchange([Option<Quote>; PAIRS.len()]);

/// A row of the exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quote {
    pub(super) rate: Rate,
    /// Where it went with the last change.
    pub(super) direction: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Direction {
    #[default]
    None,
    Up,
    Down,
}

impl Exchange {
    /// All pairs, also those whose rate is not known yet.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Pair, Option<Quote>)> {
        PAIRS.into_iter().zip(self.0)
    }
}

impl Model for Exchange {
    type Item = Rate;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().state().latest()
    }

    // The latest rates follow.
    fn restart(&mut self) {}

    fn take(&mut self, arrival: Arrival<Rate>) {
        let name = arrival.key.unwrap_or_default();
        let Some(index) = PAIRS.iter().position(|pair| pair.name == name) else { return };
        let (rate, before) = (arrival.item, self.0[index]);
        let middle = |rate: Rate| rate.bid + rate.ask;
        let direction = match before {
            Some(before) if middle(rate) > middle(before.rate) => Direction::Up,
            Some(before) if middle(rate) < middle(before.rate) => Direction::Down,
            before => before.map(|before| before.direction).unwrap_or_default(),
        };
        self.0[index] = Some(Quote { rate, direction });
    }
}

/// The spread of a rate in pips.
pub(super) fn spread(pair: Pair, rate: Rate) -> f64 {
    (rate.ask - rate.bid) / pair.pip
}

/// A rate as traders read it: what everyone knows, the pips, and a tenth of a pip.
pub(super) fn parts(pair: Pair, rate: f64) -> [String; 3] {
    let text = format!("{rate:.*}", pair.decimals);
    let (rest, tenth) = text.split_at(text.len() - 1);
    let (start, pips) = rest.split_at(rest.len().saturating_sub(2));
    [start, pips, tenth].map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival<T>(key: &str, item: T) -> Arrival<T> {
        Arrival { item, key: Some(key.to_owned()), time: 0.0 }
    }

    fn price(price: f64) -> Price {
        Price { company: "Fjord Networks".to_owned(), price, open: 100.0 }
    }

    #[test]
    fn the_latest_price_of_a_symbol_replaces_the_one_before_and_its_past_stays() {
        let mut market = Market::default();
        market.take(arrival("FJNE", price(101.0)));
        market.sample();
        market.take(arrival("AMBR", price(99.0)));
        market.take(arrival("FJNE", price(98.0)));
        market.sample();
        let stocks: Vec<_> = market.stocks().collect();
        assert_eq!(stocks.iter().map(|stock| &*stock.symbol).collect::<Vec<_>>(), ["AMBR", "FJNE"]);
        assert!((stocks[1].change + 2.0).abs() < 1e-9);
        assert_eq!(stocks[1].spark.points().split_whitespace().count(), 2);
        market.restart();
        assert_eq!(market.stocks().count(), 2);
    }

    #[test]
    fn a_rate_keeps_its_direction_until_it_turns() {
        let mut exchange = Exchange::default();
        let mut direction = |bid: f64| {
            exchange.take(arrival("EUR/USD", Rate { bid, ask: bid + 0.0001 }));
            exchange.rows().next().unwrap().1.unwrap().direction
        };
        let directions = [1.08, 1.09, 1.09, 1.07, 1.07].map(&mut direction);
        assert_eq!(directions, [Direction::None, Direction::Up, Direction::Up, Direction::Down, Direction::Down]);
    }

    #[test]
    fn a_pair_that_the_page_does_not_know_is_left_out() {
        let mut exchange = Exchange::default();
        exchange.take(arrival("XAU/XAG", Rate { bid: 1.0, ask: 2.0 }));
        assert!(exchange.rows().all(|(_, quote)| quote.is_none()));
    }

    #[test]
    fn a_rate_is_split_at_its_pips() {
        let (dollar, yen) = (Pair::of_name("EUR/USD").unwrap(), Pair::of_name("USD/JPY").unwrap());
        assert_eq!(parts(dollar, 1.08341), ["1.08", "34", "1"]);
        assert_eq!(parts(yen, 156.203), ["156.", "20", "3"]);
        assert_eq!(format!("{:.1}", spread(dollar, Rate { bid: 1.08341, ask: 1.08349 })), "0.8");
        assert_eq!(format!("{:.1}", spread(yen, Rate { bid: 156.203, ask: 156.215 })), "1.2");
    }
}

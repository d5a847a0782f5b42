use std::time::Duration;

use everwire_companion_api::live::{CURRENCY, PAIRS, Pair, Rate};
use everwire_server::Channel;

use super::hourly::Hourly;
use super::publisher::{Publisher, ticks};
use crate::channels::state::StateChannel;
use crate::companion::Companion;
use crate::ticker::{Company, Walk};

/// Ticks a second of all pairs together.
const TICKS: u32 = 8;

/// The time between two publishes of each pair's latest rate, if it has changed.
const PERIOD: Duration = Duration::from_millis(250);

/// The opening price of each pair's walk: so large that its cents are finer than a tenth of a pip.
const OPENING: f64 = 10_000.0;

/// Currencies move by a twentieth of what stocks do: about a pip a tick.
const CALM: f64 = 0.05;

/// Where each of the [`PAIRS`] opens, and its usual spread in pips.
const MARKETS: [(f64, f64); PAIRS.len()] =
    [(1.085, 0.6), (1.271, 0.9), (0.884, 1.1), (0.662, 0.9), (1.364, 1.3), (0.854, 1.0), (156.2, 0.8), (169.4, 1.4)];

/// How much a move of a pip widens the spread, in pips, and how far at most.
const WIDENING: f64 = 0.5;
const WIDEST: f64 = 2.0;

/// The rates of currencies.
#[derive(Debug)]
pub(super) struct Exchange {
    walk: Hourly,
    middles: [f64; PAIRS.len()],
}

impl Exchange {
    pub(super) fn new(seed: u64) -> Self {
        let pairs = || PAIRS.iter().map(|pair| (Company::of_symbol(pair.name), OPENING)).collect();
        Self {
            walk: Hourly::new(move |hour| Box::new(Walk::new(pairs(), TICKS, seed.wrapping_add(hour)))),
            middles: MARKETS.map(|(opening, _)| opening),
        }
    }

    /// The rates that have changed since the call before.
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

impl Publisher for Exchange {
    type Item = Rate;

    const CHANNEL: Channel<Rate> = CURRENCY;

    async fn run(&mut self, companion: &Companion) {
        let channel = StateChannel::new(companion.everwire(), &CURRENCY);
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

    const MIDNIGHT: f64 = 1_795_219_200_000.0;

    #[test]
    fn a_rate_has_whole_tenths_of_a_pip_and_a_spread() {
        let mut exchange = Exchange::new(1);
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
        let mut exchange = Exchange::new(7);
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
}

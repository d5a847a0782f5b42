use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::ticker::Feed;

const HOUR_MS: f64 = 3_600_000.0;

/// Trades are replayed in steps of this length, which a [`Feed`] does not take for a pause.
const STEP: Duration = Duration::from_secs(1);

/// A feed that starts with each hour. What it traded by a moment follows from the time of day, so that a server that is started again
/// goes on where the one before has ended.
pub(super) struct Hourly {
    start: Box<dyn Fn(u64) -> Box<dyn Feed> + Send>,
    running: Option<Running>,
}

struct Running {
    hour: u64,
    feed: Box<dyn Feed>,
    elapsed: Duration,
}

impl Hourly {
    /// `start` makes the feed of an hour, which counts from 1970.
    pub(super) fn new(start: impl Fn(u64) -> Box<dyn Feed> + Send + 'static) -> Self {
        Self { start: Box::new(start), running: None }
    }

    /// The latest prices of those that were traded since the call before, by their numbers in the feed. `now` is a number of milliseconds
    /// since the Unix epoch.
    pub(super) fn advance(&mut self, now: f64) -> BTreeMap<usize, f64> {
        let hour = (now / HOUR_MS) as u64;
        let elapsed = Duration::from_secs_f64((now % HOUR_MS).max(0.0) / 1e3);
        // A clock that was set back has the hour begin again.
        let is_running = |running: &Running| running.hour == hour && running.elapsed <= elapsed + STEP;
        if !self.running.as_ref().is_some_and(is_running) {
            self.running = Some(Running { hour, feed: (self.start)(hour), elapsed: Duration::ZERO });
        }
        let mut prices = BTreeMap::new();
        let mut trades = Vec::new();
        if let Some(running) = &mut self.running {
            while running.elapsed < elapsed {
                running.elapsed = (running.elapsed + STEP).min(elapsed);
                running.feed.advance(running.elapsed, &mut trades);
                prices.extend(trades.drain(..).map(|trade| (trade.company, trade.price)));
            }
        }
        prices
    }
}

impl fmt::Debug for Hourly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hourly").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticker::{Company, Walk};

    /// The beginning of a day.
    const MIDNIGHT: f64 = 1_795_219_200_000.0;

    fn hourly() -> Hourly {
        let companies: Vec<_> = ["A", "B", "C"].map(|name| (Company::of_symbol(name), 100.0)).into();
        Hourly::new(move |hour| Box::new(Walk::new(companies.clone(), 6, hour)))
    }

    /// The prices after so many milliseconds of steps of 250 ms.
    fn after(hourly: &mut Hourly, from: f64, until: f64) -> BTreeMap<usize, f64> {
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

use std::time::Duration;

use super::Company;

/// A feed that was suspended, like the machine, makes up for this much of what it missed.
pub(super) const CATCH_UP: Duration = Duration::from_secs(1);

/// A source of trades: a random walk, a recording, an exchange.
///
/// A feed has no clock. It is passed the time since its start, so that tests run in virtual time.
pub(super) trait Feed: Send {
    /// The companies with their opening prices. Trades refer to them by index.
    fn opening(&self) -> Vec<(Company, f64)>;

    /// Updates a second, on average.
    fn rate(&self) -> f64;

    /// Sets the updates a second from `elapsed` on. A recording keeps its own rate.
    fn set_rate(&mut self, _elapsed: Duration, _rate: u32) {}

    /// The time of the next trade since the start; `None` if there is none.
    fn next(&self) -> Option<Duration>;

    /// Skips the trades up to `elapsed` since the start. Returns their number.
    fn skip_to(&mut self, elapsed: Duration) -> u64;

    /// Appends the trades up to `elapsed` since the start and moves past them. Trades older than [`CATCH_UP`] are skipped.
    fn advance(&mut self, elapsed: Duration, trades: &mut Vec<Trade>);
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trade {
    /// Index into [`Feed::opening`].
    pub(super) company: usize,
    /// The price, in dollars.
    pub(super) price: f64,
}

use std::time::Duration;

use super::Company;

/// After a machine's sleep, the hours that were missed are not made up for.
pub(super) const CATCH_UP: Duration = Duration::from_secs(1);

/// Something that makes trades as time goes by: a random walk, a recording, an exchange.
///
/// A feed has no clock: it is handed the time since its start, so that it runs as fast as a test likes.
pub(super) trait Feed: Send {
    /// What is traded, with opening prices. Trades refer to it by index.
    fn opening(&self) -> Vec<(Company, f64)>;

    /// Updates a second, on average.
    fn rate(&self) -> f64;

    /// Makes so many updates a second from here on. A recording keeps its own rate.
    fn set_rate(&mut self, _elapsed: Duration, _rate: u32) {}

    /// When the next trade happens, as time since the start; `None` when there will be none.
    fn next(&self) -> Option<Duration>;

    /// Passes over the trades up to `elapsed` since the start without making them, and says how many these are.
    fn skip_to(&mut self, elapsed: Duration) -> u64;

    /// Appends the trades up to `elapsed` since the start, and moves past them. Of more than [`CATCH_UP`] only the last are
    /// made.
    fn advance(&mut self, elapsed: Duration, trades: &mut Vec<Trade>);
}

/// A price that was paid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trade {
    /// Index into [`Feed::opening`].
    pub(super) company: usize,
    /// The price, in dollars.
    pub(super) price: f64,
}

use std::collections::BTreeSet;
use std::sync::Arc;

use super::feed::{Company, Feed, classic, synthetic};
use super::replay::{Recording, Replay};
use super::walk::Walk;

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
    /// Whether a client may choose the updates a second.
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

//! The lines of `--json`: one a second, then a summary.

mod second;
mod summary;

use serde::{Deserialize, Serialize};

pub(crate) use second::SHORTEST;
pub use second::{Phase, Second};
pub use summary::{Deliveries, LoadUse, Opening, RoundTrips, ServerUse, Setting, Summary};

/// One line of `--json`; its `type` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// What happened within a second.
    Second(Box<Second>),
    /// What came of the whole, at the end.
    Summary(Box<Summary>),
}

/// A distribution of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many times there were.
    pub count: u64,
    /// Their mean.
    pub mean_ms: f64,
    /// The time that half of them did not exceed.
    pub p50_ms: f64,
    /// The time that 90 % of them did not exceed.
    pub p90_ms: f64,
    /// The time that 99 % of them did not exceed.
    pub p99_ms: f64,
    /// The time that 99.9 % of them did not exceed.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

use serde::{Deserialize, Serialize};

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

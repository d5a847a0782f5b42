//! Times cross the border as milliseconds in a double, which is what JavaScript's clocks tell.

use core::time::Duration;

/// Negative values and NaN are taken for zero.
pub(crate) fn from_millis(millis: f64) -> Duration {
    Duration::from_micros((millis * 1e3) as u64)
}

pub(crate) fn to_millis(time: Duration) -> f64 {
    time.as_micros() as u64 as f64 / 1e3
}

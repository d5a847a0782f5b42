//! Times cross the border as milliseconds in a double, which is what JavaScript's clocks tell.

use core::time::Duration;

/// To the nearest nanosecond, so that a time that comes back is not before the one that was told. Negative values and NaN are
/// taken for zero.
pub(crate) fn from_millis(millis: f64) -> Duration {
    Duration::from_nanos((millis * 1e6 + 0.5) as u64)
}

pub(crate) fn to_millis(time: Duration) -> f64 {
    time.as_secs() as f64 * 1e3 + f64::from(time.subsec_nanos()) / 1e6
}

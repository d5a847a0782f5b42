use everwire_core::Time;
use gloo_timers::callback::Timeout;

/// Browsers keep a timeout in a signed 32-bit number and fire at once above it (HTML, "run steps after a timeout").
const LONGEST: f64 = i32::MAX as f64;

/// A timer. Dropping it clears it.
pub(crate) struct Timer {
    _timeout: Timeout,
}

impl Timer {
    pub(super) fn set(after: Time, fire: impl FnOnce() + 'static) -> Self {
        // Rounded up: a timer that fired just before its deadline would fire again for nothing.
        let millis = after.as_millis_f64().ceil().min(LONGEST) as u32;
        Self { _timeout: Timeout::new(millis, fire) }
    }
}

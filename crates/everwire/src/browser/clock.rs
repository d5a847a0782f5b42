use core::time::Duration;

use super::environment;

/// The monotonic clock of the page or worker, from the moment it was started. `std::time::Instant` panics on wasm32.
pub(super) struct Clock {
    started: f64,
    performance: Option<web_sys::Performance>,
}

impl Clock {
    pub(super) fn start() -> Self {
        let mut clock = Self { started: 0.0, performance: environment::performance() };
        clock.started = clock.millis();
        clock
    }

    pub(super) fn now(&self) -> Duration {
        duration(self.millis() - self.started)
    }

    /// Where there is no `performance`, the wall clock has to do.
    fn millis(&self) -> f64 {
        self.performance.as_ref().map_or_else(js_sys::Date::now, web_sys::Performance::now)
    }
}

/// The wall clock since the Unix epoch, which runs on while the machine sleeps.
pub(super) fn wall() -> Duration {
    duration(js_sys::Date::now())
}

fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
}

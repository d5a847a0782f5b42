use everwire_core::Time;

use super::environment;

/// The monotonic clock of the page or worker, from the moment it was started. `std::time::Instant` panics on wasm32.
#[derive(Clone)]
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

    pub(super) fn now(&self) -> Time {
        Time::from_millis_f64(self.millis() - self.started)
    }

    /// When an event was made, which is quicker read than the clock.
    pub(super) fn time_of(&self, event: &web_sys::Event) -> Time {
        let millis = event.time_stamp();
        // An event of another maker may not know, and where there is no `performance` the start is on another scale.
        if millis > self.started && self.performance.is_some() {
            Time::from_millis_f64(millis - self.started)
        } else {
            self.now()
        }
    }

    /// Where there is no `performance`, the wall clock has to do.
    fn millis(&self) -> f64 {
        self.performance.as_ref().map_or_else(js_sys::Date::now, web_sys::Performance::now)
    }
}

/// The wall clock since the Unix epoch, which runs on while the machine sleeps.
pub(super) fn wall() -> Time {
    Time::from_millis_f64(js_sys::Date::now())
}

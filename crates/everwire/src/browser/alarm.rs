use core::time::Duration;
use std::rc::Weak;

use everwire_core::Input;
use gloo_timers::callback::Timeout;

use crate::shared::Shared;

/// Browsers keep a timeout in a signed 32-bit number and ring at once above it (HTML, "run steps after a timeout").
const LONGEST: u32 = i32::MAX as u32;

/// A timer that wakes the core. Dropping it takes it off.
pub(super) struct Alarm {
    rings_at: Duration,
    _timeout: Timeout,
}

impl Alarm {
    pub(super) fn set(shared: Weak<Shared>, deadline: Duration, now: Duration) -> Self {
        // Rounded up: an alarm that rang just before its deadline would ring again for nothing.
        let millis = deadline.saturating_sub(now).as_micros().div_ceil(1_000);
        let millis = u32::try_from(millis).unwrap_or(LONGEST).min(LONGEST);
        let rings_at = now.saturating_add(Duration::from_millis(millis.into()));
        let timeout = Timeout::new(millis, move || {
            if let Some(shared) = shared.upgrade() {
                shared.platform.alarm_rang();
                let wall = shared.platform.wall();
                shared.handle(Input::Wake { wall });
            }
        });
        Self { rings_at, _timeout: timeout }
    }

    /// Whether it rings at the deadline or before it; a timer's millisecond does not count.
    pub(super) fn rings_by(&self, deadline: Duration) -> bool {
        self.rings_at <= deadline.saturating_add(Duration::from_millis(1))
    }
}

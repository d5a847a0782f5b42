use std::cell::RefCell;

use gloo_timers::callback::Interval;

use super::fix::Fix;
use super::geolocation::Watch;
use super::now;
use super::problem::Problem;
use super::walk::Walk;
use crate::map::LatLon;

/// How often a simulated device measures, in milliseconds.
const MEASURE_EVERY: u32 = 1_000;

/// The longest that one step of a walk makes up for, in seconds: a page in the background is called late, and a machine
/// that slept for a night has not walked.
const LONGEST_STEP: f64 = 60.0;

/// Where positions come from. Dropping it ends them.
#[must_use]
pub(super) enum Source {
    Device { _watch: Watch },
    Simulation { _steps: Interval },
}

impl Source {
    /// The device's own positions.
    pub(super) fn device(
        on_fix: impl Fn(Fix) + 'static,
        on_problem: impl Fn(Problem) + 'static,
    ) -> Result<Self, Problem> {
        Ok(Self::Device { _watch: Watch::start(on_fix, on_problem)? })
    }

    /// A walk around a place. Its first position comes with its first step.
    pub(super) fn simulation(start: LatLon, on_fix: impl Fn(Fix) + 'static) -> Self {
        let seed = (js_sys::Math::random() * 2.0_f64.powi(53)) as u64;
        let walk = RefCell::new(Walk::new(start, seed));
        let before = RefCell::new(now());
        let steps = Interval::new(MEASURE_EVERY, move || {
            let elapsed = (now() - before.replace(now())) / 1e3;
            let fix = walk.borrow_mut().step(elapsed.clamp(0.0, LONGEST_STEP));
            on_fix(fix);
        });
        Self::Simulation { _steps: steps }
    }
}

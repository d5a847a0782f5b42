use gloo_timers::callback::Interval;
use yew::prelude::*;

/// Draws the component four times a second while something runs: as often as a person can read.
#[hook]
pub(super) fn use_ticks(is_running: bool) {
    let update = use_force_update();
    use_effect_with(is_running, move |is_running| {
        let ticks = is_running.then(|| Interval::new(250, move || update.force_update()));
        move || drop(ticks)
    });
}

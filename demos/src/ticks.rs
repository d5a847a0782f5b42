use gloo_timers::callback::Interval;
use yew::prelude::*;

/// Milliseconds between two drawings of what changes all the time: as often as a person can read.
pub(crate) const READABLE: u32 = 250;

/// Draws the component again and again while that is needed, so many milliseconds apart.
#[hook]
pub(crate) fn use_ticks(every: u32, is_needed: bool) {
    let update = use_force_update();
    use_effect_with((every, is_needed), move |(every, is_needed)| {
        let ticks = is_needed.then(|| Interval::new(*every, move || update.force_update()));
        move || drop(ticks)
    });
}

use std::time::Duration;

use everwire::State;
use gloo_timers::callback::Timeout;
use yew::prelude::*;

use crate::ConnectionStatus;

/// The seconds until the next attempt, begun ones included; rendered anew when they change and when they are over.
#[hook]
pub(super) fn use_countdown(status: &ConnectionStatus) -> Option<u64> {
    let tick = use_state(|| 0_u32);
    let left = time_left(status);
    {
        let tick = tick.clone();
        use_effect_with((status.clone(), *tick), move |(status, number)| {
            let next = number.wrapping_add(1);
            let timer = time_left(status).map(|left| Timeout::new(until_it_changes(left), move || tick.set(next)));
            move || drop(timer)
        });
    }
    left.map(seconds)
}

fn time_left(status: &ConnectionStatus) -> Option<Duration> {
    match status.state_now() {
        State::Waiting { retry_in, .. } => retry_in,
        _ => None,
    }
}

fn seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// The milliseconds until the number of begun seconds is another one, or the time is over.
fn until_it_changes(left: Duration) -> u32 {
    let begun = left.as_micros().div_ceil(1_000).saturating_sub(1);
    u32::try_from(begun % 1_000).map_or(1, |ms| ms + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_has_begun_counts() {
        let counted = [0, 1, 999, 1_000, 1_001, 30_000].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(counted, [0, 1, 1, 1, 2, 30]);
    }

    #[test]
    fn the_timer_rings_when_one_second_less_is_left() {
        for ms in [1, 250, 999, 1_000, 1_001, 2_500] {
            let left = Duration::from_millis(ms);
            let later = left.saturating_sub(Duration::from_millis(until_it_changes(left).into()));
            assert!(seconds(later) < seconds(left), "{ms} ms");
        }
    }
}

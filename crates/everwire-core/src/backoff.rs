use core::time::Duration;

use crate::{random::Random, time::Time};

/// When the next attempt is made after one failed or a connection was lost.
///
/// The delay is drawn evenly between [`floor`](Self::floor) and a ceiling that starts at [`first`](Self::first) and grows by
/// [`factor`](Self::factor) with each attempt up to [`max`](Self::max): exponential backoff with full jitter ("Exponential
/// Backoff And Jitter", AWS Architecture Blog, 2015) and a floor. The first ceiling is wide on purpose: when a server goes
/// away, all its clients lose it in the same instant, and the first retries are the ones that hit together.
///
/// A fault on the client's own side (the network changed, the machine woke) hits one client at a time; its first retry comes
/// within [`quick`](Self::quick). A link that fell silent may be either: a dead link hits one client, a server that stalls all
/// of them in the same instant, so the first retry after it is spread over [`quick_after_silence`](Self::quick_after_silence).
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff<Time = Duration> {
    /// The least delay after a close by the server, and the least time between two dials for whatever reason (0.5 s).
    pub floor: Time,
    /// The ceiling of the first delay (6 s): 10,000 clients lost at once make about 260 attempts in 100 ms at the peak.
    pub first: Time,
    /// What the ceiling is multiplied by for each further attempt (2).
    pub factor: f64,
    /// The greatest ceiling (30 s): every client tries again within this time of a server's return.
    pub max: Time,
    /// The ceiling of the first delay after a fault on the client's own side (0.3 s).
    pub quick: Time,
    /// The ceiling of the first delay after the heartbeat found a dead link without any sign of trouble on the client's own
    /// side (1.5 s): together with the default heartbeat, a silent link is replaced within 15 s.
    pub quick_after_silence: Time,
    /// How long a connection must have stayed open before the count of attempts starts anew (5 s). A server that accepts and
    /// drops at once is therefore not hammered.
    pub stable_after: Time,
    /// How many retries in a row to make without a stable connection before stopping; `None`, the default, never stops.
    /// Attempts made while the platform says that it is offline do not count.
    pub max_retries: Option<u32>,
}

impl Backoff<Time> {
    /// The delay after so many failures in a row (0: a stable connection was lost, or the very first attempt failed).
    pub(crate) fn delay(&self, failures: u32, random: &mut Random) -> Time {
        let max = self.max.as_secs_f64();
        let mut ceiling = self.first.as_secs_f64();
        for _ in 0..failures.min(64) {
            ceiling *= self.factor.max(1.0);
        }
        // Written so that a ceiling that overflowed to infinity or NaN becomes the maximum.
        let ceiling = if ceiling < max { Time::from_secs_f64(ceiling) } else { self.max };
        random.between(self.floor, ceiling)
    }

    /// A delay as after many failures.
    pub(crate) fn longest_delay(&self, random: &mut Random) -> Time {
        random.between(self.floor, self.max)
    }

    /// Whether so many failures in a row are more than the retries allowed.
    pub(crate) fn is_exhausted(&self, failures: u32) -> bool {
        self.max_retries.is_some_and(|max| failures > max)
    }
}

impl<T: Into<Time>> Backoff<T> {
    /// The same with the core's own times.
    pub(crate) fn timed(self) -> Backoff<Time> {
        Backoff {
            floor: self.floor.into(),
            first: self.first.into(),
            factor: self.factor,
            max: self.max.into(),
            quick: self.quick.into(),
            quick_after_silence: self.quick_after_silence.into(),
            stable_after: self.stable_after.into(),
            max_retries: self.max_retries,
        }
    }
}

impl<T: From<Time>> Backoff<T> {
    /// The defaults, in any kind of time.
    pub fn standard() -> Self {
        Self {
            floor: Time::from_millis(500).into(),
            first: Time::from_secs(6).into(),
            factor: 2.0,
            max: Time::from_secs(30).into(),
            quick: Time::from_millis(300).into(),
            quick_after_silence: Time::from_millis(1_500).into(),
            stable_after: Time::from_secs(5).into(),
            max_retries: None,
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::standard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_lie_between_the_floor_and_a_ceiling_that_doubles_up_to_the_maximum() {
        let backoff = Backoff::default().timed();
        let mut random = Random::new(1);
        for (attempt, ceiling) in [(0, 6.0), (1, 12.0), (2, 24.0), (3, 30.0), (4, 30.0), (u32::MAX, 30.0)] {
            let longest = (0..2_000)
                .map(|_| backoff.delay(attempt, &mut random))
                .inspect(|delay| assert!(*delay >= backoff.floor))
                .max();
            let longest = longest.unwrap().as_secs_f64();
            assert!((0.97 * ceiling..=ceiling).contains(&longest), "attempt {attempt}: {longest}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_still_give_a_delay_within_bounds() {
        let mut random = Random::new(2);
        for factor in [f64::NAN, f64::INFINITY, -3.0, 0.0] {
            let backoff = Backoff { factor, ..Backoff::default() }.timed();
            let delay = backoff.delay(9, &mut random);
            assert!((backoff.floor..=backoff.max).contains(&delay), "{factor}: {delay:?}");
        }
    }
}

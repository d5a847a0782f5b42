use crate::{Time, random::Random};

/// When the next attempt is made after one failed or a connection was lost.
///
/// The delay is drawn evenly between [`floor`](field@Self::floor) and a ceiling that starts at [`first`](field@Self::first) and grows by
/// [`factor`](field@Self::factor) with each attempt up to [`max`](field@Self::max): exponential backoff with full jitter ("Exponential
/// Backoff And Jitter", AWS Architecture Blog, 2015) and a floor. The first ceiling is wide on purpose: when a server goes
/// away, all its clients lose it in the same instant, and the first retries are the ones that coincide.
///
/// A fault on the client's own side (the network changed, the machine woke) hits one client at a time; its first retry comes
/// within [`quick`](field@Self::quick). A silent link may be either: a dead link hits one client, a server that stalls all of them in
/// the same instant, so the first retry after it is spread over [`quick_after_silence`](field@Self::quick_after_silence).
///
/// ```
/// use core::time::Duration;
/// use everwire_core::Backoff;
///
/// let backoff = Backoff::default().first(Duration::from_secs(3)).max_retries(10);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// The least delay after a close by the server, and the least time between two dials for whatever reason (0.5 s).
    pub floor: Time,
    /// The ceiling of the first delay (6 s): 10,000 clients lost at once make about 260 attempts in 100 ms at the peak.
    pub first: Time,
    /// The factor by which the ceiling grows with each further attempt (2).
    pub factor: f64,
    /// The greatest ceiling (30 s): every client tries again within this time of a server's return.
    pub max: Time,
    /// The ceiling of the first delay after a fault on the client's own side (0.3 s).
    pub quick: Time,
    /// The ceiling of the first delay after the heartbeat found a dead link without any sign of trouble on the client's own
    /// side (1.5 s): together with the default heartbeat, a silent link is replaced within 15 s.
    pub quick_after_silence: Time,
    /// How long a connection must have stayed open before the count of failures resets (5 s), so that a server which accepts and
    /// drops at once is not hammered.
    pub stable_after: Time,
    /// How many retries in a row to make without a stable connection before stopping; `None`, the default, never stops.
    /// Attempts made while the platform says that it is offline do not count.
    pub max_retries: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            floor: Time::from_millis(500),
            first: Time::from_secs(6),
            factor: 2.0,
            max: Time::from_secs(30),
            quick: Time::from_millis(300),
            quick_after_silence: Time::from_millis(1_500),
            stable_after: Time::from_secs(5),
            max_retries: None,
        }
    }
}

impl Backoff {
    /// Sets [`floor`](field@Self::floor).
    #[must_use]
    pub fn floor(mut self, floor: impl Into<Time>) -> Self {
        self.floor = floor.into();
        self
    }

    /// Sets [`first`](field@Self::first).
    #[must_use]
    pub fn first(mut self, ceiling: impl Into<Time>) -> Self {
        self.first = ceiling.into();
        self
    }

    /// Sets [`factor`](field@Self::factor).
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets [`max`](field@Self::max).
    #[must_use]
    pub fn max(mut self, ceiling: impl Into<Time>) -> Self {
        self.max = ceiling.into();
        self
    }

    /// Sets [`quick`](field@Self::quick).
    #[must_use]
    pub fn quick(mut self, ceiling: impl Into<Time>) -> Self {
        self.quick = ceiling.into();
        self
    }

    /// Sets [`quick_after_silence`](field@Self::quick_after_silence).
    #[must_use]
    pub fn quick_after_silence(mut self, ceiling: impl Into<Time>) -> Self {
        self.quick_after_silence = ceiling.into();
        self
    }

    /// Sets [`stable_after`](field@Self::stable_after).
    #[must_use]
    pub fn stable_after(mut self, time: impl Into<Time>) -> Self {
        self.stable_after = time.into();
        self
    }

    /// Sets [`max_retries`](field@Self::max_retries).
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }
}

/// When to dial: counts the failures, draws the delays and keeps the floor between two dials.
#[derive(Debug)]
pub(crate) struct RetrySchedule {
    backoff: Backoff,
    random: Random,
    /// Attempts that failed, and connections that did not last, since a connection was last stable.
    failures: u32,
    /// The floor allows no dial before this time.
    earliest_dial: Time,
    /// The server wants no dial before this time.
    delayed_until: Time,
}

impl RetrySchedule {
    pub(crate) fn new(backoff: Backoff, seed: u64) -> Self {
        Self { backoff, random: Random::new(seed), failures: 0, earliest_dial: Time::ZERO, delayed_until: Time::ZERO }
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn reset_failures(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether one more failure would be more than the retries allowed.
    pub(crate) fn is_exhausted_by(&self, more: u32) -> bool {
        self.backoff.max_retries.is_some_and(|max| self.failures.saturating_add(more) > max)
    }

    /// Whether a connection open `since` this time is stable.
    pub(crate) fn is_stable(&self, since: Time, now: Time) -> bool {
        now - since >= self.backoff.stable_after
    }

    /// Notes that the connection dialled, `ago` before now.
    pub(crate) fn dialed(&mut self, now: Time, ago: Time) {
        self.earliest_dial = now + self.backoff.floor - ago;
    }

    /// The server wants no dial before this time.
    pub(crate) fn delay(&mut self, until: Time) {
        self.delayed_until = until;
    }

    /// When the floor and the server allow the next dial.
    pub(crate) fn earliest_dial(&self, now: Time) -> Time {
        now.max(self.earliest_dial).max(self.delayed_until)
    }

    /// When to retry after a fault on this side.
    pub(crate) fn quick(&mut self, now: Time) -> Time {
        self.soon(now, self.backoff.quick)
    }

    /// When to retry after a link fell silent.
    pub(crate) fn quick_after_silence(&mut self, now: Time) -> Time {
        self.soon(now, self.backoff.quick_after_silence)
    }

    /// When to retry after so many failures as there were.
    pub(crate) fn spread(&mut self, now: Time) -> Time {
        let max = self.backoff.max.as_secs_f64();
        let mut ceiling = self.backoff.first.as_secs_f64();
        for _ in 0..self.failures.min(64) {
            ceiling *= self.backoff.factor.max(1.0);
        }
        // Written so that a ceiling that overflowed to infinity or NaN becomes the maximum.
        let ceiling = if ceiling < max { Time::from_secs_f64(ceiling) } else { self.backoff.max };
        // Many clients are refused at once, so that they must not all come back when the delay ends.
        now.max(self.delayed_until) + self.random.between(self.backoff.floor, ceiling)
    }

    /// When to retry as after many failures.
    pub(crate) fn longest(&mut self, now: Time) -> Time {
        now.max(self.delayed_until) + self.random.between(self.backoff.floor, self.backoff.max)
    }

    fn soon(&mut self, now: Time, at_most: Time) -> Time {
        (now.max(self.delayed_until) + self.random.between(Time::ZERO, at_most)).max(self.earliest_dial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_lie_between_the_floor_and_a_ceiling_that_doubles_up_to_the_maximum() {
        let mut schedule = RetrySchedule::new(Backoff::default(), 1);
        for (failures, ceiling) in [(0, 6.0), (1, 12.0), (2, 24.0), (3, 30.0), (4, 30.0), (u32::MAX, 30.0)] {
            schedule.failures = failures;
            let longest = (0..2_000)
                .map(|_| schedule.spread(Time::ZERO))
                .inspect(|delay| assert!(*delay >= Backoff::default().floor))
                .max();
            let longest = longest.unwrap().as_secs_f64();
            assert!((0.97 * ceiling..=ceiling).contains(&longest), "failure {failures}: {longest}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_still_give_a_delay_within_bounds() {
        for factor in [f64::NAN, f64::INFINITY, -3.0, 0.0] {
            let backoff = Backoff { factor, ..Backoff::default() };
            let bounds = backoff.floor..=backoff.max;
            let mut schedule = RetrySchedule::new(backoff, 2);
            schedule.failures = 9;
            let delay = schedule.spread(Time::ZERO);
            assert!(bounds.contains(&delay), "{factor}: {delay:?}");
        }
    }
}

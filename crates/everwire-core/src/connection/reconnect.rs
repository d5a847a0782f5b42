//! Whether another attempt is made after a loss, and when.

use super::{
    environment::Environment,
    io::{AtRisk, Decision, DropCause, Retry},
};
use crate::time::{Random, Time};

/// When to make the next attempt after one failed or a connection was lost.
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

/// Which losses are followed by another attempt.
///
/// The default stops where the server has said that it is done (1000) or that it would refuse the same client again (1002,
/// 1003, 1007, 1008, 1009, 1010, 3000, 3003, and 4400 to 4499 but 4408 and 4429, which private protocols derive from the HTTP
/// statuses), and retries everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReconnectRules {
    /// Each attempt has new credentials, because a provider returns its address. The default then retries 3000 and 4401, by which a server
    /// rejects credentials such as an expired token. 1008 and the codes for what is forbidden (3003, 4403) stay final: another token of the
    /// same client changes neither a policy that it violates nor a right that it lacks.
    pub renews_credentials: bool,
    /// The application decides, through [`Action::Decide`](crate::Action::Decide). It does not decide about [`DropCause::Requested`], nor when
    /// the retries are exhausted.
    pub asks_application: bool,
}

impl ReconnectRules {
    /// The decision unless the application makes another one.
    pub fn default_decision(self, cause: &DropCause) -> Decision {
        match cause {
            DropCause::AddressRefused => Decision::Stop,
            DropCause::Closed { code, .. } if self.is_final(*code) => Decision::Stop,
            DropCause::Closed { local_fault: true, .. }
            | DropCause::HeartbeatTimeout { .. }
            | DropCause::NetworkChanged => Decision::RetrySoon,
            _ => Decision::Retry,
        }
    }

    /// Whether a server that closed with this code would do so again (the registry of RFC 6455, section 7.4.1, and IANA's).
    fn is_final(self, code: u16) -> bool {
        match code {
            // IANA's "Unauthorized", and the HTTP status of that name.
            3000 | 4401 => !self.renews_credentials,
            4408 | 4429 => false,
            1000 | 1002 | 1003 | 1007..=1010 | 3003 | 4400..=4499 => true,
            _ => false,
        }
    }
}

/// A lost connection or a failed attempt, and the attempt planned after it.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) cause: DropCause,
    pub(super) at_risk: AtRisk,
    /// What follows unless the application decides otherwise.
    pub(super) default: Decision,
    /// The decision that `retry` was planned for.
    planned: Decision,
    pub(super) retry: Retry,
    /// Whether it counts as a failure. An attempt without a network does not, nor does a page that was suspended: neither says anything
    /// about the server.
    pub(super) is_counted: bool,
}

/// Decides when to dial: counts failures, draws delays and keeps the floor between two dials.
#[derive(Debug)]
pub(super) struct RetrySchedule {
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
    pub(super) fn new(backoff: Backoff, seed: u64) -> Self {
        Self { backoff, random: Random::new(seed), failures: 0, earliest_dial: Time::ZERO, delayed_until: Time::ZERO }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn reset_failures(&mut self) {
        self.failures = 0;
    }

    /// The number of the next attempt since a connection was last stable.
    pub(super) fn next_attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// Whether so many more failures would exceed the retries that are allowed.
    pub(super) fn is_exhausted_by(&self, more: u32) -> bool {
        self.backoff.max_retries.is_some_and(|max| self.failures.saturating_add(more) > max)
    }

    /// Whether a connection that has been open since this time is stable.
    pub(super) fn is_stable(&self, since: Time, now: Time) -> bool {
        now - since >= self.backoff.stable_after
    }

    /// Records a dial, which may lie some time back.
    pub(super) fn dialed(&mut self, now: Time, ago: Time) {
        self.earliest_dial = now + self.backoff.floor - ago;
    }

    /// Records that the server wants no dial before this time.
    pub(super) fn delay(&mut self, until: Time) {
        self.delayed_until = until;
    }

    /// The first time at which the floor and the server allow a dial.
    pub(super) fn earliest_dial(&self, now: Time) -> Time {
        now.max(self.earliest_dial).max(self.delayed_until)
    }

    /// Plans the attempt that follows a loss.
    pub(super) fn plan(
        &mut self,
        now: Time,
        cause: DropCause,
        at_risk: AtRisk,
        default: Decision,
        had_no_network: bool,
        environment: &Environment,
    ) -> Loss {
        // The application may overrule a stop, and is shown the attempt that would follow.
        let planned = if default == Decision::Stop { Decision::Retry } else { default };
        let at = self.attempt_at(now, planned, &cause, had_no_network, environment);
        let attempt = self.failures.saturating_add((!had_no_network).into()).max(1);
        let retry = Retry { attempt, at: at.planned() };
        Loss { cause, at_risk, default, planned, retry, is_counted: !had_no_network }
    }

    /// A loss to the back/forward cache, after which the page's return brings the next attempt.
    pub(super) fn suspended(&self, at_risk: AtRisk) -> Loss {
        let (cause, default) = (DropCause::Suspended, Decision::Retry);
        let retry = Retry { attempt: self.next_attempt(), at: None };
        Loss { cause, at_risk, default, planned: default, retry, is_counted: false }
    }

    /// Counts a loss and returns the attempt that follows this decision.
    pub(super) fn follow(&mut self, now: Time, loss: &Loss, decision: Decision, environment: &Environment) -> Retry {
        let Loss { cause, planned, mut retry, is_counted, .. } = *loss;
        if let Some(at) = &mut retry.at {
            // A plan that agrees with the decision is kept: another draw would make a liar of the `Action::Decide` that announced it.
            *at = if decision == planned {
                now.max(*at)
            } else {
                self.attempt_at(now, decision, &cause, !is_counted, environment)
            };
        }
        if is_counted {
            self.failures = self.failures.saturating_add(1);
        }
        retry
    }

    fn attempt_at(
        &mut self,
        now: Time,
        decision: Decision,
        cause: &DropCause,
        had_no_network: bool,
        environment: &Environment,
    ) -> Time {
        let is_offline = environment.is_offline();
        if self.failures == 0 && decision == Decision::RetrySoon && !(is_offline && had_no_network) {
            let was_silent = matches!(cause, DropCause::HeartbeatTimeout { .. });
            return if was_silent && !environment.suspects_local_fault(now) {
                self.soon(now, self.backoff.quick_after_silence)
            } else {
                self.quick(now)
            };
        }
        if is_offline {
            // Without a network the next attempt waits for one. It is made all the same, because platforms err about that.
            now.max(self.delayed_until) + self.random.between(self.backoff.floor, self.backoff.max)
        } else {
            self.backed_off(now)
        }
    }

    /// When to retry after a fault on this side.
    pub(super) fn quick(&mut self, now: Time) -> Time {
        self.soon(now, self.backoff.quick)
    }

    fn soon(&mut self, now: Time, at_most: Time) -> Time {
        (now.max(self.delayed_until) + self.random.between(Time::ZERO, at_most)).max(self.earliest_dial)
    }

    /// When to retry after the present number of failures, spread over the whole delay.
    fn backed_off(&mut self, now: Time) -> Time {
        let max = self.backoff.max.as_secs_f64();
        let mut ceiling = self.backoff.first.as_secs_f64();
        for _ in 0..self.failures.min(64) {
            ceiling *= self.backoff.factor.max(1.0);
        }
        // Written so that a ceiling that overflowed to infinity or NaN becomes the maximum.
        let ceiling = if ceiling < max { Time::from_secs_f64(ceiling) } else { self.backoff.max };
        // A server that sheds load delays many clients at once, and they must not all come back when the delay ends.
        now.max(self.delayed_until) + self.random.between(self.backoff.floor, ceiling)
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
                .map(|_| schedule.backed_off(Time::ZERO))
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
            let delay = schedule.backed_off(Time::ZERO);
            assert!(bounds.contains(&delay), "{factor}: {delay:?}");
        }
    }

    fn after_close(rules: ReconnectRules, code: u16) -> Decision {
        rules.default_decision(&DropCause::closed(code, true))
    }

    #[test]
    fn codes_that_would_fail_the_same_way_again_stop() {
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, 4400, 4401, 4403, 4404] {
            assert_eq!(after_close(ReconnectRules::default(), code), Decision::Stop, "{code}");
        }
    }

    #[test]
    fn transient_codes_are_retried() {
        for code in [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4000, 4100, 4408, 4429, 4500] {
            assert_eq!(after_close(ReconnectRules::default(), code), Decision::Retry, "{code}");
        }
    }

    #[test]
    fn refused_credentials_are_retried_where_each_attempt_has_new_ones() {
        let rules = ReconnectRules { renews_credentials: true, ..ReconnectRules::default() };
        for code in [3000, 4401] {
            assert_eq!(after_close(rules, code), Decision::Retry, "{code}");
        }
        for code in [1000, 1008, 3003, 4400, 4403, 4404] {
            assert_eq!(after_close(rules, code), Decision::Stop, "{code}");
        }
    }
}

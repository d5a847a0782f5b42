//! Everything that the menu can do to a connection, one after the other, within a minute.

use super::timeline::Phase;
use crate::fault::{Disruption, Fault};

/// What is done, in turns. Kills are left out where the server cannot be killed.
const PLAN: [Disruption; 14] = [
    Disruption::Fault(Fault::Cut),
    Disruption::KillServer,
    Disruption::Fault(Fault::Refuse),
    Disruption::Fault(Fault::Close(1012)),
    Disruption::Fault(Fault::Delay(800)),
    Disruption::Fault(Fault::Silence),
    Disruption::Fault(Fault::Cut),
    Disruption::KillServer,
    Disruption::Fault(Fault::Garbage),
    Disruption::Fault(Fault::Close(1011)),
    Disruption::Fault(Fault::Refuse),
    Disruption::Fault(Fault::Cut),
    Disruption::KillServer,
    Disruption::Fault(Fault::Close(4000)),
];

/// Milliseconds that the connection is attached before it is broken again.
const CALM: f64 = 1_000.0;
/// The least time between two disruptions.
const APART: f64 = 2_500.0;
/// After which time something that did nothing, as a kill that the server refused, is over.
const NO_EFFECT: f64 = 6_000.0;
/// How long the page waits for the next attempt before it makes it: a visitor would press “Reconnect now”.
const PATIENCE: f64 = 1_500.0;
/// How long it waits for the library to notice a connection that is silent.
const PATIENCE_WITH_SILENCE: f64 = 9_000.0;
/// How long a slow connection is kept.
const SLOW: f64 = 3_000.0;
/// The last part of the time, in which nothing is broken any more.
const END: f64 = 4_000.0;
/// How long the last messages may take to arrive.
const SETTLING: f64 = 30_000.0;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Disrupt(Disruption),
    /// Make the next attempt now, without a fault.
    Reconnect,
    /// The time is over: what is published from now on does not count.
    Settle,
    /// All has arrived, or would have.
    Finish,
}

/// A run of the plan. Times are in milliseconds, by any clock.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Torture {
    started: f64,
    length: f64,
    can_kill: bool,
    /// How often something was done.
    pub(super) disruptions: usize,
    pub(super) kills: usize,
    latest: Option<(f64, Disruption)>,
    /// The phase of the connection and since when.
    phase: (f64, Phase),
    /// Whether the connection was down since the latest disruption.
    was_down: bool,
    settling_since: Option<f64>,
    is_stopped: bool,
}

impl Torture {
    pub(super) fn new(now: f64, length: f64, can_kill: bool) -> Self {
        Self {
            started: now,
            length,
            can_kill,
            disruptions: 0,
            kills: 0,
            latest: None,
            phase: (now, Phase::Waiting),
            was_down: false,
            settling_since: None,
            is_stopped: false,
        }
    }

    pub(super) fn started(&self) -> f64 {
        self.started
    }

    pub(super) fn length(&self) -> f64 {
        self.length
    }

    /// The visitor has had enough.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    pub(super) fn is_settling(&self) -> bool {
        self.settling_since.is_some()
    }

    /// How long it broke things, in milliseconds.
    pub(super) fn lasted(&self) -> f64 {
        self.settling_since.map_or(self.length, |until| (until - self.started).min(self.length))
    }

    /// The latest that was done.
    pub(super) fn latest(&self) -> Option<Disruption> {
        self.latest.map(|(_, disruption)| disruption)
    }

    /// What to do now. It is asked often. `is_complete`: everything that was published during the run has arrived or is lost.
    pub(super) fn next(&mut self, now: f64, phase: Phase, is_complete: bool) -> Option<Step> {
        if self.phase.1 != phase {
            self.phase = (now, phase);
        }
        self.was_down |= phase != Phase::Attached;
        if let Some(since) = self.settling_since {
            if is_complete || now - since > SETTLING {
                return Some(Step::Finish);
            }
            return self.hurry(now);
        }
        if self.is_stopped || now - self.started >= self.length {
            self.settling_since = Some(now);
            return Some(Step::Settle);
        }
        self.hurry(now).or_else(|| self.disrupt(now))
    }

    /// Makes an attempt where the connection is down for long, and ends a slow one.
    fn hurry(&mut self, now: f64) -> Option<Step> {
        let (since, phase) = self.phase;
        let is_slow = self.is_slow();
        let is_due = match phase {
            Phase::Attached => is_slow && self.was_down && now - since >= SLOW,
            _ if self.latest() == Some(Disruption::Fault(Fault::Silence)) => now - since >= PATIENCE_WITH_SILENCE,
            Phase::Connecting if is_slow => false,
            Phase::Connecting | Phase::Waiting => now - since >= PATIENCE,
        };
        if !is_due {
            return None;
        }
        if phase == Phase::Attached {
            self.latest = None;
        }
        // The next attempt is given as much time.
        self.phase.0 = now;
        Some(Step::Reconnect)
    }

    /// Whether the connection has a fault that only another one ends.
    fn is_slow(&self) -> bool {
        matches!(self.latest(), Some(Disruption::Fault(Fault::Delay(_))))
    }

    fn disrupt(&mut self, now: f64) -> Option<Step> {
        let (since, phase) = self.phase;
        let is_calm = phase == Phase::Attached && now - since >= CALM;
        let is_over = self.latest.is_none_or(|(at, _)| now - at >= if self.was_down { APART } else { NO_EFFECT });
        if !is_calm || !is_over || self.is_slow() || now - self.started > self.length - END.min(self.length / 3.0) {
            return None;
        }
        let plan = || PLAN.into_iter().filter(|step| self.can_kill || *step != Disruption::KillServer);
        let disruption = plan().cycle().nth(self.disruptions)?;
        self.disruptions += 1;
        self.kills += usize::from(disruption == Disruption::KillServer);
        self.latest = Some((now, disruption));
        self.was_down = false;
        Some(Step::Disrupt(disruption))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that is attached again so long after each disruption or attempt, unless it is silent.
    fn play(mut torture: Torture, recovery: f64) -> (Vec<(f64, Step)>, Torture) {
        let (mut steps, mut down_until) = (Vec::new(), 0.0);
        for tick in 0.. {
            let now = f64::from(tick) * 100.0;
            let phase = if now < down_until { Phase::Waiting } else { Phase::Attached };
            let Some(step) = torture.next(now, phase, true) else { continue };
            steps.push((now, step));
            match step {
                Step::Disrupt(Disruption::Fault(Fault::Silence)) => down_until = f64::INFINITY,
                Step::Disrupt(_) | Step::Reconnect => down_until = now + recovery,
                Step::Settle => {}
                Step::Finish => return (steps, torture),
            }
        }
        unreachable!("the run has an end")
    }

    fn disruptions(steps: &[(f64, Step)]) -> Vec<(f64, Disruption)> {
        steps
            .iter()
            .filter_map(|(at, step)| if let Step::Disrupt(done) = step { Some((*at, *done)) } else { None })
            .collect()
    }

    #[test]
    fn a_minute_has_time_for_the_whole_plan() {
        let (steps, torture) = play(Torture::new(0.0, 60_000.0, true), 600.0);
        let done = disruptions(&steps);
        assert!(done.len() >= PLAN.len(), "{}", done.len());
        assert!(done.iter().zip(PLAN).all(|((_, done), planned)| *done == planned));
        assert_eq!((torture.disruptions, torture.kills >= 3), (done.len(), true));
        assert!(done.windows(2).all(|pair| pair[1].0 - pair[0].0 >= APART));
    }

    #[test]
    fn a_server_that_cannot_be_killed_is_not() {
        let (steps, torture) = play(Torture::new(0.0, 60_000.0, false), 600.0);
        assert!(disruptions(&steps).iter().all(|(_, done)| *done != Disruption::KillServer));
        assert_eq!(torture.kills, 0);
    }

    #[test]
    fn nothing_is_broken_shortly_before_the_end() {
        for length in [6_000.0, 60_000.0] {
            let (steps, _) = play(Torture::new(0.0, length, true), 600.0);
            let last = disruptions(&steps).last().map(|(at, _)| *at);
            assert!(last.is_some_and(|at| at <= length - 2_000.0), "{last:?} of {length}");
        }
    }

    #[test]
    fn a_slow_connection_is_replaced_after_a_while() {
        let (steps, _) = play(Torture::new(0.0, 60_000.0, false), 600.0);
        let slow = steps.iter().position(|(_, step)| *step == Step::Disrupt(Disruption::Fault(Fault::Delay(800))));
        let after: Vec<_> = steps[slow.unwrap()..].iter().take(2).copied().collect();
        assert_eq!(after[1].1, Step::Reconnect);
        assert!((SLOW..SLOW + 1_000.0).contains(&(after[1].0 - after[0].0)), "{after:?}");
    }

    #[test]
    fn an_attempt_is_made_where_the_backoff_waits_for_long() {
        let mut torture = Torture::new(0.0, 60_000.0, true);
        assert_eq!(torture.next(0.0, Phase::Waiting, true), None);
        assert_eq!(torture.next(PATIENCE, Phase::Waiting, true), Some(Step::Reconnect));
        assert_eq!(torture.next(PATIENCE + 100.0, Phase::Waiting, true), None, "the attempt has its time");
    }

    #[test]
    fn the_run_waits_for_the_last_messages_but_not_for_ever() {
        let mut torture = Torture::new(0.0, 1_000.0, true);
        assert_eq!(torture.next(1_000.0, Phase::Attached, false), Some(Step::Settle));
        assert_eq!(torture.next(2_000.0, Phase::Attached, false), None);
        let mut other = torture.clone();
        assert_eq!(torture.next(2_100.0, Phase::Attached, true), Some(Step::Finish));
        assert_eq!(other.next(1_001.0 + SETTLING, Phase::Attached, false), Some(Step::Finish));
    }

    #[test]
    fn a_run_that_is_stopped_says_how_long_it_lasted() {
        let mut torture = Torture::new(0.0, 60_000.0, true);
        torture.next(100.0, Phase::Attached, true);
        torture.stop();
        assert_eq!(torture.next(23_000.0, Phase::Attached, true), Some(Step::Settle));
        assert_eq!(torture.lasted(), 23_000.0);
    }
}

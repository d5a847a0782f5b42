use everwire_companion_api::tracker::ClientMessage;

use super::fix::Fix;
use super::identity::Identity;
use super::precision::Precision;
use super::problem::Problem;

/// How often somebody who stays at one place says so again, in milliseconds. Without it a last update of an hour ago could
/// mean a nap or a dead battery.
const STILL_HERE: f64 = 30_000.0;

/// What the visitor wants others to know, and what they were told.
///
/// Each method returns what to send now. Nothing is ever sent but between [`start`](Self::start) and
/// [`stop`](Self::stop).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sharing {
    precision: Precision,
    stage: Stage,
    problem: Option<Problem>,
    /// Who shares, or shared last; none before the first start.
    identity: Option<Identity>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Off,
    /// The visitor pressed the button; the device has not answered yet.
    Locating,
    On {
        /// As measured. It does not leave the page.
        measured: Fix,
        told: Fix,
        /// When, by this machine's clock.
        told_at: f64,
    },
}

impl Sharing {
    pub(super) fn new(precision: Precision) -> Self {
        Self { precision, ..Self::default() }
    }

    /// The visitor pressed the button, and shares under this identity unless they share already.
    pub(super) fn start(&mut self, identity: Identity) {
        if self.stage == Stage::Off {
            self.identity = Some(identity);
            self.problem = None;
            self.stage = Stage::Locating;
        }
    }

    /// The device measured a position. After a stop it is too late, and nothing is told.
    pub(super) fn measured(&mut self, fix: Fix, now: f64) -> Option<ClientMessage> {
        if self.stage == Stage::Off {
            return None;
        }
        self.problem = None;
        self.tell(fix, now)
    }

    /// The device cannot measure a position.
    pub(super) fn failed(&mut self, problem: Problem) -> Option<ClientMessage> {
        if self.stage == Stage::Off {
            return None;
        }
        let farewell = if problem.is_final() { self.stop() } else { None };
        self.problem = Some(problem);
        farewell
    }

    /// The visitor chose another precision. Who shares is known by it at once.
    pub(super) fn set_precision(&mut self, precision: Precision, now: f64) -> Option<ClientMessage> {
        self.precision = precision;
        match self.stage {
            Stage::On { measured, .. } => self.tell(measured, now),
            Stage::Off | Stage::Locating => None,
        }
    }

    /// A new connection, on which the visitor has said nothing yet.
    pub(super) fn connected(&mut self, now: f64) -> Option<ClientMessage> {
        self.repeat(now)
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now: f64) -> Option<ClientMessage> {
        match self.stage {
            Stage::On { told_at, .. } if now - told_at >= STILL_HERE && self.problem.is_none() => self.repeat(now),
            _ => None,
        }
    }

    /// The visitor pressed stop.
    pub(super) fn stop(&mut self) -> Option<ClientMessage> {
        self.problem = None;
        match std::mem::take(&mut self.stage) {
            Stage::On { .. } => self.identity.as_ref().map(Identity::leave),
            Stage::Off | Stage::Locating => None,
        }
    }

    /// Who shares, or shared last.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether the visitor pressed the button and did not press stop.
    pub(super) fn is_wanted(&self) -> bool {
        self.stage != Stage::Off
    }

    /// What others were told last; none before the first position.
    pub(super) fn told(&self) -> Option<Fix> {
        match self.stage {
            Stage::On { told, .. } => Some(told),
            Stage::Off | Stage::Locating => None,
        }
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        self.problem
    }

    /// Tells a position as precisely as the visitor likes, if others do not know it yet.
    fn tell(&mut self, measured: Fix, now: f64) -> Option<ClientMessage> {
        let fix = self.precision.apply(measured);
        let Stage::On { told, told_at, .. } = self.stage else {
            self.stage = Stage::On { measured, told: fix, told_at: now };
            return self.report(fix);
        };
        let is_news = fix != told;
        self.stage = Stage::On { measured, told: fix, told_at: if is_news { now } else { told_at } };
        if is_news { self.report(fix) } else { None }
    }

    fn repeat(&mut self, now: f64) -> Option<ClientMessage> {
        let Stage::On { told, told_at, .. } = &mut self.stage else { return None };
        *told_at = now;
        let fix = *told;
        self.report(fix)
    }

    fn report(&self, fix: Fix) -> Option<ClientMessage> {
        self.identity.as_ref().map(|identity| identity.position(fix))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::map::LatLon;

    const HOME: Fix = Fix { place: LatLon::new(52.520_008, 13.404_954), accuracy: 4.0 };
    const NEXT_DOOR: Fix = Fix { place: LatLon::new(52.520_2, 13.405_1), accuracy: 4.0 };

    fn me() -> Identity {
        Identity::new("a secret of the visitor".to_owned().try_into().unwrap())
    }

    fn another() -> Identity {
        Identity::new("a secret of another".to_owned().try_into().unwrap())
    }

    fn report(fix: Fix) -> Option<ClientMessage> {
        Some(me().position(fix))
    }

    fn sharing(precision: Precision) -> Sharing {
        let mut sharing = Sharing::new(precision);
        sharing.start(me());
        assert_eq!(sharing.measured(HOME, 0.0), report(precision.apply(HOME)));
        sharing
    }

    #[test]
    fn what_stays_in_its_cell_is_not_told_again() {
        let mut sharing = sharing(Precision::Kilometre);
        assert_eq!(sharing.measured(NEXT_DOOR, 1.0), None);
        assert_ne!(Precision::Exact.apply(HOME), Precision::Exact.apply(NEXT_DOOR));
    }

    #[test]
    fn another_precision_holds_at_once() {
        let mut sharing = sharing(Precision::Exact);
        let coarse = Precision::TenKilometres.apply(HOME);
        assert_eq!(sharing.set_precision(Precision::TenKilometres, 1.0), report(coarse));
    }

    #[test]
    fn a_new_connection_is_told_the_last_position() {
        let mut sharing = sharing(Precision::Exact);
        assert_eq!(sharing.connected(5.0), report(HOME));
    }

    #[test]
    fn who_stays_says_so_twice_a_minute_unless_the_device_is_lost() {
        let mut sharing = sharing(Precision::Exact);
        assert_eq!(sharing.tick(STILL_HERE - 1.0), None);
        assert_eq!(sharing.tick(STILL_HERE), report(HOME));
        assert_eq!(sharing.tick(STILL_HERE + 1.0), None);
        sharing.failed(Problem::Unavailable);
        assert_eq!(sharing.tick(9.0 * STILL_HERE), None);
    }

    #[test]
    fn a_refusal_ends_sharing_and_a_weak_signal_does_not() {
        let mut weak = sharing(Precision::Exact);
        assert_eq!((weak.failed(Problem::Timeout), weak.is_wanted()), (None, true));
        assert_eq!(weak.problem(), Some(Problem::Timeout));
        weak.measured(NEXT_DOOR, 1.0);
        assert_eq!(weak.problem(), None, "a position ends the problem");

        let mut refused = sharing(Precision::Exact);
        assert_eq!((refused.failed(Problem::Denied), refused.is_wanted()), (Some(me().leave()), false));
        assert_eq!(refused.problem(), Some(Problem::Denied));
    }

    #[test]
    fn a_position_that_comes_after_the_stop_is_not_told() {
        let mut sharing = sharing(Precision::Exact);
        assert_eq!(sharing.stop(), Some(me().leave()));
        assert_eq!(sharing.measured(NEXT_DOOR, 1.0), None);
        assert_eq!(sharing.stop(), None);
    }

    #[test]
    fn a_second_start_does_not_forget_that_others_know() {
        let mut sharing = sharing(Precision::Exact);
        sharing.start(me());
        assert_eq!(sharing.stop(), Some(me().leave()));
    }

    #[test]
    fn a_second_start_while_sharing_keeps_the_identity_and_one_after_a_stop_does_not() {
        let mut sharing = sharing(Precision::Exact);
        sharing.start(another());
        assert_eq!(sharing.identity(), Some(&me()));
        sharing.stop();
        sharing.start(another());
        assert_eq!(sharing.identity(), Some(&another()));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Start,
        Stop,
        Measured(Fix),
        Failed(Problem),
        Choose(Precision),
        Connected,
        Tick,
    }

    fn step() -> impl Strategy<Value = Step> {
        let fix = (-90.0..90.0f64, -180.0..180.0f64, 0.0..100.0f64);
        let problem = prop_oneof![Just(Problem::Denied), Just(Problem::Timeout), Just(Problem::Unsupported)];
        prop_oneof![
            Just(Step::Start),
            Just(Step::Stop),
            fix.prop_map(|(lat, lon, accuracy)| Step::Measured(Fix { place: LatLon::new(lat, lon), accuracy })),
            problem.prop_map(Step::Failed),
            prop::sample::select(Precision::ALL.to_vec()).prop_map(Step::Choose),
            Just(Step::Connected),
            Just(Step::Tick),
        ]
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_page_unless_the_visitor_wants_it_and_nothing_finer(
            steps in proptest::collection::vec(step(), 1..60),
        ) {
            let mut sharing = Sharing::default();
            let mut measured = None;
            for (index, step) in steps.into_iter().enumerate() {
                let now = index as f64 * 20_000.0;
                let was_wanted = sharing.is_wanted();
                let sent = match step {
                    Step::Start => { sharing.start(me()); None }
                    Step::Stop => sharing.stop(),
                    Step::Measured(fix) => {
                        measured = Some(fix);
                        sharing.measured(fix, now)
                    }
                    Step::Failed(problem) => sharing.failed(problem),
                    Step::Choose(precision) => sharing.set_precision(precision, now),
                    Step::Connected => sharing.connected(now),
                    Step::Tick => sharing.tick(now),
                };
                match sent {
                    Some(ClientMessage::Leave { .. }) => prop_assert!(was_wanted && !sharing.is_wanted()),
                    Some(position) => {
                        prop_assert!(was_wanted);
                        let allowed = measured.and_then(|fix| report(sharing.precision().apply(fix)));
                        prop_assert_eq!(Some(position), allowed);
                    }
                    None => {}
                }
            }
        }
    }
}

use everwire_companion_api::tracker::{ClientMessage, Position};

use super::fix::Fix;
use super::identity::Identity;
use super::participants::Participants;
use super::precision::Precision;
use super::problem::Problem;
use super::server_clock::ServerClock;
use super::sharing::Sharing;
use crate::map::LatLon;

/// The state of the page, without I/O: events change it, and each method returns the message to send.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) participants: Participants,
    pub(super) sharing: Sharing,
    /// What the view moves to once it is known where that is.
    pub(super) target: Option<ViewTarget>,
    /// The participant that was picked on the map or in the list.
    pub(super) picked: Option<u64>,
    /// Whether the view keeps the visitor in its middle.
    is_following: bool,
    clock: ServerClock,
    /// Everyone who shares a position, while it arrives that way.
    arriving: Option<Vec<Position>>,
}

/// What the view moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ViewTarget {
    /// Everyone, from so far that it is seen where on Earth they are.
    Overview,
    /// Everyone, from as near as possible.
    Everyone,
    Me,
    One(u64),
}

impl State {
    pub(super) fn new(precision: Precision) -> Self {
        Self {
            participants: Participants::default(),
            sharing: Sharing::new(precision),
            target: Some(ViewTarget::Overview),
            picked: None,
            is_following: false,
            clock: ServerClock::default(),
            arriving: Some(Vec::new()),
        }
    }

    /// The server has welcomed the client, and may know nothing of the visitor.
    pub(super) fn connected(&mut self, now: f64) -> Option<ClientMessage> {
        self.sharing.connected(now)
    }

    /// A participant is here: one of everyone at the start, or one that has moved.
    pub(super) fn moved(&mut self, position: Position, now: f64) {
        self.clock.observe(position.time, now);
        match &mut self.arriving {
            Some(arriving) => arriving.push(position),
            None => self.participants.moved(position),
        }
        // What was still on its way when the visitor stopped is not shown.
        self.leave_map();
    }

    /// A participant shares its position no longer.
    pub(super) fn left(&mut self, id: u64) {
        match &mut self.arriving {
            Some(arriving) => arriving.retain(|position| position.id != id),
            None => self.participants.left(id),
        }
    }

    /// Everyone follows once more: some of what happened is missing, or the server has lost it.
    pub(super) fn everyone_follows(&mut self) {
        self.arriving = Some(Vec::new());
    }

    /// Everyone has arrived, or after a reconnect, whoever has changed.
    pub(super) fn caught_up(&mut self) {
        let Some(positions) = self.arriving.take() else { return };
        // An empty map has no one to move to, and must not jump when a participant appears later.
        self.target = self.target.filter(|target| *target != ViewTarget::Overview || !positions.is_empty());
        self.participants.replace(positions);
        self.leave_map();
    }

    /// The visitor pressed the button, and shares under this identity unless they share already.
    pub(super) fn start(&mut self, identity: Identity) {
        self.sharing.start(identity);
        if let Some(identity) = self.sharing.identity() {
            self.participants.i_am(identity.id());
        }
        self.follow();
    }

    /// The view moves to the visitor and stays with them.
    pub(super) fn follow(&mut self) {
        self.target = Some(ViewTarget::Me);
        self.is_following = true;
    }

    /// The visitor moves the view by hand, or wants to see something else.
    pub(super) fn stop_following(&mut self) {
        self.is_following = false;
        self.target = self.target.filter(|target| *target != ViewTarget::Me);
    }

    /// The visitor picked a participant: the view moves there.
    pub(super) fn pick(&mut self, id: u64) {
        self.stop_following();
        (self.picked, self.target) = (Some(id), Some(ViewTarget::One(id)));
    }

    /// The view moves so that everyone is in it.
    pub(super) fn show_everyone(&mut self) {
        self.stop_following();
        self.target = Some(ViewTarget::Everyone);
    }

    /// Whether the view stays with the visitor; none while they are not on the map.
    pub(super) fn is_following(&self) -> Option<bool> {
        self.participants.me().map(|_| self.is_following)
    }

    /// Where the middle of the view should be, once it has reached its target.
    pub(super) fn followed(&self) -> Option<LatLon> {
        let me = self.participants.me().filter(|_| self.is_following && self.target.is_none());
        me.map(|me| Fix::from(me.position).place)
    }

    pub(super) fn measured(&mut self, fix: Fix, now: f64) -> Option<ClientMessage> {
        self.sharing.measured(fix, now)
    }

    pub(super) fn failed(&mut self, problem: Problem) -> Option<ClientMessage> {
        let farewell = self.sharing.failed(problem);
        self.leave_map();
        farewell
    }

    pub(super) fn stop(&mut self) -> Option<ClientMessage> {
        let farewell = self.sharing.stop();
        self.leave_map();
        farewell
    }

    /// How long ago a position was received, in milliseconds, by the server's clock: as the connection measured it, or until then
    /// as estimated from the messages.
    pub(super) fn age_of(&self, time: f64, measured_now: Option<f64>, now: f64) -> Option<f64> {
        Some(measured_now.or_else(|| self.clock.at(now))? - time)
    }

    fn leave_map(&mut self) {
        if !self.sharing.is_wanted() {
            self.participants.forget_me();
            self.stop_following();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::LatLon;

    const HOME: Fix = Fix { place: LatLon::new(52.52, 13.4), accuracy: 4.0 };

    fn me() -> Identity {
        Identity::new("a secret of the visitor".to_owned().try_into().unwrap())
    }

    fn report(fix: Fix) -> Option<ClientMessage> {
        Some(me().position(fix))
    }

    fn position(id: u64, time: f64) -> Position {
        Position { id, lat: HOME.place.lat, lon: HOME.place.lon, accuracy: HOME.accuracy, time }
    }

    fn sharing() -> State {
        let mut state = State::new(Precision::Exact);
        state.connected(0.0);
        state.caught_up();
        state.start(me());
        assert_eq!(state.measured(HOME, 0.0), report(HOME));
        state.moved(position(me().id(), 0.0), 0.0);
        state
    }

    #[test]
    fn an_open_connection_alone_sends_nothing() {
        let mut state = State::new(Precision::Exact);
        assert_eq!(state.connected(0.0), None);
        assert_eq!(state.measured(HOME, 0.0), None);
    }

    #[test]
    fn sharing_resumes_on_a_new_connection_as_the_same_participant() {
        let mut state = sharing();
        assert_eq!(state.connected(5.0), report(HOME));
        // A server that was started again knows the visitor from before.
        state.everyone_follows();
        state.moved(position(me().id(), 0.0), 5.0);
        state.caught_up();
        state.moved(position(me().id(), 5.0), 5.0);
        let ids: Vec<_> = state.participants.all().map(|(id, _)| id).collect();
        assert_eq!(ids, [me().id()]);
        assert!(state.participants.me().is_some());
    }

    #[test]
    fn a_participant_that_left_while_everyone_arrives_is_not_among_them() {
        let mut state = State::new(Precision::Exact);
        state.moved(position(8, 0.0), 0.0);
        state.moved(position(9, 0.0), 0.0);
        state.left(8);
        state.caught_up();
        assert_eq!(state.participants.all().map(|(id, _)| id).collect::<Vec<_>>(), [9]);
        state.left(9);
        assert_eq!(state.participants.all().count(), 0);
    }

    #[test]
    fn after_a_stop_without_a_connection_no_ghost_of_the_visitor_comes_back() {
        let mut state = sharing();
        assert_eq!(state.stop(), Some(me().leave()));
        state.connected(5.0);
        state.everyone_follows();
        state.moved(position(me().id(), 0.0), 5.0);
        state.caught_up();
        assert_eq!(state.participants.all().count(), 0);
    }

    #[test]
    fn the_view_follows_the_visitor_from_the_start_until_they_look_elsewhere() {
        let mut state = sharing();
        assert_eq!((state.target, state.is_following()), (Some(ViewTarget::Me), Some(true)));
        assert_eq!(state.followed(), None, "it is on its way there");
        state.target = None;
        assert_eq!(state.followed(), Some(HOME.place));
        for look_elsewhere in [State::stop_following, |state: &mut State| state.pick(9), State::show_everyone] {
            let mut state = state.clone();
            look_elsewhere(&mut state);
            state.target = None;
            assert_eq!((state.followed(), state.is_following()), (None, Some(false)));
            state.follow();
            assert_eq!((state.target, state.is_following()), (Some(ViewTarget::Me), Some(true)));
        }
    }

    #[test]
    fn a_view_moved_by_hand_before_the_first_position_stays_where_it_is() {
        let mut state = State::new(Precision::Exact);
        state.start(me());
        state.stop_following();
        assert_eq!(state.target, None);
    }

    #[test]
    fn the_view_follows_only_a_visitor_who_shares() {
        let mut state = sharing();
        state.stop();
        assert_eq!((state.target, state.followed(), state.is_following()), (None, None, None));
    }

    #[test]
    fn an_own_position_that_was_under_way_at_the_stop_does_not_bring_the_visitor_back() {
        let mut state = sharing();
        assert_eq!(state.stop(), Some(me().leave()));
        state.moved(position(me().id(), 1.0), 1.0);
        assert_eq!(state.participants.all().count(), 0);
        assert_eq!(state.connected(2.0), None);
    }

    #[test]
    fn an_empty_map_does_not_jump_when_a_participant_appears() {
        let mut state = State::new(Precision::Exact);
        assert_eq!(state.target, Some(ViewTarget::Overview));
        state.caught_up();
        assert_eq!(state.target, None);
    }

    #[test]
    fn ages_are_by_the_servers_clock_even_before_it_was_measured() {
        let mut state = sharing();
        state.moved(position(9, 100_000.0), 40_000.0);
        assert_eq!(state.age_of(100_000.0, None, 43_000.0), Some(3_000.0));
        assert_eq!(state.age_of(100_000.0, Some(104_000.0), 43_000.0), Some(4_000.0));
    }
}

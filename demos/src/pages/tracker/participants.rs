use std::collections::{BTreeMap, VecDeque};

use everwire_companion_api::tracker::Position;

use super::fix::Fix;
use super::trail::Trail;

/// Nobody moves faster, in metres a second. A longer way between two connections is not a way but another person: of those
/// who have no secret, a server that was restarted gives out the ids again.
const FASTEST: f64 = 100.0;

/// How many who left are remembered, in case that they have only lost their connection.
const MOST_AWAY: usize = 100;

/// Everyone who shares a position, as the server told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Participants {
    /// The id of this page's participant; none before the visitor shared.
    me: Option<u64>,
    present: BTreeMap<u64, Participant>,
    /// Who left, the latest last: their trails go on if they come back.
    away: VecDeque<(u64, Participant)>,
}

/// Somebody who shares a position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Participant {
    pub(super) position: Position,
    pub(super) trail: Trail,
}

impl Participants {
    /// The visitor shares under this id from now on.
    pub(super) fn i_am(&mut self, id: u64) {
        self.me = Some(id);
    }

    /// The visitor stopped sharing: leaves the map at once, without waiting for the server to say so.
    pub(super) fn forget_me(&mut self) {
        if let Some(me) = self.me {
            self.present.remove(&me);
        }
    }

    /// The id of this page's participant.
    pub(super) fn my_id(&self) -> Option<u64> {
        self.me
    }

    /// The visitor, if on the map.
    pub(super) fn me(&self) -> Option<&Participant> {
        self.present.get(&self.me?)
    }

    pub(super) fn get(&self, id: u64) -> Option<&Participant> {
        self.present.get(&id)
    }

    /// Everyone on the map: the visitor first, then the others by id.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Participant)> {
        let me = self.me;
        let mine = me.and_then(|id| Some((id, self.present.get(&id)?)));
        let others = self.present.iter().map(|(id, participant)| (*id, participant));
        mine.into_iter().chain(others.filter(move |(id, _)| Some(*id) != me))
    }

    /// Everyone who shares a position, as the channel has it now: others have gone meanwhile. Only the visitor is still there, and about
    /// to say so.
    pub(super) fn replace(&mut self, positions: Vec<Position>) {
        let before = std::mem::take(&mut self.present);
        for (id, participant) in before {
            if self.me == Some(id) {
                self.present.insert(id, participant);
            } else {
                self.went_away(id, participant);
            }
        }
        positions.into_iter().for_each(|position| self.moved(position));
    }

    /// A participant shares a new position.
    pub(super) fn moved(&mut self, position: Position) {
        let id = position.id;
        if !self.present.contains_key(&id) {
            let participant = self.came_back(&position).unwrap_or_else(|| Participant::new(position));
            self.present.insert(id, participant);
        }
        if let Some(participant) = self.present.get_mut(&id) {
            participant.position = position;
            participant.trail.push(Fix::from(position).place);
        }
    }

    /// A participant shares its position no longer.
    pub(super) fn left(&mut self, id: u64) {
        if let Some(participant) = self.present.remove(&id) {
            self.went_away(id, participant);
        }
    }

    fn went_away(&mut self, id: u64, participant: Participant) {
        if self.away.len() == MOST_AWAY {
            self.away.pop_front();
        }
        self.away.push_back((id, participant));
    }

    /// Who was away under this id, if it can be the same person.
    fn came_back(&mut self, position: &Position) -> Option<Participant> {
        let index = self.away.iter().position(|(id, _)| *id == position.id)?;
        let (_, participant) = self.away.remove(index)?;
        participant.can_have_moved_to(position).then_some(participant)
    }
}

impl Participant {
    fn new(position: Position) -> Self {
        Self { position, trail: Trail::default() }
    }

    fn can_have_moved_to(&self, position: &Position) -> bool {
        let seconds = (position.time - self.position.time) / 1e3;
        let metres = Fix::from(self.position).place.distance_to(Fix::from(*position).place);
        seconds >= 0.0 && metres <= FASTEST * seconds + self.position.accuracy + position.accuracy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: u64, lat: f64, seconds: f64) -> Position {
        Position { id, lat, lon: 0.0, accuracy: 5.0, time: seconds * 1e3 }
    }

    fn connected(positions: Vec<Position>) -> Participants {
        let mut participants = Participants::default();
        participants.replace(positions);
        participants
    }

    fn reconnect(participants: &mut Participants, positions: Vec<Position>) {
        participants.replace(positions);
    }

    fn ids(participants: &Participants) -> Vec<u64> {
        participants.all().map(|(id, _)| id).collect()
    }

    fn steps(participants: &Participants, id: u64) -> usize {
        participants.get(id).unwrap().trail.points().count()
    }

    #[test]
    fn the_visitor_comes_first_and_the_others_by_id() {
        let mut participants = connected(vec![at(9, 1.0, 0.0), at(2, 2.0, 0.0)]);
        participants.i_am(5);
        participants.moved(at(5, 3.0, 1.0));
        assert_eq!(ids(&participants), [5, 2, 9]);
        assert_eq!(participants.me().unwrap().position, at(5, 3.0, 1.0));
    }

    #[test]
    fn who_leaves_is_gone() {
        let mut participants = connected(vec![at(2, 2.0, 0.0)]);
        participants.left(2);
        assert_eq!(participants.all().count(), 0);
    }

    #[test]
    fn who_vanished_while_the_line_was_down_does_not_remain() {
        let mut participants = connected(vec![at(2, 2.0, 0.0), at(3, 3.0, 0.0)]);
        reconnect(&mut participants, vec![at(3, 3.0, 0.0)]);
        assert_eq!(ids(&participants), [3]);
    }

    #[test]
    fn over_a_reconnect_the_visitor_stays_the_same_and_nobody_else() {
        let mut participants = connected(vec![]);
        participants.i_am(7);
        participants.moved(at(7, 1.0, 0.0));
        for left_behind in [vec![], vec![at(7, 1.0, 0.0)]] {
            reconnect(&mut participants, left_behind);
            assert_eq!(ids(&participants), [7]);
        }
        participants.moved(at(7, 1.000_1, 20.0));
        assert_eq!((ids(&participants), steps(&participants, 7)), (vec![7], 2));
    }

    #[test]
    fn a_trail_goes_on_over_a_reconnect_if_the_way_can_have_been_walked() {
        let mut participants = connected(vec![at(2, 0.0, 0.0)]);
        reconnect(&mut participants, vec![at(2, 0.001, 60.0)]);
        assert_eq!(steps(&participants, 2), 2);
    }

    #[test]
    fn the_trail_of_somebody_else_goes_on_after_they_lost_their_connection() {
        let mut participants = connected(vec![at(2, 0.0, 0.0)]);
        participants.left(2);
        participants.moved(at(2, 0.001, 60.0));
        assert_eq!((ids(&participants), steps(&participants, 2)), (vec![2], 2));
    }

    #[test]
    fn an_id_given_out_again_by_a_restarted_server_inherits_no_trail() {
        let mut participants = connected(vec![at(2, 0.0, 0.0)]);
        reconnect(&mut participants, vec![at(2, 50.0, 60.0)]);
        assert_eq!(steps(&participants, 2), 1);
    }

    #[test]
    fn of_those_who_left_no_more_than_a_hundred_are_remembered() {
        let mut participants = Participants::default();
        for id in 0..200 {
            participants.moved(at(id, 0.0, 0.0));
            participants.left(id);
        }
        assert_eq!(participants.away.len(), MOST_AWAY);
    }

    #[test]
    fn stopping_takes_me_and_my_trail_off_the_map_before_the_server_says_so() {
        let mut participants = connected(vec![at(2, 2.0, 0.0)]);
        participants.i_am(1);
        participants.moved(at(1, 1.0, 0.0));
        participants.forget_me();
        assert_eq!(ids(&participants), [2]);
        participants.i_am(3);
        participants.moved(at(3, 1.5, 9.0));
        assert_eq!(steps(&participants, 3), 1, "a new start has no past");
    }
}

use std::collections::BTreeMap;

use super::trail::Trail;
use super::wire::{Position, Told};

/// Nobody moves faster, in metres a second. A longer way between two connections is not a way but another person: a
/// server that was restarted gives out its numbers again.
const FASTEST: f64 = 100.0;

/// Everyone who shares a position, as the server told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Participants {
    /// The number of this page's connection, which is also that of its participant.
    me: Option<u64>,
    present: BTreeMap<u64, Participant>,
    /// My own trail, kept while my number changes with the connection.
    my_trail: Option<Trail>,
}

/// Somebody who shares a position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Participant {
    pub(super) position: Position,
    pub(super) trail: Trail,
}

impl Participants {
    /// Takes in what the server told.
    pub(super) fn hear(&mut self, told: Told) {
        match told {
            Told::Welcome { id } => self.begin(id),
            Told::Positions { positions } => self.replace(positions),
            Told::Position(position) => self.moved(position),
            Told::Left { id } => {
                self.present.remove(&id);
            }
        }
    }

    /// The visitor stopped sharing: leaves the map at once, without waiting for the server to say so.
    pub(super) fn forget_me(&mut self) {
        self.my_trail = None;
        if let Some(me) = self.me {
            self.present.remove(&me);
        }
    }

    /// The number of this page's participant.
    pub(super) fn my_number(&self) -> Option<u64> {
        self.me
    }

    /// The visitor, if on the map.
    pub(super) fn me(&self) -> Option<&Participant> {
        self.present.get(&self.me?)
    }

    pub(super) fn get(&self, id: u64) -> Option<&Participant> {
        self.present.get(&id)
    }

    /// Everyone on the map: the visitor first, then the others by number.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Participant)> {
        let me = self.me;
        let mine = me.and_then(|id| Some((id, self.present.get(&id)?)));
        let others = self.present.iter().map(|(id, participant)| (*id, participant));
        mine.into_iter().chain(others.filter(move |(id, _)| Some(*id) != me))
    }

    /// A new connection, under a new number. The participant of the old one is a ghost of this page.
    fn begin(&mut self, id: u64) {
        if let Some(ghost) = self.me.replace(id).and_then(|old| self.present.remove(&old)) {
            self.my_trail = Some(ghost.trail);
        }
    }

    /// The whole truth of a new connection: who is not in it has gone meanwhile. A trail goes on only where the same
    /// person can have walked it.
    fn replace(&mut self, positions: Vec<Position>) {
        let mut before = std::mem::take(&mut self.present);
        for position in positions {
            if let Some(known) = before.remove(&position.id).filter(|known| known.can_have_moved_to(&position)) {
                self.present.insert(position.id, known);
            }
            self.moved(position);
        }
    }

    fn moved(&mut self, position: Position) {
        let kept = if self.me == Some(position.id) { self.my_trail.take() } else { None };
        let participant = self
            .present
            .entry(position.id)
            .or_insert_with(|| Participant { position, trail: kept.unwrap_or_default() });
        participant.position = position;
        participant.trail.push(position.place);
    }
}

impl Participant {
    fn can_have_moved_to(&self, position: &Position) -> bool {
        let seconds = (position.time - self.position.time) / 1e3;
        let metres = self.position.place.distance_to(position.place);
        seconds >= 0.0 && metres <= FASTEST * seconds + self.position.accuracy + position.accuracy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::LatLon;

    fn at(id: u64, lat: f64, seconds: f64) -> Position {
        Position { id, place: LatLon::new(lat, 0.0), accuracy: 5.0, time: seconds * 1e3 }
    }

    fn connected(id: u64, positions: Vec<Position>) -> Participants {
        let mut participants = Participants::default();
        reconnect(&mut participants, id, positions);
        participants
    }

    fn reconnect(participants: &mut Participants, id: u64, positions: Vec<Position>) {
        participants.hear(Told::Welcome { id });
        participants.hear(Told::Positions { positions });
    }

    fn numbers(participants: &Participants) -> Vec<u64> {
        participants.all().map(|(id, _)| id).collect()
    }

    fn steps(participants: &Participants, id: u64) -> usize {
        participants.get(id).unwrap().trail.points().count()
    }

    #[test]
    fn the_visitor_comes_first_and_the_others_by_number() {
        let mut participants = connected(5, vec![at(9, 1.0, 0.0), at(2, 2.0, 0.0)]);
        participants.hear(Told::Position(at(5, 3.0, 1.0)));
        assert_eq!(numbers(&participants), [5, 2, 9]);
        assert_eq!(participants.me().unwrap().position, at(5, 3.0, 1.0));
    }

    #[test]
    fn who_leaves_is_gone() {
        let mut participants = connected(1, vec![at(2, 2.0, 0.0)]);
        participants.hear(Told::Left { id: 2 });
        assert_eq!(participants.all().count(), 0);
    }

    #[test]
    fn who_vanished_while_the_line_was_down_does_not_remain() {
        let mut participants = connected(1, vec![at(2, 2.0, 0.0), at(3, 3.0, 0.0)]);
        reconnect(&mut participants, 4, vec![at(3, 3.0, 0.0)]);
        assert_eq!(numbers(&participants), [3]);
    }

    #[test]
    fn my_own_ghost_of_the_old_connection_does_not_remain_and_my_trail_goes_on() {
        let mut participants = connected(1, vec![]);
        participants.hear(Told::Position(at(1, 1.0, 0.0)));
        participants.hear(Told::Position(at(1, 1.000_1, 10.0)));
        reconnect(&mut participants, 7, vec![]);
        assert_eq!(participants.all().count(), 0);
        participants.hear(Told::Position(at(7, 1.000_2, 20.0)));
        assert_eq!((numbers(&participants), steps(&participants, 7)), (vec![7], 3));
    }

    #[test]
    fn a_trail_goes_on_over_a_reconnect_if_the_way_can_have_been_walked() {
        let mut participants = connected(1, vec![at(2, 0.0, 0.0)]);
        reconnect(&mut participants, 3, vec![at(2, 0.001, 60.0)]);
        assert_eq!(steps(&participants, 2), 2);
    }

    #[test]
    fn a_number_given_out_again_by_a_restarted_server_inherits_no_trail() {
        let mut participants = connected(1, vec![at(2, 0.0, 0.0)]);
        reconnect(&mut participants, 1, vec![at(2, 50.0, 60.0)]);
        assert_eq!(steps(&participants, 2), 1);
    }

    #[test]
    fn stopping_takes_me_and_my_trail_off_the_map_before_the_server_says_so() {
        let mut participants = connected(1, vec![at(2, 2.0, 0.0)]);
        participants.hear(Told::Position(at(1, 1.0, 0.0)));
        participants.forget_me();
        assert_eq!(numbers(&participants), [2]);
        reconnect(&mut participants, 3, vec![]);
        participants.hear(Told::Position(at(3, 1.5, 9.0)));
        assert_eq!(steps(&participants, 3), 1, "a new start has no past");
    }
}

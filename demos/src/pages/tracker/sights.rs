use yew::Callback;

use super::fix::Fix;
use super::identity::short;
use super::participants::{Participant, Participants};
use super::readable;
use crate::map::Sight;

/// How many colours the style sheet has for others.
const COLOURS: u64 = 7;

/// Everyone on the map, as the map shows them.
pub(super) fn sights(participants: &Participants, on_pick: &Callback<u64>) -> Vec<Sight> {
    let sight = |(id, participant): (u64, &Participant)| {
        let is_me = participants.my_id() == Some(id);
        let Fix { place, accuracy } = participant.position.into();
        Sight {
            id,
            letters: letters(id, is_me),
            description: format!("{}, {}", name(id, is_me), readable::place(place)),
            class: class(id, is_me),
            is_on_top: is_me,
            place,
            accuracy,
            trail: participant.trail.points().collect(),
            on_pick: on_pick.clone(),
        }
    };
    participants.all().map(sight).collect()
}

/// What somebody is called in a sentence.
pub(super) fn name(id: u64, is_me: bool) -> String {
    if is_me { "Me".to_owned() } else { format!("Participant {}", short(id)) }
}

/// What somebody is called on a marker.
pub(super) fn letters(id: u64, is_me: bool) -> String {
    if is_me { "Me".to_owned() } else { short(id) }
}

/// The class that gives somebody's marker, trail and row their colour. The letters are what tells people apart; the colour
/// helps the eye.
pub(super) fn class(id: u64, is_me: bool) -> String {
    if is_me { "who-me".to_owned() } else { format!("who-{}", id % COLOURS) }
}

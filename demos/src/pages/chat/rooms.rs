//! The rooms that the visitor sees, and which of them is shown.

use everwire_companion_api::chat::{ROOMS, room_name};
use serde::{Deserialize, Serialize};

use super::room::{ReadUpTo, Room};

/// The most rooms. Each is a subscription, of which a client has a limited number.
const MOST: usize = 40;

/// The rooms, in the order in which they are listed.
#[derive(Debug)]
pub(in crate::pages) struct Rooms {
    all: Vec<Room>,
    current: usize,
}

/// What is kept of a room for the next visit.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Remembered {
    name: String,
    read: Option<ReadUpTo>,
}

/// Why there is no such room.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRoom {
    #[error("Use letters, digits, - and _, at most 32.")]
    Name,
    #[error("Leave a room first: {MOST} are the most.")]
    TooMany,
}

impl Rooms {
    /// The rooms that are always there, and those of an earlier visit.
    pub(super) fn new(remembered: Option<&str>) -> Self {
        let remembered = remembered.and_then(|json| serde_json::from_str::<Vec<Remembered>>(json).ok());
        let remembered = remembered.unwrap_or_default();
        let read = |name: &str| remembered.iter().find(|room| room.name == name).and_then(|room| room.read);
        let added = remembered.iter().map(|room| &*room.name).filter(|name| !ROOMS.contains(name));
        let names = ROOMS.into_iter().chain(added).take(MOST);
        Self { all: names.map(|name| Room::new(name, read(name))).collect(), current: 0 }
    }

    pub(super) fn remembered(&self) -> String {
        let room = |room: &Room| Remembered { name: room.name.clone(), read: room.read_up_to() };
        let all: Vec<_> = self.all.iter().map(room).collect();
        serde_json::to_string(&all).unwrap_or_default()
    }

    pub(super) fn all(&self) -> &[Room] {
        &self.all
    }

    pub(super) fn current(&self) -> &Room {
        &self.all[self.current]
    }

    pub(super) fn current_mut(&mut self) -> &mut Room {
        &mut self.all[self.current]
    }

    pub(in crate::pages) fn get(&self, name: &str) -> Option<&Room> {
        self.all.iter().find(|room| room.name == name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Room> {
        self.all.iter_mut().find(|room| room.name == name)
    }

    /// Shows a room.
    pub(super) fn select(&mut self, name: &str) {
        if let Some(index) = self.all.iter().position(|room| room.name == name)
            && index != self.current
        {
            self.current_mut().leave();
            self.current = index;
        }
    }

    /// Shows a room that the visitor names, and lists it.
    pub(super) fn add(&mut self, typed: &str) -> Result<(), BadRoom> {
        let name = room_name(typed).ok_or(BadRoom::Name)?;
        if self.get_mut(&name).is_none() {
            if self.all.len() >= MOST {
                return Err(BadRoom::TooMany);
            }
            self.all.push(Room::new(&name, None));
        }
        self.select(&name);
        Ok(())
    }

    /// Removes a room from the list, unless it is always there or something in it waits to be sent.
    pub(super) fn remove(&mut self, name: &str) {
        if !self.can_be_removed(name) {
            return;
        }
        self.all.retain(|room| room.name != name);
        self.current = 0;
    }

    pub(super) fn can_be_removed(&self, name: &str) -> bool {
        let room = self.get(name);
        !ROOMS.contains(&name) && room.is_some_and(|room| room.outgoing.messages().is_empty())
    }

    /// The server is another one: the rooms are listed as before, and empty but for what the visitor wrote there.
    pub(super) fn begin_again(&mut self) {
        self.all.iter_mut().for_each(Room::begin_again);
    }

    pub(super) fn unread(&self) -> u64 {
        self.all.iter().map(Room::unread).sum()
    }

    /// Whether something of the visitor waits to be sent or for its answer.
    pub(super) fn are_waiting(&self) -> bool {
        self.all.iter().any(|room| room.outgoing.is_waiting())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rooms: &Rooms) -> Vec<&str> {
        rooms.all().iter().map(|room| &*room.name).collect()
    }

    #[test]
    fn a_room_that_a_visitor_names_is_shown_and_listed_once() {
        let mut rooms = Rooms::new(None);
        assert_eq!(rooms.add("#Rust Talk"), Ok(()));
        rooms.select("lobby");
        assert_eq!(rooms.add("rust-talk"), Ok(()));
        assert_eq!(
            (names(&rooms), &*rooms.current().name),
            (vec!["lobby", "help", "random", "rust-talk"], "rust-talk")
        );
        assert_eq!(rooms.add("a/b"), Err(BadRoom::Name));
    }

    #[test]
    fn there_is_a_limit() {
        let mut rooms = Rooms::new(None);
        let results: Vec<_> = (0..MOST).map(|number| rooms.add(&format!("room-{number}"))).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), MOST - ROOMS.len());
        assert_eq!(results.last(), Some(&Err(BadRoom::TooMany)));
    }

    #[test]
    fn rooms_and_what_was_read_are_there_at_the_next_visit() {
        let mut rooms = Rooms::new(Some(r#"[{"name":"help","read":[159,7]},{"name":"mine","read":null}]"#));
        assert_eq!(names(&rooms), ["lobby", "help", "random", "mine"]);
        assert_eq!(rooms.get_mut("help").and_then(|room| room.read_up_to()), Some(ReadUpTo(159, 7)));
        let again = Rooms::new(Some(&rooms.remembered()));
        assert_eq!((names(&again), again.remembered()), (names(&rooms), rooms.remembered()));
        assert_eq!(names(&Rooms::new(Some("nonsense"))), ROOMS);
    }

    #[test]
    fn only_rooms_of_the_visitor_can_be_left() {
        let mut rooms = Rooms::new(None);
        rooms.add("mine").expect("a name");
        rooms.remove("lobby");
        rooms.remove("mine");
        assert_eq!((names(&rooms), &*rooms.current().name), (ROOMS.to_vec(), "lobby"));
    }
}

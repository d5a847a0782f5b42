//! The messages of a room that the server has stored, as far as this page has them.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use everwire::client::Cursor;
use everwire_companion_api::chat::{HistoryPage, Message};

/// A place among the messages of a room. The generation counts the histories that the page has seen: each has offsets of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) generation: u32,
    pub(super) offset: u64,
}

/// A message at its place.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) place: Place,
    /// When the server stored it, in milliseconds since the Unix epoch.
    pub(super) time: f64,
    pub(super) content: Content,
}

#[derive(Debug, PartialEq)]
pub(super) enum Content {
    Message(Message),
    /// The author sent it once more, and it is at another place as well: not drawn.
    Repeated,
    /// Something else than a message was published.
    Unreadable,
}

/// Messages between those that the page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// The place after it.
    pub(super) before: Place,
    /// How many they are.
    pub(super) missing: u64,
    pub(super) kind: HoleKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoleKind {
    /// The server has some of them, or may have.
    Loadable,
    /// The server has them no more.
    Gone,
    /// They are older than all that the server has.
    Older,
}

/// What the page has of a room. Live messages, pages of history and acknowledgements may come in any order.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    entries: BTreeMap<Place, Rc<Entry>>,
    /// Where each message is, by its author and its id.
    by_id: HashMap<(String, String), Place>,
    generation: u32,
    /// The epoch of the present generation.
    epoch: Option<u64>,
    /// Everything up to this offset was delivered or is missing; what follows may still come.
    position: u64,
    /// The oldest message that the server has; known from pages.
    first: Option<u64>,
}

impl Timeline {
    /// The messages, in their order.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &Rc<Entry>> {
        self.entries.values()
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether the server has said where the room is.
    pub(super) fn is_known(&self) -> bool {
        self.epoch.is_some()
    }

    /// The offset up to which everything was delivered.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// A message of the subscription. Returns its entry if it is shown and was not before.
    pub(super) fn deliver(&mut self, cursor: Cursor, message: Option<Message>) -> Option<Rc<Entry>> {
        self.move_to(cursor);
        self.insert(cursor.offset, cursor.time as f64, message)
    }

    /// A message of the page's own was acknowledged, perhaps before messages that precede it were delivered.
    pub(super) fn confirm(&mut self, cursor: Cursor, message: Message) {
        if self.epoch == Some(cursor.epoch) {
            self.insert(cursor.offset, cursor.time as f64, Some(message));
        }
        // In another epoch, the subscription reports that one first, and its own copy then.
    }

    /// The subscription is at this position: what is missing up to it does not come by itself.
    pub(super) fn move_to(&mut self, cursor: Cursor) {
        if self.epoch != Some(cursor.epoch) {
            if self.epoch.replace(cursor.epoch).is_some() {
                self.generation += 1;
            }
            (self.position, self.first) = (0, None);
        }
        self.position = self.position.max(cursor.offset);
    }

    /// The page of history before this offset. Returns the entries that are new.
    pub(super) fn take_page(&mut self, before: Option<u64>, page: HistoryPage) -> Vec<Rc<Entry>> {
        let epoch = u64::from_str_radix(&page.epoch, 16).ok();
        if epoch.is_none() || epoch != self.epoch {
            return Vec::new();
        }
        self.first = Some(page.first);
        let stored = page.messages.into_iter().filter(|stored| stored.offset > 0);
        let new: Vec<_> =
            stored.filter_map(|stored| self.insert(stored.offset, stored.time as f64, stored.message)).collect();
        if new.is_empty() && before.is_some() && before == self.to_load() {
            // A server that does not have what it says it has would be asked for ever.
            self.first = before;
        }
        new
    }

    /// Which messages a page of history is to hold: those before this offset. `None` if nothing is missing that the server has.
    pub(super) fn to_load(&self) -> Option<u64> {
        let hole = self.holes().into_iter().rev().find(|hole| hole.kind == HoleKind::Loadable)?;
        Some(hole.before.offset)
    }

    /// What is missing, in its order.
    pub(super) fn holes(&self) -> Vec<Hole> {
        let mut holes = Vec::new();
        let mut previous = Place { generation: 0, offset: 0 };
        for place in self.entries.keys().copied() {
            if place.generation != previous.generation {
                previous = Place { offset: 0, ..place };
            }
            if place.generation == self.generation && place.offset > self.position {
                break;
            }
            holes.extend(self.hole(previous, place));
            previous = place;
        }
        if self.is_known() {
            let start = Place { generation: self.generation, offset: 0 };
            let end = Place { offset: self.position + 1, ..start };
            holes.extend(self.hole(previous.max(start), end));
        }
        holes
    }

    fn hole(&self, previous: Place, before: Place) -> Option<Hole> {
        let missing = (before.offset - previous.offset).checked_sub(1).filter(|missing| *missing > 0)?;
        let is_loadable = before.generation == self.generation && self.first.is_none_or(|first| first < before.offset);
        let kind = match (is_loadable, previous.offset) {
            (true, _) => HoleKind::Loadable,
            (false, 0) => HoleKind::Older,
            (false, _) => HoleKind::Gone,
        };
        Some(Hole { before, missing, kind })
    }

    fn insert(&mut self, offset: u64, time: f64, message: Option<Message>) -> Option<Rc<Entry>> {
        let place = Place { generation: self.generation, offset };
        if self.entries.contains_key(&place) {
            return None;
        }
        let content = match message {
            None => Content::Unreadable,
            Some(message) => {
                let id = (message.author.id.clone(), message.id.clone());
                if *self.by_id.entry(id).or_insert(place) == place {
                    Content::Message(message)
                } else {
                    Content::Repeated
                }
            }
        };
        let entry = Rc::new(Entry { place, time, content });
        self.entries.insert(place, Rc::clone(&entry));
        (entry.content != Content::Repeated).then_some(entry)
    }
}

impl Entry {
    pub(super) fn message(&self) -> Option<&Message> {
        if let Content::Message(message) = &self.content { Some(message) } else { None }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use everwire_companion_api::chat::{Author, Stored};
    use proptest::prelude::*;

    use super::*;

    pub(in crate::pages::chat) fn message(author: &str, id: &str) -> Message {
        let author = Author { id: author.to_owned(), name: format!("Name of {author}") };
        Message { id: id.to_owned(), author, text: format!("text of {id}") }
    }

    pub(in crate::pages::chat) fn at(offset: u64) -> Cursor {
        Cursor { epoch: 0x9f, offset, time: 1_000 * offset }
    }

    pub(in crate::pages::chat) fn page(offsets: std::ops::RangeInclusive<u64>, first: u64) -> HistoryPage {
        let stored =
            |offset: u64| Stored { offset, time: 1_000 * offset, message: Some(message("ada", &offset.to_string())) };
        let last = *offsets.end();
        HistoryPage { epoch: "9f".to_owned(), first, last, messages: offsets.map(stored).collect() }
    }

    fn offsets(timeline: &Timeline) -> Vec<u64> {
        timeline.entries().map(|entry| entry.place.offset).collect()
    }

    fn deliver(timeline: &mut Timeline, offset: u64) -> bool {
        timeline.deliver(at(offset), Some(message("ada", &offset.to_string()))).is_some()
    }

    #[test]
    fn a_message_that_comes_live_and_in_a_page_is_there_once() {
        let mut timeline = Timeline::default();
        assert!(deliver(&mut timeline, 3));
        assert_eq!(timeline.take_page(Some(4), page(2..=3, 1)).len(), 1);
        assert!(!deliver(&mut timeline, 3));
        assert_eq!(offsets(&timeline), [2, 3]);
    }

    #[test]
    fn pages_are_loaded_until_the_oldest_message_is_there() {
        let mut timeline = Timeline::default();
        deliver(&mut timeline, 100);
        assert_eq!(timeline.to_load(), Some(100));
        timeline.take_page(Some(100), page(50..=99, 20));
        assert_eq!(timeline.to_load(), Some(50));
        timeline.take_page(Some(50), page(20..=49, 20));
        assert_eq!(timeline.to_load(), None);
        let older = Hole { before: Place { generation: 0, offset: 20 }, missing: 19, kind: HoleKind::Older };
        assert_eq!(timeline.holes(), [older]);
    }

    #[test]
    fn a_room_from_its_first_message_on_has_no_hole() {
        let mut timeline = Timeline::default();
        assert_eq!((timeline.to_load(), timeline.holes().len()), (None, 0), "nothing is known yet");
        timeline.move_to(at(0));
        assert_eq!((timeline.to_load(), timeline.holes().len()), (None, 0), "an empty room");
        deliver(&mut timeline, 1);
        assert_eq!((timeline.to_load(), timeline.holes().len()), (None, 0));
    }

    #[test]
    fn what_a_gap_leaves_out_is_loaded_as_far_as_the_server_has_it() {
        let mut timeline = Timeline::default();
        (1..=3).for_each(|offset| _ = deliver(&mut timeline, offset));
        timeline.move_to(at(200));
        assert_eq!(timeline.to_load(), Some(201));
        timeline.take_page(Some(201), page(151..=200, 120));
        timeline.take_page(Some(151), page(120..=150, 120));
        assert_eq!(timeline.to_load(), None);
        let gone = Hole { before: Place { generation: 0, offset: 120 }, missing: 116, kind: HoleKind::Gone };
        assert_eq!(timeline.holes(), [gone]);
        assert!(deliver(&mut timeline, 201));
        assert_eq!(timeline.holes(), [gone]);
    }

    #[test]
    fn a_message_that_is_confirmed_before_those_ahead_of_it_arrive_makes_no_hole() {
        let mut timeline = Timeline::default();
        deliver(&mut timeline, 1);
        timeline.confirm(at(4), message("me", "mine"));
        assert_eq!((offsets(&timeline), timeline.holes()), (vec![1, 4], vec![]));
        deliver(&mut timeline, 2);
        deliver(&mut timeline, 3);
        assert!(timeline.deliver(at(4), Some(message("me", "mine"))).is_none(), "the own copy");
        assert_eq!((offsets(&timeline), timeline.holes()), (vec![1, 2, 3, 4], vec![]));
    }

    #[test]
    fn a_message_that_was_sent_twice_is_shown_once() {
        let mut timeline = Timeline::default();
        timeline.deliver(at(1), Some(message("ada", "same")));
        assert!(timeline.deliver(at(2), Some(message("ada", "same"))).is_none());
        assert!(timeline.deliver(at(3), Some(message("bob", "same"))).is_some(), "an id is its author's");
        assert_eq!(
            (timeline.entries().filter(|entry| entry.message().is_some()).count(), timeline.holes()),
            (2, vec![])
        );
    }

    #[test]
    fn what_was_shown_stays_above_a_history_that_begins_again() {
        let mut timeline = Timeline::default();
        deliver(&mut timeline, 7);
        timeline.take_page(Some(7), page(1..=6, 1));
        let other = |offset| Cursor { epoch: 0xa0, ..at(offset) };
        timeline.move_to(other(0));
        timeline.deliver(other(1), Some(message("bob", "x")));
        let places: Vec<_> = timeline.entries().map(|entry| (entry.place.generation, entry.place.offset)).collect();
        assert_eq!(places.last(), Some(&(1, 1)));
        assert_eq!((places.len(), timeline.to_load()), (8, None));
        assert!(timeline.take_page(Some(7), page(1..=6, 1)).is_empty(), "a page of the earlier history comes too late");
    }

    #[test]
    fn a_server_that_does_not_send_what_it_claims_to_have_is_asked_once() {
        let mut timeline = Timeline::default();
        deliver(&mut timeline, 100);
        let empty = HistoryPage { messages: Vec::new(), ..page(1..=1, 1) };
        timeline.take_page(Some(100), empty);
        assert_eq!(timeline.to_load(), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_first_the_same_messages_are_there_in_order(
            deliveries in Just((31..=60_u64).collect::<Vec<_>>()),
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
            cuts in proptest::collection::vec(0..30_usize, 6),
        ) {
            let mut timeline = Timeline::default();
            let mut live = deliveries.into_iter();
            deliver(&mut timeline, live.next().unwrap_or_default());
            for (index, cut) in order.into_iter().zip(cuts) {
                let from = index as u64 * 10 + 1;
                timeline.take_page(Some(from + 10), page(from..=(from + 9), 1));
                for offset in live.by_ref().take(cut) {
                    deliver(&mut timeline, offset);
                }
            }
            live.for_each(|offset| _ = deliver(&mut timeline, offset));
            prop_assert_eq!(offsets(&timeline), (1..=60).collect::<Vec<_>>());
            prop_assert_eq!(timeline.holes(), vec![]);
        }
    }
}

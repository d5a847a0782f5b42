//! What is drawn of a room, row by row.

use std::rc::Rc;

use super::clock::day;
use super::outgoing::Unconfirmed;
use super::room::{Loading, Room};
use super::timeline::{Content, Entry, Hole, HoleKind, Place};

/// Messages of one author that follow each other within so many milliseconds are one group.
const GROUP: f64 = 5.0 * 60_000.0;

/// The offsets of a block. A block is drawn again only when one of its rows has changed, and the browser lays out only blocks that
/// are near what is seen.
const BLOCK: u64 = 32;

/// A row of the log.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// The first row of a day, by its number since 1970.
    Day(i64),
    /// The first message that was unread.
    New,
    /// The room begins here.
    Start,
    /// The server keeps no older messages.
    Older,
    /// So many messages are missing for good.
    Gone(u64),
    /// A page of history is missing.
    Load(Load),
    /// The server's history began again.
    Restarted,
    Message {
        entry: Rc<Entry>,
        /// It belongs to the group of the message before it, whose author is not repeated.
        is_continued: bool,
        is_mine: bool,
    },
    Unconfirmed {
        message: Rc<Unconfirmed>,
        is_continued: bool,
    },
}

/// How it is with a missing page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Load {
    /// It is requested when it comes near what is seen, or is on its way.
    Soon,
    Failed(String),
    /// Another one is requested first.
    Later(u64),
}

/// Rows that are drawn together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    pub(super) key: BlockKey,
    pub(super) rows: Vec<Row>,
}

/// By what a block is found again when the log is drawn again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum BlockKey {
    /// The messages of a part of the offsets: those that follow a hole within it, or all.
    Messages {
        generation: u32,
        number: u64,
        hole: Option<u64>,
    },
    /// What is missing before a place.
    Hole(Place),
    Unconfirmed,
}

impl Block {
    /// Whether it is the row of a page that is requested when it comes near what is seen.
    pub(super) fn is_to_load(&self) -> bool {
        matches!(self.rows[..], [Row::Load(Load::Soon)])
    }
}

/// The rows of a room. `behind_utc`: the minutes that the visitor's clock is behind UTC.
pub(super) fn blocks(room: &Room, me: &str, behind_utc: f64) -> Vec<Block> {
    let mut rows = Rows { blocks: Vec::new(), behind_utc, group: None, split: None };
    let generation = room.timeline.generation();
    let holes = room.timeline.holes();
    let to_load = room.timeline.to_load();
    let load = |hole: &Hole| match &room.loading {
        _ if to_load != Some(hole.before.offset) => Load::Later(hole.missing),
        Loading::Failed(problem) => Load::Failed(problem.clone()),
        Loading::Idle | Loading::Running => Load::Soon,
    };
    let mut holes = holes.iter().peekable();
    let mut is_first_of_room = true;
    let mut previous_generation = 0;
    for entry in room.timeline.entries() {
        let place = entry.place;
        if place.generation != previous_generation {
            previous_generation = place.generation;
            rows.push(place, Row::Restarted);
        }
        if let Some(hole) = holes.next_if(|hole| hole.before <= place) {
            rows.hole(hole, load);
        } else if is_first_of_room && place.generation == generation && place.offset == 1 {
            rows.push(place, Row::Start);
        }
        is_first_of_room = false;
        if room.new_line() == Some(place) {
            rows.push(place, Row::New);
        }
        rows.entry(entry, me);
    }
    if previous_generation != generation {
        rows.push(Place { generation, offset: 0 }, Row::Restarted);
    }
    for hole in holes {
        rows.hole(hole, load);
    }
    if is_first_of_room && room.timeline.is_known() && room.timeline.position() == 0 {
        rows.push(Place { generation, offset: 0 }, Row::Start);
    }
    for message in room.outgoing.messages() {
        rows.unconfirmed(message);
    }
    rows.blocks
}

/// Rows that are being collected.
struct Rows<'a> {
    blocks: Vec<Block>,
    behind_utc: f64,
    /// The author, the name, the time and the day of the latest message.
    group: Option<(&'a str, &'a str, f64, i64)>,
    /// The latest hole, which is a block of its own.
    split: Option<Place>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, place: Place, row: Row) {
        let Place { generation, offset } = place;
        let number = offset / BLOCK;
        let is_split = |hole: &Place| (hole.generation, hole.offset / BLOCK) == (generation, number);
        let hole = self.split.filter(is_split).map(|hole| hole.offset);
        self.push_to(BlockKey::Messages { generation, number, hole }, row);
    }

    fn push_to(&mut self, key: BlockKey, row: Row) {
        if !matches!(row, Row::Message { .. } | Row::Unconfirmed { .. } | Row::Day(_)) {
            self.end_group();
        }
        match self.blocks.last_mut() {
            Some(block) if block.key == key => block.rows.push(row),
            _ => self.blocks.push(Block { key, rows: vec![row] }),
        }
    }

    /// The next message has its author above it.
    fn end_group(&mut self) {
        if let Some((author, ..)) = &mut self.group {
            *author = "";
        }
    }

    fn hole(&mut self, hole: &Hole, load: impl Fn(&Hole) -> Load) {
        let row = match hole.kind {
            HoleKind::Loadable => Row::Load(load(hole)),
            HoleKind::Gone => Row::Gone(hole.missing),
            HoleKind::Older => Row::Older,
        };
        self.push_to(BlockKey::Hole(hole.before), row);
        self.split = Some(hole.before);
    }

    fn entry(&mut self, entry: &'a Rc<Entry>, me: &str) {
        let (author, name) = match &entry.content {
            Content::Repeated => return,
            Content::Unreadable => ("", ""),
            Content::Message(message) => (&*message.author.id, &*message.author.name),
        };
        let (is_other_day, is_continued) = self.follows(author, name, entry.time);
        if let Some(day) = is_other_day {
            self.push(entry.place, Row::Day(day));
        }
        let is_mine = author == me;
        self.push(entry.place, Row::Message { entry: Rc::clone(entry), is_continued, is_mine });
    }

    fn unconfirmed(&mut self, message: &'a Rc<Unconfirmed>) {
        let author = &message.message.author;
        // Clocks differ: it follows what is there, whatever that one says.
        let time = self.group.as_ref().map_or(message.time, |(_, _, time, _)| message.time.max(*time));
        let (is_other_day, is_continued) = self.follows(&author.id, &author.name, time);
        if let Some(day) = is_other_day {
            self.push_to(BlockKey::Unconfirmed, Row::Day(day));
        }
        self.push_to(BlockKey::Unconfirmed, Row::Unconfirmed { message: Rc::clone(message), is_continued });
    }

    /// The day of a message where it is another one than that of the message before, and whether it belongs to the same group.
    fn follows(&mut self, author: &'a str, name: &'a str, time: f64) -> (Option<i64>, bool) {
        let today = day(time, self.behind_utc);
        let before = self.group.replace((author, name, time, today));
        let Some((other, other_name, other_time, other_day)) = before else { return (Some(today), false) };
        let is_same_day = other_day == today;
        let is_same = !author.is_empty() && other == author && other_name == name && time - other_time <= GROUP;
        ((!is_same_day).then_some(today), is_same_day && is_same)
    }
}

impl PartialEq for Row {
    /// Whether both are drawn the same. A message does not change.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Day(day), Self::Day(other)) => day == other,
            (Self::New, Self::New)
            | (Self::Start, Self::Start)
            | (Self::Older, Self::Older)
            | (Self::Restarted, Self::Restarted) => true,
            (Self::Gone(missing), Self::Gone(other)) => missing == other,
            (Self::Load(load), Self::Load(other)) => load == other,
            (
                Self::Message { entry, is_continued, is_mine },
                Self::Message { entry: other, is_continued: other_continued, is_mine: other_mine },
            ) => Rc::ptr_eq(entry, other) && (is_continued, is_mine) == (other_continued, other_mine),
            (
                Self::Unconfirmed { message, is_continued },
                Self::Unconfirmed { message: other, is_continued: other_continued },
            ) => message == other && is_continued == other_continued,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use everwire::client::Cursor;
    use everwire_companion_api::chat::{HistoryPage, Message};

    use super::super::room::Arrival;
    use super::super::timeline::tests::{message, page};
    use super::*;

    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;

    struct World(Room);

    impl World {
        fn new() -> Self {
            Self(Room::new("lobby", None))
        }

        fn hear(&mut self, offset: u64, time: u64, author: &str) {
            let cursor = Cursor { epoch: 0x9f, offset, time };
            let message = Some(message(author, &format!("{author}-{offset}")));
            self.0.take(Arrival::Message(cursor, message), Some(cursor), "me", true);
        }

        /// The rows in short.
        fn drawn(&self) -> Vec<String> {
            let blocks = blocks(&self.0, "me", 0.0);
            blocks.iter().flat_map(|block| &block.rows).map(short).collect()
        }
    }

    fn short(row: &Row) -> String {
        let of =
            |message: &Message, is_continued: &bool| format!("{}{}", if *is_continued { "+" } else { "" }, message.id);
        match row {
            Row::Day(day) => format!("day {day}"),
            Row::Message { entry, is_continued, .. } => {
                entry.message().map_or("?".to_owned(), |message| of(message, is_continued))
            }
            Row::Unconfirmed { message, is_continued } => format!("({})", of(&message.message, is_continued)),
            row => format!("{row:?}"),
        }
    }

    #[test]
    fn messages_of_one_author_within_minutes_are_a_group() {
        let mut world = World::new();
        world.hear(1, 0, "ada");
        world.hear(2, 4 * MINUTE, "ada");
        world.hear(3, 8 * MINUTE, "ada");
        world.hear(4, 8 * MINUTE, "bob");
        world.hear(5, 9 * MINUTE, "ada");
        world.hear(6, 15 * MINUTE, "ada");
        assert_eq!(world.drawn(), ["Start", "day 0", "ada-1", "+ada-2", "+ada-3", "bob-4", "ada-5", "ada-6"]);
    }

    #[test]
    fn a_day_begins_with_its_date_and_another_group() {
        let mut world = World::new();
        world.hear(1, DAY - MINUTE, "ada");
        world.hear(2, DAY + MINUTE, "ada");
        assert_eq!(world.drawn(), ["Start", "day 0", "ada-1", "day 1", "ada-2"]);
    }

    #[test]
    fn what_is_not_confirmed_comes_last_and_continues_the_group() {
        let mut world = World::new();
        world.hear(1, 10 * MINUTE, "me");
        // This machine's clock is behind.
        world.0.write("x", "mine".to_owned(), message("me", "").author, 0.0);
        world.hear(2, 10 * MINUTE, "me");
        assert_eq!(world.drawn(), ["Start", "day 0", "me-1", "+me-2", "(+mine)"]);
    }

    #[test]
    fn the_new_line_begins_another_group() {
        let mut world = World::new();
        world.hear(1, 0, "ada");
        world.0.take(Arrival::CaughtUp, None, "me", true);
        let cursor = Cursor { epoch: 0x9f, offset: 2, time: 1 };
        world.0.take(Arrival::Message(cursor, Some(message("ada", "b"))), Some(cursor), "me", false);
        assert_eq!(world.drawn(), ["Start", "day 0", "ada-1", "New", "b"]);
    }

    #[test]
    fn what_is_missing_has_a_row_in_its_place() {
        let mut world = World::new();
        world.hear(3, 3_000, "ada");
        world.0.take(Arrival::Gap(Cursor { epoch: 0x9f, offset: 90, time: 90_000 }), None, "me", true);
        world.hear(91, 91_000, "ada");
        assert_eq!(world.drawn(), ["Load(Later(2))", "day 0", "ada-3", "Load(Soon)", "ada-91"]);
        world.0.loading = Loading::Failed("no".to_owned());
        assert_eq!(world.drawn()[3], "Load(Failed(\"no\"))");
        world.0.take_page(Some(91), HistoryPage { first: 90, ..page(90..=90, 90) });
        assert_eq!(world.drawn(), ["Older", "day 0", "ada-3", "Gone(86)", "90", "+ada-91"]);
    }

    #[test]
    fn an_empty_room_begins() {
        let mut world = World::new();
        assert_eq!(world.drawn(), [""; 0]);
        let start = Cursor { epoch: 0x9f, offset: 0, time: 0 };
        world.0.take(Arrival::CaughtUp, Some(start), "me", true);
        assert_eq!(world.drawn(), ["Start"]);
    }

    #[test]
    fn a_history_that_begins_again_is_below_what_was_there() {
        let mut world = World::new();
        world.hear(1, 0, "ada");
        let cursor = Cursor { epoch: 0xa0, offset: 1, time: 1 };
        world.0.take(Arrival::Gap(Cursor { offset: 0, time: 0, ..cursor }), None, "me", true);
        assert_eq!(world.drawn(), ["day 0", "ada-1", "Restarted"]);
        world.0.take(Arrival::Message(cursor, Some(message("bob", "x"))), Some(cursor), "me", true);
        assert_eq!(world.drawn(), ["day 0", "ada-1", "Restarted", "x"]);
    }

    #[test]
    fn blocks_have_keys_of_their_own_also_around_a_hole() {
        let mut world = World::new();
        [3, 4, 8, 9, 12, 40].into_iter().for_each(|offset| world.hear(offset, offset, "ada"));
        let blocks = blocks(&world.0, "me", 0.0);
        let keys: std::collections::HashSet<_> = blocks.iter().map(|block| &block.key).collect();
        assert_eq!((keys.len(), blocks.iter().filter(|block| block.is_to_load()).count()), (blocks.len(), 1));
    }

    #[test]
    fn a_message_that_arrives_changes_one_block() {
        let mut world = World::new();
        (1..=1_000).for_each(|offset| world.hear(offset, offset, "ada"));
        let before = blocks(&world.0, "me", 0.0);
        world.hear(1_001, 1_001, "ada");
        world.0.take_page(Some(1), page(1..=1, 1));
        let after = blocks(&world.0, "me", 0.0);
        assert_eq!(before.len(), after.len());
        assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
    }
}

//! One room: its messages, what the visitor has written and read, and who is typing.

use std::rc::Rc;

use everwire::Delivery;
use everwire::client::{Cursor, PublishError};
use everwire_companion_api::chat::{Author, HistoryPage, Message};
use serde::{Deserialize, Serialize};

use super::outgoing::{Fate, MAY_BE_THERE, NOT_THERE, Outgoing, SWITCHED, fate_of};
use super::timeline::{Entry, Place, Timeline};
use super::typing::{Throttle, Typists};

/// A room as the page has it.
#[derive(Debug, Default)]
pub(in crate::pages) struct Room {
    pub(super) name: String,
    pub(super) timeline: Timeline,
    pub(in crate::pages) outgoing: Outgoing,
    pub(super) typists: Typists,
    pub(super) throttle: Throttle,
    /// What the visitor has typed and not sent.
    pub(super) draft: String,
    pub(super) loading: Loading,
    /// Why the server does not send it.
    pub(super) problem: Option<String>,
    /// Where the subscription goes on when the page is shown again.
    pub(super) cursor: Option<Cursor>,
    /// The messages that it started with have come.
    has_started: bool,
    unread: u64,
    /// The first message that was unread, until the visitor writes or leaves the room.
    new_line: Option<Place>,
    read: Option<ReadUpTo>,
}

/// The latest message that the visitor has seen: an epoch and an offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReadUpTo(pub(super) u64, pub(super) u64);

/// Whether a page of history is on its way.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Loading {
    #[default]
    Idle,
    Running,
    Failed(String),
}

/// What comes from the subscription of a room.
#[derive(Debug)]
pub(super) enum Arrival {
    /// What was published here; `None` if that is no message.
    Message(Cursor, Option<Message>),
    /// What was published up to here does not come.
    Gap(Cursor),
    /// Everything up to now has come.
    CaughtUp,
    Ended(String),
}

impl Arrival {
    pub(super) fn of(delivery: Delivery<Message>) -> Option<Self> {
        Some(match delivery {
            Delivery::Message(message) => Self::Message(message.cursor, Some(message.value)),
            Delivery::Undecodable(undecodable) => Self::Message(undecodable.cursor, None),
            Delivery::Removed(removed) => Self::Message(removed.cursor, None),
            Delivery::Gap(gap) => Self::Gap(gap.cursor),
            Delivery::CaughtUp => Self::CaughtUp,
            Delivery::Ended(error) => Self::Ended(error.to_string()),
            _ => return None,
        })
    }
}

/// What a look into the history says of a message whose fate is unknown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    Decided,
    /// It may be in the page before this offset.
    Further(u64),
}

impl Room {
    pub(super) fn new(name: &str, read: Option<ReadUpTo>) -> Self {
        Self { name: name.to_owned(), read, ..Self::default() }
    }

    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    pub(super) fn new_line(&self) -> Option<Place> {
        self.new_line
    }

    pub(super) fn read_up_to(&self) -> Option<ReadUpTo> {
        self.read
    }

    /// Something of the subscription, which is at this position now. `is_watched`: the visitor sees what comes. Returns a message
    /// of someone else that is new.
    pub(super) fn take(
        &mut self,
        arrival: Arrival,
        position: Option<Cursor>,
        me: &str,
        is_watched: bool,
    ) -> Option<Rc<Entry>> {
        self.cursor = position.or(self.cursor);
        self.problem = None;
        let (cursor, message) = match arrival {
            Arrival::Message(cursor, message) => (cursor, message),
            Arrival::Gap(cursor) => {
                self.timeline.move_to(cursor);
                return None;
            }
            Arrival::CaughtUp => {
                if let Some(position) = position {
                    self.timeline.move_to(position);
                }
                self.has_started = true;
                if is_watched {
                    self.mark_read();
                }
                return None;
            }
            Arrival::Ended(problem) => {
                self.problem = Some(problem);
                return None;
            }
        };
        let author = message.as_ref().map(|message| message.author.id.clone());
        let was_unconfirmed = message.as_ref().is_some_and(|message| self.outgoing.confirm(message));
        if let Some(author) = &author {
            self.typists.stopped(author);
        }
        let entry = self.timeline.deliver(cursor, message)?;
        if was_unconfirmed || author.as_deref() == Some(me) {
            return None;
        }
        let is_new = match self.read {
            // Of a room that the visitor has never seen, what is there is no news.
            None => self.has_started,
            Some(ReadUpTo(epoch, offset)) => self.has_started || (epoch == cursor.epoch && cursor.offset > offset),
        };
        if is_new && !is_watched {
            if self.unread == 0 {
                self.new_line = Some(entry.place);
            }
            self.unread += 1;
        }
        if is_watched {
            self.mark_read();
        }
        (is_new && self.has_started).then_some(entry)
    }

    /// The visitor sees the end of the room.
    pub(super) fn mark_read(&mut self) {
        self.unread = 0;
        if let Some(cursor) = self.cursor {
            self.read = Some(ReadUpTo(cursor.epoch, cursor.offset));
        }
    }

    /// The server is another one, with other messages. What the visitor wrote and is not confirmed stays, and can be sent there.
    pub(super) fn begin_again(&mut self) {
        let Self { name, mut outgoing, draft, read, .. } = std::mem::take(self);
        outgoing.interrupt(SWITCHED);
        *self = Self { name, outgoing, draft, read, ..Self::default() };
    }

    /// The visitor looks at another room.
    pub(super) fn leave(&mut self) {
        if self.unread == 0 {
            self.new_line = None;
        }
    }

    /// The visitor sends a text. Returns the message to publish.
    pub(super) fn write(&mut self, text: &str, id: String, author: Author, now: f64) -> Message {
        let message = Message { id, author, text: text.trim().to_owned() };
        self.outgoing.push(message.clone(), now, self.timeline.position());
        self.new_line = None;
        self.throttle.rest();
        self.draft.clear();
        message
    }

    /// The outcome of a publish. Returns whether the history has to be looked through for it.
    pub(super) fn published(&mut self, id: &str, outcome: Result<Cursor, PublishError>) -> bool {
        match outcome {
            Ok(cursor) => {
                // Without it, its own copy has come before.
                if let Some(unconfirmed) = self.outgoing.remove(id) {
                    self.timeline.confirm(cursor, unconfirmed.message.clone());
                }
                false
            }
            Err(error) => {
                let fate = fate_of(error);
                let is_unknown = fate == Fate::Looking;
                self.outgoing.set_fate(id, fate);
                is_unknown && self.outgoing.find(id).is_some()
            }
        }
    }

    /// The page of history before an offset. What it has of the visitor is confirmed.
    pub(super) fn take_page(&mut self, before: Option<u64>, page: HistoryPage) {
        for message in page.messages.iter().filter_map(|stored| stored.message.as_ref()) {
            self.outgoing.confirm(message);
        }
        self.timeline.take_page(before, page);
    }

    /// The page of history before an offset, in which a message of unknown fate was looked for. `None`: there is no page.
    pub(super) fn look(&mut self, id: &str, before: Option<u64>, page: Option<HistoryPage>) -> Look {
        let Some(page) = page else {
            self.outgoing.set_fate(id, Fate::Failed(MAY_BE_THERE.to_owned()));
            return Look::Decided;
        };
        let oldest = page.messages.first().map_or(0, |stored| stored.offset);
        let is_end = oldest <= page.first;
        self.take_page(before, page);
        let Some(unconfirmed) = self.outgoing.find(id) else { return Look::Decided };
        if !is_end && oldest > unconfirmed.after + 1 {
            return Look::Further(oldest);
        }
        self.outgoing.set_fate(id, Fate::Failed(NOT_THERE.to_owned()));
        Look::Decided
    }
}

#[cfg(test)]
mod tests {
    use everwire::client::SubscriptionError;

    use super::super::timeline::tests::{at, message, page};
    use super::*;

    /// A room into which messages are delivered.
    struct World {
        room: Room,
        is_watched: bool,
    }

    impl World {
        fn new() -> Self {
            Self { room: Room::new("lobby", None), is_watched: true }
        }

        fn started() -> Self {
            let mut world = Self::new();
            world.take(Arrival::CaughtUp, 0);
            world
        }

        fn take(&mut self, arrival: Arrival, position: u64) -> Option<Rc<Entry>> {
            self.room.take(arrival, Some(at(position)), "me", self.is_watched)
        }

        fn hear(&mut self, offset: u64, author: &str, id: &str) -> bool {
            self.take(Arrival::Message(at(offset), Some(message(author, id))), offset).is_some()
        }

        fn write(&mut self, id: &str) {
            let author = message("me", id).author;
            self.room.write("hi", id.to_owned(), author, 0.0);
        }

        fn fates(&self) -> Vec<&Fate> {
            self.room.outgoing.messages().iter().map(|unconfirmed| &unconfirmed.fate).collect()
        }

        fn ids(&self) -> Vec<&str> {
            let messages = self.room.timeline.entries().filter_map(|entry| entry.message());
            messages.map(|message| &*message.id).collect()
        }
    }

    #[test]
    fn an_own_message_is_confirmed_in_place_by_its_ack_and_its_copy_changes_nothing() {
        let mut world = World::started();
        world.hear(1, "ada", "a");
        world.write("mine");
        assert_eq!(world.fates(), [&Fate::Pending]);
        assert!(!world.room.published("mine", Ok(at(3))));
        assert_eq!((world.fates().len(), world.ids()), (0, vec!["a", "mine"]));
        world.hear(2, "bob", "b");
        world.hear(3, "me", "mine");
        assert_eq!((world.ids(), world.room.timeline.to_load()), (vec!["a", "b", "mine"], None));
    }

    #[test]
    fn a_copy_that_comes_before_the_ack_confirms_as_well() {
        let mut world = World::started();
        world.write("mine");
        assert!(!world.hear(1, "me", "mine"), "an own message is no news");
        assert_eq!((world.fates().len(), world.ids()), (0, vec!["mine"]));
        world.room.published("mine", Ok(at(1)));
        assert_eq!(world.ids(), ["mine"]);
    }

    #[test]
    fn an_unknown_message_that_the_history_has_is_confirmed_and_not_sent_again() {
        let mut world = World::started();
        world.hear(1, "ada", "a");
        world.write("mine");
        assert!(world.room.published("mine", Err(PublishError::Unknown)));
        assert_eq!(world.fates(), [&Fate::Looking]);
        let mut found = page(1..=3, 1);
        found.messages[2].message = Some(message("me", "mine"));
        assert_eq!(world.room.look("mine", None, Some(found)), Look::Decided);
        assert_eq!((world.fates().len(), world.ids()), (0, vec!["a", "2", "mine"]));
    }

    #[test]
    fn a_visitor_whom_the_server_takes_for_someone_else_finds_the_message_too() {
        let mut world = World::started();
        world.write("mine");
        world.room.published("mine", Err(PublishError::Unknown));
        let copy = Arrival::Message(at(1), Some(message("another id", "mine")));
        assert!(world.room.take(copy, None, "another id", false).is_none());
        assert_eq!((world.fates().len(), world.room.unread()), (0, 0));
    }

    #[test]
    fn an_unknown_message_that_the_history_does_not_have_can_be_sent_again() {
        let mut world = World::started();
        world.write("mine");
        world.room.published("mine", Err(PublishError::Unknown));
        assert_eq!(world.room.look("mine", None, Some(page(1..=3, 1))), Look::Decided);
        assert_eq!(world.fates(), [&Fate::Failed(NOT_THERE.to_owned())]);
    }

    #[test]
    fn the_history_is_looked_through_as_far_back_as_the_message_can_be() {
        let mut world = World::started();
        world.hear(10, "ada", "a");
        world.write("mine");
        world.room.published("mine", Err(PublishError::Unknown));
        assert_eq!(world.room.look("mine", None, Some(page(41..=60, 1))), Look::Further(41));
        assert_eq!(world.room.look("mine", Some(41), Some(page(21..=40, 1))), Look::Further(21));
        assert_eq!(world.room.look("mine", Some(21), Some(page(11..=20, 1))), Look::Decided);
        assert_eq!(world.fates(), [&Fate::Failed(NOT_THERE.to_owned())]);
    }

    #[test]
    fn without_the_history_an_unknown_message_may_be_there() {
        let mut world = World::started();
        world.write("mine");
        world.room.published("mine", Err(PublishError::Unknown));
        assert_eq!(world.room.look("mine", None, None), Look::Decided);
        assert_eq!(world.fates(), [&Fate::Failed(MAY_BE_THERE.to_owned())]);
        world.hear(1, "me", "mine");
        assert_eq!(world.fates().len(), 0, "it was there");
    }

    #[test]
    fn a_line_marks_the_first_message_that_came_while_the_visitor_did_not_look() {
        let mut world = World::started();
        world.hear(1, "ada", "a");
        assert_eq!((world.room.unread(), world.room.new_line()), (0, None));
        world.is_watched = false;
        world.hear(2, "me", "from another tab");
        world.hear(3, "ada", "b");
        world.hear(4, "ada", "c");
        let line = Some(Place { generation: 0, offset: 3 });
        assert_eq!((world.room.unread(), world.room.new_line()), (2, line));
        world.room.mark_read();
        assert_eq!((world.room.unread(), world.room.new_line()), (0, line), "the line stays while it is read");
        world.hear(5, "ada", "d");
        assert_eq!(world.room.new_line(), Some(Place { generation: 0, offset: 5 }));
        world.write("mine");
        assert_eq!(world.room.new_line(), None);
    }

    #[test]
    fn the_line_is_gone_when_a_room_that_was_read_is_visited_again() {
        let mut world = World::started();
        world.is_watched = false;
        world.hear(1, "ada", "a");
        world.room.leave();
        assert!(world.room.new_line().is_some(), "it is unread still");
        world.room.mark_read();
        world.room.leave();
        assert_eq!(world.room.new_line(), None);
    }

    #[test]
    fn what_a_room_starts_with_is_no_news_unless_the_visitor_was_there_before() {
        let start = |read: Option<ReadUpTo>| {
            let mut world = World { room: Room::new("lobby", read), is_watched: false };
            (1..=3).for_each(|offset| assert!(!world.hear(offset, "ada", &offset.to_string()), "not announced"));
            world.take(Arrival::CaughtUp, 3);
            world.room.unread()
        };
        assert_eq!([start(None), start(Some(ReadUpTo(0x9f, 1))), start(Some(ReadUpTo(0xa0, 1)))], [0, 2, 0]);
    }

    #[test]
    fn messages_that_came_while_the_connection_was_down_are_news() {
        let mut world = World::started();
        world.is_watched = false;
        assert!(world.hear(1, "ada", "a"));
        world.take(Arrival::CaughtUp, 1);
        assert_eq!(world.room.unread(), 1);
    }

    #[test]
    fn a_gap_is_a_place_where_messages_are_missing() {
        let mut world = World::started();
        world.hear(1, "ada", "a");
        world.take(Arrival::Gap(at(9)), 9);
        world.hear(10, "ada", "b");
        assert_eq!(world.room.timeline.holes()[0].missing, 8);
    }

    #[test]
    fn a_room_that_the_server_refuses_says_why() {
        let mut world = World::new();
        let refused = Delivery::Ended(SubscriptionError::InvalidName);
        world.take(Arrival::of(refused).expect("an end"), 0);
        assert!(world.room.problem.as_deref().is_some_and(|problem| problem.contains("not the name of a channel")));
        world.take(Arrival::CaughtUp, 0);
        assert_eq!(world.room.problem, None, "it was subscribed to again");
    }

    #[test]
    fn on_another_server_what_was_not_confirmed_has_failed_and_can_be_sent_again() {
        let mut world = World::started();
        world.hear(9, "ada", "a");
        world.write("mine");
        world.room.draft = "not yet sent".to_owned();
        world.room.begin_again();
        assert_eq!((world.ids().len(), &*world.room.draft, world.room.cursor), (0, "not yet sent", None));
        assert_eq!(world.fates(), [&Fate::Failed(SWITCHED.to_owned())]);
        assert_eq!(
            world.room.outgoing.send_again("mine", 1.0),
            Some(message("me", "mine")).map(|again| Message { text: "hi".to_owned(), ..again })
        );
        world.take(Arrival::CaughtUp, 0);
        assert!(!world.room.published("mine", Ok(at(1))));
        assert_eq!((world.fates().len(), world.ids()), (0, vec!["mine"]));
    }
}

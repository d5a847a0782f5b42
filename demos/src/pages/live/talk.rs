use std::collections::VecDeque;

use everwire::client::SubscribeOptions;
use everwire_companion_api::chat::Message;

use super::feed::{Arrival, Model};

/// The messages that are shown.
const SHOWN: usize = 40;

/// The latest messages of a room, oldest first, and those of the visitor that are not stored yet.
#[derive(Debug, Default)]
pub(super) struct Talk {
    messages: VecDeque<Said>,
    pending: Vec<Pending>,
}

/// A message of the room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// In milliseconds since the Unix epoch.
    pub(super) time: f64,
    pub(super) message: Message,
}

/// A message of the visitor that has not come back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) message: Message,
    /// Why it was not stored.
    pub(super) failed: Option<String>,
}

impl Talk {
    pub(super) fn messages(&self) -> impl Iterator<Item = &Said> {
        self.messages.iter()
    }

    pub(super) fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// The visitor writes a message, which is about to be published.
    pub(super) fn write(&mut self, message: Message) {
        self.pending.push(Pending { message, failed: None });
    }

    /// A message of the visitor was not stored.
    pub(super) fn fail(&mut self, id: &str, why: String) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.message.id == id) {
            pending.failed = Some(why);
        }
    }
}

impl Model for Talk {
    type Item = Message;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().last(SHOWN as u64)
    }

    fn restart(&mut self) {
        self.messages.clear();
    }

    fn take(&mut self, arrival: Arrival<Message>) {
        let message = arrival.item;
        self.pending.retain(|pending| pending.message.id != message.id);
        // One that was sent again after its fate was unknown.
        if self.messages.iter().any(|said| said.message.id == message.id) {
            return;
        }
        self.messages.push_back(Said { time: arrival.time, message });
        if self.messages.len() > SHOWN {
            self.messages.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use everwire_companion_api::chat::Author;

    use super::*;

    fn message(id: &str) -> Message {
        let author = Author { id: "u".to_owned(), name: "Ada".to_owned() };
        Message { id: id.to_owned(), author, text: "hello".to_owned() }
    }

    fn arrival(id: &str) -> Arrival<Message> {
        Arrival { item: message(id), key: None, time: 0.0 }
    }

    #[test]
    fn an_own_message_waits_until_it_comes_back() {
        let mut talk = Talk::default();
        talk.write(message("a"));
        talk.take(arrival("b"));
        assert_eq!((talk.messages().count(), talk.pending().len()), (1, 1));
        talk.take(arrival("a"));
        assert_eq!((talk.messages().count(), talk.pending().len()), (2, 0));
    }

    #[test]
    fn a_message_that_was_not_stored_says_why() {
        let mut talk = Talk::default();
        talk.write(message("a"));
        talk.fail("a", "too large".to_owned());
        assert_eq!(talk.pending()[0].failed.as_deref(), Some("too large"));
    }

    #[test]
    fn a_repetition_is_shown_once_and_only_the_latest_are_kept() {
        let mut talk = Talk::default();
        talk.take(arrival("a"));
        talk.take(arrival("a"));
        assert_eq!(talk.messages().count(), 1);
        (0..100).for_each(|number| talk.take(arrival(&number.to_string())));
        assert_eq!(talk.messages().count(), SHOWN);
        assert_eq!(talk.messages().last().unwrap().message.id, "99");
    }
}

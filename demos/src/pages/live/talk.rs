use std::collections::VecDeque;
use std::rc::Rc;

use everwire::client::SubscribeOptions;
use everwire_companion_api::chat::Message;

use super::feed::{Arrival, Model};
use crate::pages::chat::{Outgoing, Unconfirmed};

/// The messages that are shown.
const SHOWN: usize = 40;

/// The latest messages of a room, oldest first.
#[derive(Debug, Default)]
pub(super) struct Talk {
    messages: VecDeque<Said>,
}

/// A message of the room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// In milliseconds since the Unix epoch.
    pub(super) time: f64,
    pub(super) message: Message,
}

impl Talk {
    pub(super) fn messages(&self) -> impl Iterator<Item = &Said> {
        self.messages.iter()
    }

    /// Those of the visitor's messages that have not come back.
    pub(super) fn pending<'a>(&'a self, outgoing: &'a Outgoing) -> impl Iterator<Item = &'a Rc<Unconfirmed>> {
        let is_back = |pending: &Unconfirmed| self.messages.iter().any(|said| said.message.id == pending.message.id);
        outgoing.messages().iter().filter(move |pending| !is_back(pending))
    }
}

impl Model for Talk {
    type Item = Message;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().last(SHOWN as u64)
    }

    fn take(&mut self, arrival: Arrival<Message>) {
        let message = arrival.item;
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
        let (mut talk, mut outgoing) = (Talk::default(), Outgoing::default());
        outgoing.push(message("a"), 0.0, 0);
        talk.take(arrival("b"));
        assert_eq!((talk.messages().count(), talk.pending(&outgoing).count()), (1, 1));
        talk.take(arrival("a"));
        assert_eq!((talk.messages().count(), talk.pending(&outgoing).count()), (2, 0));
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

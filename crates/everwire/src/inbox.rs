use std::collections::VecDeque;

use crate::{Event, payload::Payload};
use everwire_core::Payload as _;

/// How much may wait to be read by the application.
///
/// A browser cannot be told to slow a server down, so what is not read has to be kept or let go. Beyond these limits the oldest
/// messages are let go, and [`Event::Lagged`] says how many. Events other than messages are always kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxLimits {
    /// The most messages (65,536).
    pub max_messages: usize,
    /// The most bytes (64 MiB).
    pub max_bytes: usize,
}

impl Default for InboxLimits {
    fn default() -> Self {
        Self { max_messages: 65_536, max_bytes: 64 << 20 }
    }
}

/// What waits to be read, oldest first.
#[derive(Debug)]
pub(crate) struct Inbox {
    limits: InboxLimits,
    events: VecDeque<Event<Payload>>,
    messages: usize,
    bytes: usize,
    lagged: u64,
}

impl Inbox {
    pub(crate) fn new(limits: InboxLimits) -> Self {
        Self { limits, events: VecDeque::new(), messages: 0, bytes: 0, lagged: 0 }
    }

    pub(crate) fn push(&mut self, event: Event<Payload>) {
        if let Event::Message(payload) = &event {
            self.messages += 1;
            self.bytes += payload.size();
        }
        self.events.push_back(event);
        while self.messages > self.limits.max_messages.max(1)
            || (self.bytes > self.limits.max_bytes && self.messages > 1)
        {
            self.let_go_of_oldest();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event<Payload>> {
        let event = self.events.pop_front()?;
        if let Event::Message(payload) = &event {
            self.messages -= 1;
            self.bytes -= payload.size();
        }
        Some(event)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many messages were let go in all.
    pub(crate) fn lagged(&self) -> u64 {
        self.lagged
    }

    /// Puts a note in the place of the oldest message, or adds to the note that stands right before it.
    fn let_go_of_oldest(&mut self) {
        let Some(index) = self.events.iter().position(|event| matches!(event, Event::Message(_))) else { return };
        if let Some(Event::Message(payload)) = self.events.get(index) {
            self.bytes -= payload.size();
        }
        self.messages -= 1;
        self.lagged += 1;
        if let Some(Event::Lagged { missed }) = index.checked_sub(1).and_then(|before| self.events.get_mut(before)) {
            *missed += 1;
            self.events.remove(index);
        } else if let Some(event) = self.events.get_mut(index) {
            *event = Event::Lagged { missed: 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::Message;

    fn message(text: &str) -> Event<Payload> {
        Event::Message(Payload::Ours(text.into()))
    }

    fn read(inbox: &mut Inbox) -> Vec<Event> {
        std::iter::from_fn(|| inbox.pop())
            .map(|event| event.try_map(|payload| Ok::<_, ()>(payload.into_message())).unwrap())
            .collect()
    }

    #[test]
    fn an_unread_inbox_lets_the_oldest_messages_go_and_says_how_many_and_where() {
        let mut inbox = Inbox::new(InboxLimits { max_messages: 2, max_bytes: 1_000 });
        inbox.push(Event::Latency(Duration::ZERO));
        for text in ["1", "2", "3", "4"] {
            inbox.push(message(text));
        }
        let expected = [
            Event::Latency(Duration::ZERO),
            Event::Lagged { missed: 2 },
            Event::Message(Message::from("3")),
            Event::Message(Message::from("4")),
        ];
        assert_eq!(read(&mut inbox), expected);
        assert_eq!(inbox.lagged(), 2);
    }

    #[test]
    fn bytes_are_bounded_too_but_the_latest_message_is_always_kept() {
        let mut inbox = Inbox::new(InboxLimits { max_messages: 100, max_bytes: 5 });
        for text in ["123", "456", "too long for the limit"] {
            inbox.push(message(text));
        }
        assert_eq!(
            read(&mut inbox),
            [Event::Lagged { missed: 2 }, Event::Message(Message::from("too long for the limit"))]
        );
    }
}

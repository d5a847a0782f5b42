//! What waits to be read by the application, and how it reads.

use core::{fmt, mem, task::Waker};
use std::collections::VecDeque;

use crate::{Event, payload::Payload};

/// How much may wait to be read by the application.
///
/// A browser cannot slow a server down, so messages that are not read have to be kept or dropped. Beyond these limits the oldest are
/// dropped, and [`Event::Lagged`] reports how many. Events other than messages are always kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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

impl InboxLimits {
    /// Sets [`max_messages`](field@Self::max_messages).
    #[must_use]
    pub fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`max_bytes`](field@Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
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
            self.drop_oldest();
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

    /// How many messages were dropped in all.
    pub(crate) fn lagged(&self) -> u64 {
        self.lagged
    }

    /// Replaces the oldest message by a report of the gap, or extends the report right before it.
    fn drop_oldest(&mut self) {
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

/// Receives the events in place of the stream.
#[cfg(target_family = "wasm")]
pub(crate) type Callback = Box<dyn FnMut(Event<Payload>)>;
#[cfg(not(target_family = "wasm"))]
pub(crate) type Callback = Box<dyn FnMut(Event<Payload>) + Send>;

/// How the application reads.
pub(crate) enum Reader {
    /// By the stream; its task's waker while it waits.
    Stream(Option<Waker>),
    /// By a callback.
    Callback {
        /// `None` while it runs.
        callback: Option<Callback>,
        /// Counts the callbacks, so that one that was replaced while it ran is not put back.
        number: u64,
        /// A task will deliver what waits.
        is_delivery_planned: bool,
    },
    /// No more: the socket was dropped.
    Gone,
}

impl Reader {
    /// Has a callback read from now on. Returns the reader before.
    pub(crate) fn replace(&mut self, callback: Callback) -> Self {
        let number = if let Self::Callback { number, .. } = self { *number + 1 } else { 0 };
        mem::replace(self, Self::Callback { callback: Some(callback), number, is_delivery_planned: false })
    }

    /// Takes the callback out to run it, with its number.
    pub(crate) fn take_callback(&mut self) -> Option<(u64, Callback)> {
        match self {
            Self::Callback { callback, number, .. } => callback.take().map(|callback| (*number, callback)),
            _ => None,
        }
    }

    /// The callback has run. Returns it where it was replaced meanwhile.
    pub(crate) fn put_back(&mut self, (number, ran): (u64, Callback)) -> Option<Callback> {
        match self {
            Self::Callback { callback, number: current, .. } if *current == number => callback.replace(ran),
            _ => Some(ran),
        }
    }

    /// Whether a task has to be started that delivers what waits.
    pub(crate) fn plan_delivery(&mut self) -> bool {
        match self {
            Self::Callback { callback: Some(_), is_delivery_planned, .. } => !mem::replace(is_delivery_planned, true),
            _ => false,
        }
    }

    /// The task that delivers what waits has started.
    pub(crate) fn delivery_began(&mut self) {
        if let Self::Callback { is_delivery_planned, .. } = self {
            *is_delivery_planned = false;
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Stream(_) => "Stream",
            Self::Callback { .. } => "Callback",
            Self::Gone => "Gone",
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::Message;

    fn message(text: &str) -> Event<Payload> {
        Event::Message(Payload::Read(text.into()))
    }

    fn read(inbox: &mut Inbox) -> Vec<Event> {
        std::iter::from_fn(|| inbox.pop())
            .map(|event| event.try_map(|payload| Ok::<_, ()>(payload.into_message())).unwrap())
            .collect()
    }

    #[test]
    fn an_unread_inbox_drops_the_oldest_messages_and_reports_how_many_and_where() {
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

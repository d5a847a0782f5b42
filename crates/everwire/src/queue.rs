//! The two queues of a socket: messages that wait to be sent, and events that wait to be read.

use core::{fmt, mem, task::Waker};
use std::collections::VecDeque;

use everwire_core::{MessageId, QueueOptions, Time};

use crate::{
    Event, Message,
    payload::Payload,
    threads::{Pointer, send_dyn},
};

/// The options of a single message.
///
/// ```
/// use core::time::Duration;
/// use everwire::SendOptions;
///
/// let options = SendOptions::default().key("position").time_to_live(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SendOptions {
    /// How long the message may wait before it is discarded; `None`: as
    /// [`OutboxLimits::time_to_live`](field@crate::OutboxLimits::time_to_live) says.
    pub time_to_live: Option<Time>,
    /// The message replaces a waiting one with the same key, which is discarded and reported. For positions, prices and other values
    /// of which only the newest counts.
    pub key: Option<String>,
    /// On an open connection the message is sent at once, ahead of the outbox and whatever the platform's buffer holds: for credentials
    /// and subscriptions in reply to [`Event::Opened`](crate::Event::Opened). Otherwise it waits like any other.
    pub priority: bool,
}

impl SendOptions {
    /// Sets [`time_to_live`](field@Self::time_to_live).
    #[must_use]
    pub fn time_to_live(mut self, time: impl Into<Time>) -> Self {
        self.time_to_live = Some(time.into());
        self
    }

    /// Sets [`key`](field@Self::key).
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets [`priority`](field@Self::priority).
    #[must_use]
    pub fn priority(mut self, priority: bool) -> Self {
        self.priority = priority;
        self
    }
}

/// What happened to an accepted message immediately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// It was handed to the open socket.
    Transmitted(MessageId),
    /// It waits in the outbox until the connection is open and the network keeps up.
    Queued(MessageId),
}

impl Sent {
    /// The id of the message in events.
    pub fn id(self) -> MessageId {
        match self {
            Self::Transmitted(id) | Self::Queued(id) => id,
        }
    }
}

/// The messages that wait in the core's outbox, which knows only their ids and sizes.
///
/// Both collections are sorted and searched by binary search: tree maps took six kilobytes of a browser's download.
#[derive(Debug, Default)]
pub(crate) struct OutboundQueue {
    /// Oldest first, and so by ascending ids.
    waiting: VecDeque<Waiting>,
    /// The waiting message of each key, by key.
    latest: Vec<(Pointer<str>, MessageId)>,
}

#[derive(Debug)]
struct Waiting {
    id: MessageId,
    message: Message,
    key: Option<Pointer<str>>,
}

impl OutboundQueue {
    /// How the core should queue a message with these options.
    pub(crate) fn queue_options(&self, options: &SendOptions) -> QueueOptions {
        let replaces = options.key.as_deref().and_then(|key| Some(self.latest[self.find_key(key).ok()?].1));
        QueueOptions { time_to_live: options.time_to_live, replaces }
    }

    /// Keeps a message that the core has accepted.
    pub(crate) fn insert(&mut self, id: MessageId, message: Message, key: Option<String>) {
        let key = key.map(Pointer::<str>::from);
        if let Some(key) = &key {
            match self.find_key(key) {
                Ok(index) => self.latest[index].1 = id,
                Err(index) => self.latest.insert(index, (key.clone(), id)),
            }
        }
        self.waiting.push_back(Waiting { id, message, key });
    }

    /// Takes out a message that the core transmits or discards.
    pub(crate) fn take(&mut self, id: MessageId) -> Option<Message> {
        let index = self.waiting.binary_search_by_key(&id, |waiting| waiting.id).ok()?;
        let Waiting { message, key, .. } = self.waiting.remove(index)?;
        // The message that replaced this one may have the key by now.
        if let Some(Ok(index)) = key.map(|key| self.find_key(&key))
            && self.latest[index].1 == id
        {
            self.latest.remove(index);
        }
        Some(message)
    }

    /// The index of a key, or where to insert it.
    fn find_key(&self, key: &str) -> Result<usize, usize> {
        self.latest.binary_search_by(|(other, _)| (**other).cmp(key))
    }
}

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

/// The events that wait to be read, oldest first.
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
pub(crate) type Callback = Box<send_dyn!(FnMut(Event<Payload>))>;

/// How the application reads.
pub(crate) enum Consumer {
    /// By the stream; its task's waker while it waits.
    Stream(Option<Waker>),
    /// By a callback.
    Callback {
        /// `None` while it runs.
        callback: Option<Callback>,
        /// Counts the callbacks, so that one that was replaced while it ran is not put back.
        number: u64,
        /// A task will deliver the waiting events.
        is_delivery_planned: bool,
    },
    /// No more: the socket was dropped.
    Gone,
}

impl Consumer {
    /// Lets a callback read from now on. Returns the previous consumer.
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

    /// The callback has run. Returns it if it was replaced meanwhile.
    pub(crate) fn put_back(&mut self, (number, ran): (u64, Callback)) -> Option<Callback> {
        match self {
            Self::Callback { callback, number: current, .. } if *current == number => callback.replace(ran),
            _ => Some(ran),
        }
    }

    /// Whether to start a task that delivers the waiting events.
    pub(crate) fn plan_delivery(&mut self) -> bool {
        match self {
            Self::Callback { callback: Some(_), is_delivery_planned, .. } => !mem::replace(is_delivery_planned, true),
            _ => false,
        }
    }

    /// The task that delivers the waiting events has started.
    pub(crate) fn delivery_began(&mut self) {
        if let Self::Callback { is_delivery_planned, .. } = self {
            *is_delivery_planned = false;
        }
    }
}

impl fmt::Debug for Consumer {
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

    #[test]
    fn a_key_belongs_to_the_newest_message_that_waits() {
        let mut queue = OutboundQueue::default();
        let position = SendOptions::default().key("position");
        let replaces = |queue: &OutboundQueue| queue.queue_options(&position).replaces;
        assert_eq!(replaces(&queue), None);
        queue.insert(MessageId(1), "1".into(), position.key.clone());
        assert_eq!(replaces(&queue), Some(MessageId(1)));
        queue.insert(MessageId(2), "2".into(), position.key.clone());
        assert_eq!(queue.take(MessageId(1)), Some("1".into()));
        assert_eq!(replaces(&queue), Some(MessageId(2)));
        assert_eq!(queue.take(MessageId(2)), Some("2".into()));
        assert_eq!(replaces(&queue), None);
        assert!(queue.latest.is_empty() && queue.waiting.is_empty());
    }

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

//! Sending: what an application may choose for a message, and the messages that wait.

use std::collections::VecDeque;

use everwire_core::{MessageId, QueueOptions, Time};

use crate::{Message, threads::Pointer};

/// What a single message asks for.
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
    /// How long it may wait before it is discarded; `None`: as
    /// [`OutboxLimits::time_to_live`](field@crate::OutboxLimits::time_to_live) says.
    pub time_to_live: Option<Time>,
    /// It replaces a waiting message with the same key, which is discarded and reported. For positions, prices and other values of
    /// which only the newest counts.
    pub key: Option<String>,
    /// On an open connection it is sent at once, before what waits in the outbox and whatever the platform's buffer holds: for
    /// credentials and subscriptions that answer [`Event::Opened`](crate::Event::Opened). Otherwise it waits like any other.
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

/// What happened to an accepted message at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// It was handed to the open socket.
    Transmitted(MessageId),
    /// It waits in the outbox until the connection is open and the network keeps up.
    Queued(MessageId),
}

impl Sent {
    /// The message's name in the reports about it.
    pub fn id(self) -> MessageId {
        match self {
            Self::Transmitted(id) | Self::Queued(id) => id,
        }
    }
}

/// The messages that wait in the core's outbox, which knows only their ids and sizes.
///
/// Both collections are sorted and searched by halving: tree maps took six kilobytes of a browser's download.
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
                Ok(place) => self.latest[place].1 = id,
                Err(place) => self.latest.insert(place, (key.clone(), id)),
            }
        }
        self.waiting.push_back(Waiting { id, message, key });
    }

    /// Takes out a message that the core transmits or discards.
    pub(crate) fn take(&mut self, id: MessageId) -> Option<Message> {
        let place = self.waiting.binary_search_by_key(&id, |waiting| waiting.id).ok()?;
        let Waiting { message, key, .. } = self.waiting.remove(place)?;
        // The message that replaced this one may have the key by now.
        if let Some(Ok(place)) = key.map(|key| self.find_key(&key))
            && self.latest[place].1 == id
        {
            self.latest.remove(place);
        }
        Some(message)
    }

    /// The place of a key, or the one where it belongs.
    fn find_key(&self, key: &str) -> Result<usize, usize> {
        self.latest.binary_search_by(|(other, _)| (**other).cmp(key))
    }
}

#[cfg(test)]
mod tests {
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
}

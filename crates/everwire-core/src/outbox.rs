//! Messages that wait to be sent.

use core::fmt;

use crate::{
    connection::{DiscardReason, MessageId},
    queue::Queue,
    time::Time,
};

/// How many messages may wait while the connection is down or the network does not keep up, and what happens beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// The most messages (4,096).
    pub max_messages: usize,
    /// The most bytes (8 MiB).
    pub max_bytes: usize,
    /// What happens to a message that does not fit.
    pub when_full: WhenFull,
    /// How long a message may wait unless it says otherwise; `None`, the default, sets no limit.
    pub time_to_live: Option<Time>,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { max_messages: 4_096, max_bytes: 8 << 20, when_full: WhenFull::Refuse, time_to_live: None }
    }
}

impl OutboxLimits {
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

    /// Sets [`when_full`](field@Self::when_full).
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets [`time_to_live`](field@Self::time_to_live).
    #[must_use]
    pub fn time_to_live(mut self, time: impl Into<Time>) -> Self {
        self.time_to_live = Some(time.into());
        self
    }
}

/// What happens to a message that does not fit into the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused: the sender gets it back at once.
    #[default]
    Refuse,
    /// The oldest messages are discarded to make room; each is reported.
    DropOldest,
}

/// The options of a queued message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueOptions {
    /// How long it may wait before it is discarded; `None` for [`OutboxLimits::time_to_live`](field@OutboxLimits::time_to_live).
    pub time_to_live: Option<Time>,
    /// The message that it replaces if that still waits: the previous one with the same key. The driver keeps the keys.
    pub replaces: Option<MessageId>,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The outbox has no room for it.
    Full,
    /// The connection is closed; messages are accepted again after a reconnect.
    Closed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => {
                "the outbox is full: wait until the socket is ready, raise its limits, or let it drop the oldest"
            }
            Self::Closed => "the connection is closed: reconnect before sending",
        })
    }
}

/// The messages that wait to be sent, oldest first, within [`OutboxLimits`].
#[derive(Debug)]
pub struct Outbox {
    limits: OutboxLimits,
    waiting: Queue<Waiting>,
    bytes: usize,
    /// No message expires before this. A bound rather than the exact time, so that removing a message takes constant time.
    next_expiry: Time,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) id: MessageId,
    pub(crate) size: usize,
    expires_at: Time,
}

impl Outbox {
    pub(crate) fn new(limits: OutboxLimits) -> Self {
        Self { limits, waiting: Queue::new(), bytes: 0, next_expiry: Time::NEVER }
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a message. Messages that are dropped in its favour go to `discarded`.
    pub(crate) fn push(
        &mut self,
        now: Time,
        id: MessageId,
        size: usize,
        options: QueueOptions,
        mut discarded: impl FnMut(MessageId, DiscardReason),
    ) -> Result<(), Refusal> {
        let find = |waiting: &Queue<Waiting>| waiting.find_by_key(options.replaces?, |waiting| waiting.id);
        let replaced = find(&self.waiting);
        let (messages, bytes) = match replaced.and_then(|place| self.waiting.get(place)) {
            Some(other) => (self.len() - 1, self.bytes - other.size),
            None => (self.len(), self.bytes),
        };
        let refuses = self.limits.when_full == WhenFull::Refuse && !self.fits(messages, bytes, size);
        if refuses || !self.fits(0, 0, size) {
            return Err(Refusal::Full);
        }
        if let Some(other) = replaced.and_then(|place| self.waiting.take(place)) {
            self.bytes -= other.size;
            discarded(other.id, DiscardReason::Replaced);
        }
        while !self.fits(self.len(), self.bytes, size) {
            let Some(oldest) = self.pop() else { break };
            discarded(oldest.id, DiscardReason::Evicted);
        }
        let time_to_live = options.time_to_live.or(self.limits.time_to_live);
        let expires_at = time_to_live.map_or(Time::NEVER, |time| now + time);
        self.next_expiry = self.next_expiry.min(expires_at);
        self.bytes += size;
        self.waiting.push(Waiting { id, size, expires_at });
        Ok(())
    }

    /// Removes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let oldest = self.waiting.pop()?;
        self.bytes -= oldest.size;
        if self.waiting.is_empty() {
            self.next_expiry = Time::NEVER;
        }
        Some(oldest)
    }

    /// Takes out what has waited too long, oldest first.
    pub(crate) fn expire(&mut self, now: Time, mut discarded: impl FnMut(MessageId, DiscardReason)) {
        if now < self.next_expiry {
            return;
        }
        let bytes = &mut self.bytes;
        self.waiting.extract(
            |waiting| waiting.expires_at <= now,
            |expired| {
                *bytes -= expired.size;
                discarded(expired.id, DiscardReason::Expired);
            },
        );
        self.next_expiry = self.waiting.iter().map(|waiting| waiting.expires_at).min().unwrap_or(Time::NEVER);
    }

    /// When to look for expired messages next.
    pub(crate) fn next_expiry(&self) -> Time {
        self.next_expiry
    }

    /// Whether one more message of any size might be accepted.
    pub(crate) fn has_room(&self) -> bool {
        self.limits.when_full == WhenFull::DropOldest
            || (self.len() < self.limits.max_messages && self.bytes < self.limits.max_bytes)
    }

    /// Whether a message of this size fits in addition to so many messages and bytes.
    fn fits(&self, messages: usize, bytes: usize, size: usize) -> bool {
        messages < self.limits.max_messages
            && bytes.checked_add(size).is_some_and(|bytes| bytes <= self.limits.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(100);

    struct Harness {
        outbox: Outbox,
        discarded: Vec<(u64, DiscardReason)>,
        next: u64,
    }

    impl Harness {
        fn new(limits: OutboxLimits) -> Self {
            Self { outbox: Outbox::new(limits), discarded: Vec::new(), next: 0 }
        }

        fn push(&mut self, size: usize, options: QueueOptions) -> Result<(), Refusal> {
            self.next += 1;
            let discarded = &mut self.discarded;
            self.outbox.push(NOW, MessageId(self.next), size, options, |id, reason| discarded.push((id.0, reason)))
        }

        fn expire(&mut self, now: Time) {
            let discarded = &mut self.discarded;
            self.outbox.expire(now, |id, reason| discarded.push((id.0, reason)));
        }

        fn ids(&self) -> Vec<u64> {
            self.outbox.waiting.iter().map(|waiting| waiting.id.0).collect()
        }
    }

    fn plain() -> QueueOptions {
        QueueOptions::default()
    }

    fn replacing(id: u64) -> QueueOptions {
        QueueOptions { replaces: Some(MessageId(id)), ..plain() }
    }

    fn living(seconds: u64) -> QueueOptions {
        QueueOptions { time_to_live: Some(Time::from_secs(seconds)), ..plain() }
    }

    #[test]
    fn a_full_outbox_refuses() {
        let mut harness = Harness::new(OutboxLimits { max_messages: 2, max_bytes: 10, ..OutboxLimits::default() });
        harness.push(5, plain()).unwrap();
        assert_eq!(harness.push(6, plain()), Err(Refusal::Full));
        harness.push(5, plain()).unwrap();
        assert_eq!(harness.push(0, plain()), Err(Refusal::Full));
        assert_eq!(harness.ids(), [1, 3]);
    }

    #[test]
    fn the_oldest_are_evicted_and_reported() {
        let mut harness = Harness::new(OutboxLimits {
            max_messages: 3,
            max_bytes: 10,
            when_full: WhenFull::DropOldest,
            ..OutboxLimits::default()
        });
        for size in [4, 4, 2, 6] {
            harness.push(size, plain()).unwrap();
        }
        assert_eq!(harness.ids(), [3, 4]);
        assert_eq!(harness.discarded, [(1, DiscardReason::Evicted), (2, DiscardReason::Evicted)]);
    }

    #[test]
    fn a_message_larger_than_the_whole_outbox_evicts_nothing() {
        let limits = OutboxLimits { max_bytes: 4, when_full: WhenFull::DropOldest, ..OutboxLimits::default() };
        let mut harness = Harness::new(limits);
        harness.push(4, plain()).unwrap();
        harness.push(5, plain()).unwrap_err();
        assert_eq!((harness.ids(), harness.discarded), (vec![1], vec![]));
    }

    #[test]
    fn a_message_replaces_another_even_in_a_full_outbox() {
        let mut harness = Harness::new(OutboxLimits { max_messages: 2, ..OutboxLimits::default() });
        harness.push(1, plain()).unwrap();
        harness.push(1, plain()).unwrap();
        harness.push(1, replacing(1)).unwrap();
        assert_eq!((harness.ids(), harness.discarded), (vec![2, 3], vec![(1, DiscardReason::Replaced)]));
    }

    #[test]
    fn a_refused_message_replaces_nothing() {
        let mut harness = Harness::new(OutboxLimits { max_bytes: 4, ..OutboxLimits::default() });
        harness.push(1, plain()).unwrap();
        harness.push(5, replacing(1)).unwrap_err();
        assert_eq!((harness.ids(), harness.discarded), (vec![1], vec![]));
    }

    #[test]
    fn a_message_that_left_already_is_not_replaced() {
        let mut harness = Harness::new(OutboxLimits::default());
        for _ in 0..3 {
            harness.push(1, plain()).unwrap();
        }
        assert_eq!(harness.outbox.pop().map(|waiting| waiting.id), Some(MessageId(1)));
        harness.push(1, replacing(1)).unwrap();
        assert_eq!((harness.ids(), harness.outbox.bytes()), (vec![2, 3, 4], 3));
    }

    #[test]
    fn expired_messages_are_discarded_and_the_order_of_the_rest_is_kept() {
        let mut harness = Harness::new(OutboxLimits::default());
        for options in [living(5), plain(), living(1), living(9)] {
            harness.push(1, options).unwrap();
        }
        assert_eq!(harness.outbox.next_expiry(), NOW + Time::from_secs(1));
        harness.expire(NOW + Time::from_secs(5));
        assert_eq!(harness.ids(), [2, 4]);
        assert_eq!(harness.discarded, [(1, DiscardReason::Expired), (3, DiscardReason::Expired)]);
        assert_eq!((harness.outbox.bytes(), harness.outbox.next_expiry()), (2, NOW + Time::from_secs(9)));
    }
}

use crate::{
    DiscardReason, OutboxLimits, Payload, Refusal, Refused, SendOptions, WhenFull, queue::Queue, terms::KeyOf,
    time::Time,
};

/// Names a message that was accepted, for the reports about it. Counts up from 1 in a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MessageId(pub u64);

/// What became of an accepted message at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// It was handed to the open socket.
    Transmitted(MessageId),
    /// It waits in the outbox until the connection is open and the network keeps up.
    Queued(MessageId),
}

impl Sent {
    /// The message's name.
    pub fn id(self) -> MessageId {
        match self {
            Self::Transmitted(id) | Self::Queued(id) => id,
        }
    }
}

/// The messages that wait, oldest first, within [`OutboxLimits`].
#[derive(Debug)]
pub struct Outbox<M: Payload> {
    limits: OutboxLimits<Time>,
    waiting: Queue<Waiting<M>>,
    bytes: usize,
    /// No message expires before this. A bound rather than the exact time, so that taking a message
    /// out costs nothing.
    next_expiry: Time,
}

#[derive(Debug)]
pub(crate) struct Waiting<M: Payload> {
    pub(crate) id: MessageId,
    pub(crate) message: M,
    key: Option<KeyOf<M>>,
    expires_at: Time,
}

/// A message that left the outbox without being sent.
pub(crate) type Discarded<M> = (Waiting<M>, DiscardReason);

impl<M: Payload> Outbox<M> {
    /// An empty one.
    pub(crate) fn new(limits: OutboxLimits<Time>) -> Self {
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

    /// The name of the message that has waited longest. Messages leave in the order in which they were accepted: every one
    /// before it was transmitted or discarded.
    pub fn oldest(&self) -> Option<MessageId> {
        self.waiting.iter().next().map(|waiting| waiting.id)
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a message at the end. What had to make room for it goes to `discarded`.
    pub(crate) fn push(
        &mut self,
        now: Time,
        id: MessageId,
        message: M,
        options: SendOptions<KeyOf<M>, impl Into<Time>>,
        mut discarded: impl FnMut(Discarded<M>),
    ) -> Result<(), Refused<M>> {
        let size = message.size();
        let is_same = |other: &Waiting<M>| options.key.is_some() && other.key == options.key;
        let freed = match self.waiting.iter().find(|other| is_same(other)) {
            Some(other) => (1, other.message.size()),
            None => (0, 0),
        };
        let OutboxLimits { max_messages, max_bytes, .. } = self.limits;
        let fits = |messages: usize, bytes: usize| {
            messages < max_messages && bytes.checked_add(size).is_some_and(|bytes| bytes <= max_bytes)
        };
        let fits_an_empty_outbox = fits(0, 0);
        if !fits_an_empty_outbox
            || (self.limits.when_full == WhenFull::Refuse && !fits(self.len() - freed.0, self.bytes - freed.1))
        {
            return Err(Refused { message, refusal: Refusal::Full });
        }
        if freed.0 > 0 {
            self.bytes -= freed.1;
            self.waiting.extract(is_same, |replaced| discarded((replaced, DiscardReason::Replaced)));
        }
        while !fits(self.len(), self.bytes) {
            let Some(oldest) = self.pop() else { break };
            discarded((oldest, DiscardReason::Evicted));
        }
        let expires_at =
            options.time_to_live.map(Into::into).or(self.limits.time_to_live).map_or(Time::NEVER, |time| now + time);
        self.next_expiry = self.next_expiry.min(expires_at);
        self.bytes += size;
        self.waiting.push(Waiting { id, message, key: options.key, expires_at });
        Ok(())
    }

    /// Takes out the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Waiting<M>> {
        let oldest = self.waiting.pop()?;
        self.bytes -= oldest.message.size();
        if self.waiting.is_empty() {
            self.next_expiry = Time::NEVER;
        }
        Some(oldest)
    }

    /// Takes out what has waited too long, oldest first.
    pub(crate) fn expire(&mut self, now: Time, mut discarded: impl FnMut(Discarded<M>)) {
        if now < self.next_expiry {
            return;
        }
        let bytes = &mut self.bytes;
        self.waiting.extract(
            |waiting| waiting.expires_at <= now,
            |expired| {
                *bytes -= expired.message.size();
                discarded((expired, DiscardReason::Expired));
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
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const NOW: Time = Time::from_secs(100);

    struct Bench {
        outbox: Outbox<String>,
        discarded: Vec<(u64, DiscardReason)>,
        next: u64,
    }

    impl Bench {
        fn new(limits: OutboxLimits) -> Self {
            Self { outbox: Outbox::new(limits.timed()), discarded: Vec::new(), next: 0 }
        }

        fn push(&mut self, message: &str, options: SendOptions) -> Result<(), Refused<String>> {
            self.next += 1;
            let discarded = &mut self.discarded;
            self.outbox.push(NOW, MessageId(self.next), message.to_owned(), options, |(waiting, reason)| {
                discarded.push((waiting.id.0, reason))
            })
        }

        fn expire(&mut self, now: Time) {
            let discarded = &mut self.discarded;
            self.outbox.expire(now, |(waiting, reason)| discarded.push((waiting.id.0, reason)));
        }

        fn ids(&self) -> Vec<u64> {
            self.outbox.waiting.iter().map(|waiting| waiting.id.0).collect()
        }
    }

    fn keyed(key: &str) -> SendOptions {
        SendOptions { key: Some(key.to_owned()), ..SendOptions::default() }
    }

    fn living(seconds: u64) -> SendOptions {
        SendOptions { time_to_live: Some(Duration::from_secs(seconds)), ..SendOptions::default() }
    }

    #[test]
    fn a_full_outbox_hands_the_message_back() {
        let mut bench = Bench::new(OutboxLimits { max_messages: 2, max_bytes: 10, ..OutboxLimits::default() });
        bench.push("12345", SendOptions::default()).unwrap();
        let refused = bench.push("123456", SendOptions::default()).unwrap_err();
        assert_eq!(refused, Refused { message: "123456".to_owned(), refusal: Refusal::Full });
        bench.push("12345", SendOptions::default()).unwrap();
        bench.push("", SendOptions::default()).unwrap_err();
        assert_eq!(bench.ids(), [1, 3]);
    }

    #[test]
    fn the_oldest_make_room_and_are_reported() {
        let mut bench = Bench::new(OutboxLimits {
            max_messages: 3,
            max_bytes: 10,
            when_full: WhenFull::DropOldest,
            ..OutboxLimits::default()
        });
        for message in ["1234", "1234", "12", "123456"] {
            bench.push(message, SendOptions::default()).unwrap();
        }
        assert_eq!(bench.ids(), [3, 4]);
        assert_eq!(bench.discarded, [(1, DiscardReason::Evicted), (2, DiscardReason::Evicted)]);
    }

    #[test]
    fn a_message_larger_than_the_whole_outbox_evicts_nothing() {
        let mut bench =
            Bench::new(OutboxLimits { max_bytes: 4, when_full: WhenFull::DropOldest, ..OutboxLimits::default() });
        bench.push("1234", SendOptions::default()).unwrap();
        bench.push("12345", SendOptions::default()).unwrap_err();
        assert_eq!((bench.ids(), bench.discarded), (vec![1], vec![]));
    }

    #[test]
    fn the_latest_of_a_key_takes_the_place_of_the_one_before_even_in_a_full_outbox() {
        let mut bench = Bench::new(OutboxLimits { max_messages: 2, ..OutboxLimits::default() });
        bench.push("a", keyed("position")).unwrap();
        bench.push("b", keyed("other")).unwrap();
        bench.push("c", keyed("position")).unwrap();
        assert_eq!((bench.ids(), bench.discarded), (vec![2, 3], vec![(1, DiscardReason::Replaced)]));
    }

    #[test]
    fn a_refused_message_leaves_the_one_with_its_key_where_it_was() {
        let mut bench = Bench::new(OutboxLimits { max_bytes: 4, ..OutboxLimits::default() });
        bench.push("a", keyed("k")).unwrap();
        bench.push("12345", keyed("k")).unwrap_err();
        assert_eq!((bench.ids(), bench.discarded), (vec![1], vec![]));
    }

    #[test]
    fn what_waited_too_long_is_discarded_and_the_order_of_the_rest_kept() {
        let mut bench = Bench::new(OutboxLimits::default());
        for options in [living(5), SendOptions::default(), living(1), living(9)] {
            bench.push("m", options).unwrap();
        }
        assert_eq!(bench.outbox.next_expiry(), NOW + Time::from_secs(1));
        bench.expire(NOW + Time::from_secs(5));
        assert_eq!(bench.ids(), [2, 4]);
        assert_eq!(bench.discarded, [(1, DiscardReason::Expired), (3, DiscardReason::Expired)]);
        assert_eq!((bench.outbox.bytes(), bench.outbox.next_expiry()), (2, NOW + Time::from_secs(9)));
    }

    #[test]
    fn the_oldest_is_the_next_to_leave() {
        let mut bench = Bench::new(OutboxLimits::default());
        assert_eq!(bench.outbox.oldest(), None);
        for options in [keyed("a"), SendOptions::default(), keyed("a")] {
            bench.push("m", options).unwrap();
        }
        for id in [2, 3] {
            assert_eq!(bench.outbox.oldest(), Some(MessageId(id)));
            assert_eq!(bench.outbox.pop().map(|waiting| waiting.id), Some(MessageId(id)));
        }
    }
}

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::VecDeque;
use std::hash::DefaultHasher;

use everwire::MessageId;

/// Finds the message that a reply repeats.
///
/// An echo returns what it was sent, in order. So a reply belongs to the oldest message with its content that has none yet,
/// and messages sent before that one were lost. Anything else that arrives is no echo and changes nothing. Contents are
/// compared by length and hash: what waits costs a few bytes, however large it is.
#[derive(Debug, Default)]
pub(in crate::pages::echo) struct Echoes {
    waiting: VecDeque<Waiting>,
    /// Whether this connection has echoed anything: only then is a message without a reply a loss.
    is_echo: bool,
    lost: u64,
}

#[derive(Debug)]
struct Waiting {
    id: MessageId,
    content: Content,
    /// None while it waits in the outbox.
    transmitted_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    length: usize,
    hash: u64,
}

impl Echoes {
    /// How many messages may wait for their replies. Past it the oldest is forgotten, neither echoed nor lost: the endpoint
    /// may be none that echoes.
    const MOST: usize = 50_000;
    /// How many messages ahead of the oldest a reply is looked for: more than a link loses at once, and cheap enough to look
    /// through for each of ten thousand messages a second of other people's.
    const AHEAD: usize = 512;

    /// The socket accepted a message; `transmitted_at` is none where it waits in the outbox.
    pub(in crate::pages::echo) fn accepted(&mut self, id: MessageId, payload: &[u8], transmitted_at: Option<Duration>) {
        if self.waiting.len() == Self::MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting { id, content: Content::of(payload), transmitted_at });
    }

    /// A message that waited in the outbox has left: its round trip starts now.
    pub(in crate::pages::echo) fn transmitted(&mut self, id: MessageId, now: Duration) {
        // Messages are named in the order in which they are accepted.
        if let Ok(index) = self.waiting.binary_search_by_key(&id, |waiting| waiting.id) {
            self.waiting[index].transmitted_at = Some(now);
        }
    }

    /// The round trip of the message that `payload` repeats, if it repeats any.
    pub(in crate::pages::echo) fn received(&mut self, payload: &[u8], now: Duration) -> Option<Duration> {
        if self.waiting.is_empty() {
            return None;
        }
        let content = Content::of(payload);
        // They leave in order, so that nothing is skipped that is still here.
        let transmitted =
            self.waiting.iter().take(Self::AHEAD).map_while(|waiting| Some((waiting, waiting.transmitted_at?)));
        let (ahead, (_, at)) = transmitted.enumerate().find(|(_, (waiting, _))| waiting.content == content)?;
        self.waiting.drain(..=ahead);
        self.lost += ahead as u64;
        self.is_echo = true;
        Some(now.saturating_sub(at))
    }

    /// A message will not be sent after all.
    pub(in crate::pages::echo) fn discarded(&mut self, id: MessageId) {
        if let Ok(index) = self.waiting.binary_search_by_key(&id, |waiting| waiting.id) {
            self.waiting.remove(index);
        }
    }

    /// The connection is gone, and with it what was under way; what waits in the outbox still does.
    pub(in crate::pages::echo) fn dropped(&mut self) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.transmitted_at.is_none());
        if self.is_echo {
            self.lost += (before - self.waiting.len()) as u64;
        }
    }

    /// How many messages came back not at all, although others did.
    pub(in crate::pages::echo) fn lost(&self) -> u64 {
        self.lost
    }
}

impl Content {
    fn of(payload: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        Self { length: payload.len(), hash: hasher.finish() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sent(payloads: &[&str]) -> Echoes {
        let mut echoes = Echoes::default();
        for (id, payload) in payloads.iter().enumerate() {
            echoes.accepted(MessageId(id as u64), payload.as_bytes(), Some(ms(id as u64)));
        }
        echoes
    }

    fn round_trip(echoes: &mut Echoes, payload: &str, now: u64) -> Option<Duration> {
        echoes.received(payload.as_bytes(), ms(now))
    }

    #[test]
    fn equal_messages_are_matched_in_the_order_in_which_they_were_sent() {
        let mut echoes = sent(&["a", "a", "b"]);
        assert_eq!(round_trip(&mut echoes, "a", 10), Some(ms(10)));
        assert_eq!(round_trip(&mut echoes, "a", 10), Some(ms(9)));
        assert_eq!(round_trip(&mut echoes, "b", 10), Some(ms(8)));
        assert_eq!(round_trip(&mut echoes, "b", 10), None);
        assert_eq!(echoes.lost(), 0);
    }

    #[test]
    fn what_nobody_sent_is_no_echo_and_loses_nothing() {
        let mut echoes = sent(&["a", "b"]);
        assert_eq!(round_trip(&mut echoes, "from somebody else", 5), None);
        assert_eq!(round_trip(&mut echoes, "a", 5), Some(ms(5)));
        assert_eq!(echoes.lost(), 0);
    }

    #[test]
    fn a_reply_that_overtakes_others_shows_that_they_were_lost() {
        let mut echoes = sent(&["a", "b", "c"]);
        assert_eq!(round_trip(&mut echoes, "c", 5), Some(ms(3)));
        assert_eq!(echoes.lost(), 2);
        assert_eq!(round_trip(&mut echoes, "a", 5), None);
    }

    #[test]
    fn a_drop_loses_what_was_under_way_but_not_what_still_waits() {
        let mut echoes = sent(&["a", "b"]);
        assert_eq!(round_trip(&mut echoes, "a", 5), Some(ms(5)));
        echoes.accepted(MessageId(7), b"later", None);
        echoes.dropped();
        assert_eq!(echoes.lost(), 1);
        echoes.transmitted(MessageId(7), ms(40));
        assert_eq!(round_trip(&mut echoes, "later", 50), Some(ms(10)));
    }

    #[test]
    fn a_message_in_the_outbox_has_no_echo_yet() {
        let mut echoes = sent(&["a"]);
        echoes.accepted(MessageId(1), b"b", None);
        assert_eq!(round_trip(&mut echoes, "b", 5), None, "somebody else said the same");
        assert_eq!(round_trip(&mut echoes, "a", 5), Some(ms(5)));
        assert_eq!(echoes.lost(), 0);
    }

    #[test]
    fn an_endpoint_that_does_not_echo_loses_nothing() {
        let mut echoes = sent(&["Ann"]);
        assert_eq!(round_trip(&mut echoes, "Hello Ann!", 5), None);
        echoes.dropped();
        assert_eq!(echoes.lost(), 0);
    }

    #[test]
    fn a_discarded_message_is_not_waited_for() {
        let mut echoes = sent(&["a", "b"]);
        echoes.discarded(MessageId(0));
        assert_eq!(round_trip(&mut echoes, "b", 5), Some(ms(4)));
        assert_eq!(echoes.lost(), 0);
    }

    proptest! {
        /// An echo that loses some messages and keeps the order, while others talk in between.
        #[test]
        fn every_message_is_echoed_or_counted_as_lost(fates in prop::collection::vec((0..1_000_u32, any::<bool>()), 0..300)) {
            let mut echoes = Echoes::default();
            let payloads: Vec<String> = fates.iter().enumerate().map(|(n, (id, _))| format!("{id} {n}")).collect();
            for (id, payload) in payloads.iter().enumerate() {
                echoes.accepted(MessageId(id as u64), payload.as_bytes(), Some(Duration::ZERO));
            }
            let mut echoed = 0;
            for (payload, (_, arrives)) in payloads.iter().zip(&fates) {
                prop_assert!(echoes.received(b"other", ms(1)).is_none());
                if *arrives {
                    prop_assert!(echoes.received(payload.as_bytes(), ms(1)).is_some());
                    echoed += 1;
                }
            }
            echoes.dropped();
            let lost = if echoed == 0 { 0 } else { fates.len() as u64 - echoed };
            prop_assert_eq!(echoes.lost(), lost);
        }
    }
}

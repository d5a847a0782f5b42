use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everwire_companion_api::lab;
use everwire_server::{Connection, Message, Utf8Bytes};
use tokio::sync::watch;

use crate::protocol::to_json;

/// The number of messages that a log keeps for readers that come back: half a minute of the fastest feed.
const KEEP: usize = 600;

/// Numbered messages, of which the latest are kept. Each client reads from a cursor of its own.
#[derive(Debug)]
pub(super) struct Log {
    inner: Mutex<Inner>,
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    kept: VecDeque<Item>,
    latest: u64,
    /// WebSockets that are sent each message.
    subscribers: HashMap<u64, Connection>,
    subscribed: u64,
}

/// A message and its number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) seq: u64,
    pub(super) text: Utf8Bytes,
}

/// A subscription. Dropping it ends it.
#[derive(Debug)]
#[must_use = "dropping the subscription ends it"]
pub(super) struct Subscription {
    log: Arc<Log>,
    number: u64,
}

/// The position where a client starts to read. It is sent in place of a message, and only if the client cannot know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StartPosition {
    /// The message before the first that follows.
    pub(super) cursor: u64,
    /// The number of messages that the client has missed because they are not kept any more.
    pub(super) gap: u64,
}

impl StartPosition {
    pub(super) fn text(&self) -> String {
        let Self { cursor, gap } = *self;
        to_json(&lab::Item::Start { cursor, gap })
    }
}

impl Log {
    /// An empty log whose first message has the number after `latest`.
    pub(super) fn after(latest: u64) -> Self {
        Self { inner: Mutex::new(Inner { latest, ..Inner::default() }), latest: watch::Sender::new(latest) }
    }

    /// Adds a message. `text` is passed its number.
    pub(super) fn push(&self, text: impl FnOnce(u64) -> String) {
        let mut inner = self.inner();
        inner.latest += 1;
        let seq = inner.latest;
        let text = Utf8Bytes::from(text(seq));
        for connection in inner.subscribers.values() {
            connection.send(Message::Text(text.clone()));
        }
        if inner.kept.len() == KEEP {
            inner.kept.pop_front();
        }
        inner.kept.push_back(Item { seq, text });
        drop(inner);
        self.latest.send_replace(seq);
    }

    /// The messages after `after`, and where they start if the client cannot know.
    pub(super) fn read(&self, after: Option<u64>) -> (Option<StartPosition>, Vec<Item>) {
        self.inner().read(after)
    }

    /// Notifies of messages that are added from now on.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Sends a connection the messages after `after`, and all new ones, behind where they start if the client cannot know.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        connection: &Connection,
        after: Option<u64>,
    ) -> (Subscription, Option<StartPosition>) {
        let mut inner = self.inner();
        let (start, items) = inner.read(after);
        start.iter().for_each(|start| connection.send(start.text()));
        items.into_iter().for_each(|item| connection.send(Message::Text(item.text)));
        inner.subscribed += 1;
        let number = inner.subscribed;
        inner.subscribers.insert(number, connection.clone());
        (Subscription { log: Arc::clone(self), number }, start)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn read(&self, after: Option<u64>) -> (Option<StartPosition>, Vec<Item>) {
        let oldest = self.latest - self.kept.len() as u64;
        let (from, start) = match after {
            Some(after) if (oldest..=self.latest).contains(&after) => (after, None),
            Some(after) if after < oldest => (oldest, Some(StartPosition { cursor: oldest, gap: oldest - after })),
            // A new client, or one with a number of another log.
            _ => (self.latest, Some(StartPosition { cursor: self.latest, gap: 0 })),
        };
        let newer = self.kept.iter().rev().take_while(|item| item.seq > from).count();
        (start, self.kept.range(self.kept.len() - newer..).cloned().collect())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.log.inner().subscribers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::Message;
    use everwire_server::testing::Recorder;

    use super::*;

    fn log(messages: u64) -> Log {
        let log = Log::after(0);
        (0..messages).for_each(|_| log.push(|seq| seq.to_string()));
        log
    }

    /// The start position and the numbers of the messages after `after`.
    fn read(log: &Log, after: Option<u64>) -> (Option<StartPosition>, Vec<u64>) {
        let (start, items) = log.read(after);
        (start, items.iter().map(|item| item.seq).collect())
    }

    #[test]
    fn a_cursor_reads_what_follows_it_once() {
        let log = log(3);
        assert_eq!(read(&log, Some(1)), (None, vec![2, 3]));
        assert_eq!(read(&log, Some(3)), (None, vec![]));
    }

    #[test]
    fn a_new_client_starts_at_the_end_and_gets_the_position() {
        let at_the_end = (Some(StartPosition { cursor: 3, gap: 0 }), vec![]);
        assert_eq!(read(&log(3), None), at_the_end);
        assert_eq!(read(&log(3), Some(9)), at_the_end);
    }

    #[test]
    fn a_client_that_was_away_too_long_gets_the_number_of_missed_messages() {
        let log = log(1000);
        let (start, items) = read(&log, Some(150));
        assert_eq!(start, Some(StartPosition { cursor: 400, gap: 250 }));
        assert_eq!((items.len(), items[0]), (KEEP, 401));
        assert_eq!(read(&log, Some(400)).0, None);
    }

    #[test]
    fn a_subscriber_gets_the_backlog_and_then_each_message_until_it_leaves() {
        let log = Arc::new(log(3));
        let recorder = Recorder::new();
        let (subscription, start) = log.subscribe(recorder.connection(), Some(2));
        log.push(|seq| seq.to_string());
        drop(subscription);
        log.push(|seq| seq.to_string());
        assert_eq!(start, None);
        assert_eq!(recorder.messages(), ["3", "4"].map(Message::text));
    }
}

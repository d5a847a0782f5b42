//! Numbered messages, the feeds that add them, and the readers of one client.
//!
//! All transports read the same log, each client from a cursor of its own, so that a client that changes its transport misses and repeats
//! nothing.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use everwire_companion_api::lab;
use everwire_companion_api::lab::padded_message;
use everwire_server::{Clock, Connection, HandshakeError, Message, Utf8Bytes, network_of};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::companion::Companion;
use crate::fault::NetworkPath;
use crate::protocol::{Parameters, STREAMS_FULL, to_json};

/// The number of messages that a log keeps for readers that come back: half a minute of the fastest feed.
const KEEP: usize = 600;

/// The number of feeds that may run at once.
const MAX_FEEDS: usize = 60;

/// The number of feeds that one address may have started: as many as the page offers selections.
const MAX_FEEDS_PER_ADDRESS: usize = 20;

/// How long a feed runs without readers: the next poll may be a minute away.
const LINGER: Duration = Duration::from_secs(90);

/// Numbered messages, of which the latest are kept. Each client reads from a cursor of its own.
#[derive(Debug)]
pub(super) struct MessageLog {
    state: Mutex<State>,
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<LogMessage>,
    latest: u64,
    /// WebSockets that are sent each message.
    subscribers: HashMap<u64, Connection>,
    subscribed: u64,
}

/// A message and its number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogMessage {
    pub(super) seq: u64,
    pub(super) text: Utf8Bytes,
}

/// A subscription. Dropping it ends it.
#[derive(Debug)]
#[must_use = "dropping the subscription ends it"]
pub(super) struct Subscription {
    log: Arc<MessageLog>,
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

impl MessageLog {
    /// An empty log whose first message has the number after `latest`.
    pub(super) fn after(latest: u64) -> Self {
        Self { state: Mutex::new(State { latest, ..State::default() }), latest: watch::Sender::new(latest) }
    }

    /// Adds a message. `text` is passed its number.
    pub(super) fn push(&self, text: impl FnOnce(u64) -> String) {
        let mut state = self.state();
        state.latest += 1;
        let seq = state.latest;
        let text = Utf8Bytes::from(text(seq));
        for connection in state.subscribers.values() {
            connection.send(Message::Text(text.clone()));
        }
        if state.kept.len() == KEEP {
            state.kept.pop_front();
        }
        state.kept.push_back(LogMessage { seq, text });
        drop(state);
        self.latest.send_replace(seq);
    }

    /// The messages after `after`, and where they start if the client cannot know.
    pub(super) fn read(&self, after: Option<u64>) -> (Option<StartPosition>, Vec<LogMessage>) {
        self.state().read(after)
    }

    /// Notifies of messages that are added from now on.
    fn watch_latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Sends a connection the messages after `after` and all new ones. If the client cannot know where they start, the start position comes
    /// first.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        connection: &Connection,
        after: Option<u64>,
    ) -> (Subscription, Option<StartPosition>) {
        let mut state = self.state();
        let (start, items) = state.read(after);
        start.iter().for_each(|start| connection.send(start.text()));
        items.into_iter().for_each(|item| connection.send(Message::Text(item.text)));
        state.subscribed += 1;
        let number = state.subscribed;
        state.subscribers.insert(number, connection.clone());
        (Subscription { log: Arc::clone(self), number }, start)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(&self, after: Option<u64>) -> (Option<StartPosition>, Vec<LogMessage>) {
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
        self.log.state().subscribers.remove(&self.number);
    }
}

/// The feed that a client selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FeedSelection {
    /// Messages per second.
    rate: u32,
    /// Bytes of each.
    size: usize,
}

/// The feeds that run, one for each selection. All transports read the same log.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    running: Arc<Mutex<HashMap<FeedSelection, RunningFeed>>>,
}

#[derive(Debug)]
struct RunningFeed {
    log: Arc<MessageLog>,
    used: Instant,
    /// The address that started it.
    address: Option<IpAddr>,
}

impl FeedSelection {
    pub(super) fn from_query(query: &Parameters) -> Result<Self, HandshakeError> {
        Ok(Self { rate: query.number("rate", 1..=20, 10)?, size: query.number("size", 64..=1024, 128)? })
    }

    fn period(self) -> Duration {
        Duration::from_secs(1) / self.rate
    }
}

impl Feeds {
    /// The log of a feed, which is started if it does not run yet.
    pub(super) fn log(
        &self,
        companion: &Companion,
        selection: FeedSelection,
        address: Option<IpAddr>,
    ) -> Result<Arc<MessageLog>, HandshakeError> {
        let address = address.map(network_of);
        let mut running = lock(&self.running);
        let full = running.len() >= MAX_FEEDS;
        let started = running.values().filter(|feed| address.is_some() && feed.address == address).count();
        if let Some(feed) = running.get_mut(&selection) {
            feed.used = Instant::now();
            return Ok(Arc::clone(&feed.log));
        }
        if full {
            let sentence =
                format!("All {MAX_FEEDS} feeds of the lab are in use; choose a rate and a size that others use.");
            return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, STREAMS_FULL, sentence));
        }
        if started >= MAX_FEEDS_PER_ADDRESS {
            let sentence = format!(
                "Your address has reached its limit of {MAX_FEEDS_PER_ADDRESS} feeds of the lab; choose a rate and a size that already run."
            );
            return Err(HandshakeError::new(StatusCode::TOO_MANY_REQUESTS, STREAMS_FULL, sentence));
        }
        let clock = companion.config().clock.clone();
        let log = Arc::new(MessageLog::after(first_number(&clock, selection)));
        running.insert(selection, RunningFeed { log: Arc::clone(&log), used: Instant::now(), address });
        drop(running);
        let (others, played, everwire) = (Arc::clone(&self.running), Arc::clone(&log), companion.everwire().clone());
        tokio::spawn(async move {
            tokio::select! {
                () = play(&played, selection, &clock, || is_over(&others, selection)) => {}
                () = everwire.draining() => {}
            }
        });
        Ok(log)
    }
}

/// The first number follows from the time of day. A feed that is restarted, also by another server, is therefore ahead of every number
/// that a client has from before, and gaps are detected.
fn first_number(clock: &Clock, selection: FeedSelection) -> u64 {
    (clock.now_ms() / 1e3 * f64::from(selection.rate)) as u64
}

/// Adds a message at each step until it may end.
async fn play(log: &MessageLog, selection: FeedSelection, clock: &Clock, is_over: impl Fn() -> bool) {
    let mut step = Instant::now();
    loop {
        step += selection.period();
        sleep_until(step).await;
        log.push(|seq| padded_message(seq, clock.now_ms(), selection.size));
        if is_over() {
            return;
        }
    }
}

/// Removes a feed that has been unused for a while and is referenced by only the map and its task.
fn is_over(running: &Mutex<HashMap<FeedSelection, RunningFeed>>, selection: FeedSelection) -> bool {
    let mut running = lock(running);
    let unused =
        running.get(&selection).is_none_or(|feed| Arc::strong_count(&feed.log) <= 2 && feed.used.elapsed() >= LINGER);
    if unused {
        running.remove(&selection);
    }
    unused
}

fn lock(running: &Mutex<HashMap<FeedSelection, RunningFeed>>) -> MutexGuard<'_, HashMap<FeedSelection, RunningFeed>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The messages of a log for one client, each at its arrival time in the network.
///
/// Messages in transit wait here: never more than the log keeps, and those that are added while the network delays one.
pub(super) struct LogReader {
    log: Arc<MessageLog>,
    latest: watch::Receiver<u64>,
    read: Option<u64>,
    path: NetworkPath,
    in_transit: VecDeque<(Instant, Delivery)>,
}

/// An item for the client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Delivery {
    /// The position where it starts to read, at first or after a gap.
    Start(StartPosition),
    Message(LogMessage),
}

impl LogReader {
    pub(super) fn new(log: Arc<MessageLog>, after: Option<u64>, path: NetworkPath) -> Self {
        let latest = log.watch_latest();
        let mut reader = Self { log, latest, read: after, path, in_transit: VecDeque::new() };
        reader.read_log();
        reader
    }

    /// Waits for the next item. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.ready() {
                return delivery;
            }
            let due = self.in_transit.front().map(|(due, _)| *due);
            tokio::select! {
                () = at(due) => {}
                // The sender is not dropped, since this holds the log.
                _ = self.latest.changed() => self.read_log(),
            }
        }
    }

    /// Completes when there is an item.
    pub(super) async fn has_messages(&mut self) {
        while self.in_transit.is_empty() {
            // The sender is not dropped, since this holds the log.
            let _ = self.latest.changed().await;
            self.read_log();
        }
    }

    /// The next item, if it has arrived.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        let now = Instant::now();
        self.in_transit.pop_front_if(|(due, _)| *due <= now).map(|(_, delivery)| delivery)
    }

    fn read_log(&mut self) {
        self.latest.borrow_and_update();
        let now = Instant::now();
        let (start, items) = self.log.read(self.read);
        if let Some(start) = start {
            self.read = Some(start.cursor);
            self.in_transit.push_back((self.path.arrival(now), Delivery::Start(start)));
        }
        for item in items {
            self.read = Some(item.seq);
            self.in_transit.push_back((self.path.arrival(now), Delivery::Message(item)));
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::testing::Recorder;

    use super::*;
    use crate::Config;
    use crate::fault::Faults;

    fn log(messages: u64) -> MessageLog {
        let log = MessageLog::after(0);
        (0..messages).for_each(|_| log.push(|seq| seq.to_string()));
        log
    }

    /// The start position and the numbers of the messages after `after`.
    fn read(log: &MessageLog, after: Option<u64>) -> (Option<StartPosition>, Vec<u64>) {
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

    fn selection(query: &str) -> FeedSelection {
        FeedSelection::from_query(&Parameters::of(&format!("/?{query}").parse().unwrap())).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_keeps_its_rate_and_its_numbers_have_no_gap() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        let log = feeds.log(&companion, selection("rate=20"), None).unwrap();
        let start = log.read(None).0.unwrap().cursor;
        tokio::time::sleep(Duration::from_millis(10_025)).await;
        let numbers: Vec<u64> = log.read(Some(start)).1.iter().map(|item| item.seq - start).collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_without_readers_ends_and_one_that_is_held_does_not() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        drop(feeds.log(&companion, selection("rate=1"), None).unwrap());
        let held = feeds.log(&companion, selection("rate=2"), None).unwrap();
        tokio::time::sleep(LINGER + Duration::from_secs(2)).await;
        assert_eq!(lock(&feeds.running).keys().collect::<Vec<_>>(), [&selection("rate=2")]);
        drop(held);
    }

    #[tokio::test]
    async fn no_more_feeds_run_than_the_limit() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        for size in 0..MAX_FEEDS {
            feeds.log(&companion, selection(&format!("size={}", 64 + size)), None).unwrap();
        }
        let error = feeds.log(&companion, selection("size=1000"), None).unwrap_err();
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(feeds.log(&companion, selection("size=64"), None).is_ok());
    }

    #[tokio::test]
    async fn one_address_cannot_start_every_feed() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        let log = |size: usize, address: &str| {
            feeds.log(&companion, selection(&format!("size={size}")), Some(address.parse().unwrap()))
        };
        for size in 0..MAX_FEEDS_PER_ADDRESS {
            log(64 + size, "10.0.0.1").unwrap();
        }
        assert_eq!(log(1000, "10.0.0.1").unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(log(64, "10.0.0.1").is_ok() && log(1000, "10.0.0.2").is_ok() && log(1000, "10.0.0.1").is_ok());
    }

    fn reader(log: &Arc<MessageLog>, after: u64, fault: Option<&str>) -> LogReader {
        let faults = fault.map_or_else(Faults::default, |fault| Faults::parse(fault).unwrap());
        LogReader::new(Arc::clone(log), Some(after), faults.network_alone().unwrap().path())
    }

    fn number(delivery: &Delivery) -> u64 {
        match delivery {
            Delivery::Message(item) => item.seq,
            Delivery::Start(start) => panic!("{start:?} is no message"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_network_delays_each_message_from_its_own_send_time() {
        let log = Arc::new(MessageLog::after(0));
        let mut reader = reader(&log, 0, Some("delay:200"));
        let start = Instant::now();
        tokio::spawn(async move {
            for _ in 0..4 {
                log.push(|seq| seq.to_string());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        let mut arrivals = Vec::new();
        for _ in 0..4 {
            let delivery = reader.next().await;
            arrivals.push((number(&delivery), start.elapsed().as_millis()));
        }
        assert_eq!(arrivals, [(1, 200), (2, 250), (3, 300), (4, 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn kept_messages_are_ready_at_once_and_in_order() {
        let log = Arc::new(MessageLog::after(0));
        (0..5).for_each(|_| log.push(|seq| seq.to_string()));
        let mut reader = reader(&log, 2, None);
        let ready: Vec<u64> = std::iter::from_fn(|| reader.ready()).map(|delivery| number(&delivery)).collect();
        assert_eq!(ready, [3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_falls_behind_the_log_gets_the_number_of_missed_messages() {
        let log = Arc::new(MessageLog::after(0));
        let mut reader = reader(&log, 0, None);
        (0..700).for_each(|_| log.push(|seq| seq.to_string()));
        let first = reader.next().await;
        assert_eq!(first, Delivery::Start(StartPosition { cursor: 100, gap: 100 }));
        assert_eq!(number(&reader.next().await), 101);
    }
}

//! What must hold for a feed, whatever its channel, its connection and its broker do: each message is delivered once, or is in a gap.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Delivery,
    protocol::{Cursor, Mode, Start},
    session::{Feed, FeedStep, Gap, History},
};
use proptest::prelude::*;

#[derive(Debug, Arbitrary)]
enum Step {
    /// Of one of a few keys or none; without a payload or not; and it may miss the fan-out.
    Publish(u8, bool, bool),
    Trim(u8),
    /// There is room for some messages; some are trimmed between the poll and the reading.
    Page(u8, u8),
    FellBehind,
    /// The connection is lost, and the client resumes. Its rights may have been taken back.
    Resume(bool),
    /// The server starts again with a store that has lost its latest messages.
    RollBack(u8),
    /// The history is lost.
    Lose,
}

/// A message by its key, and whether it removes the key.
#[derive(Debug, Clone, Copy)]
struct Message {
    cursor: Cursor,
    key: Option<u8>,
    is_removal: bool,
}

/// A channel, its broker, and a client with one subscription.
struct Simulation {
    mode: Mode,
    start: Start,
    time: u64,
    epoch: u64,
    /// All messages of the epoch, also those that were trimmed.
    messages: Vec<Message>,
    trimmed: usize,
    feed: Feed,
    position: Cursor,
    /// The messages of this epoch and this store that were delivered or lie in a gap.
    covered: BTreeSet<u64>,
    /// The latest message of each key that the client has.
    values: BTreeMap<u8, u64>,
}

impl Simulation {
    fn new(mode: Mode, start: Start) -> Self {
        let first = Cursor { epoch: 1, offset: 0, time: 0 };
        let (feed, _) = Feed::start(Start::Hold, mode, true, &History::empty(first), |_| None);
        Self {
            mode,
            start,
            time: 1,
            epoch: 1,
            messages: Vec::new(),
            trimmed: 0,
            feed,
            position: first,
            covered: BTreeSet::new(),
            values: BTreeMap::new(),
        }
    }

    fn cursor(&self, offset: usize) -> Cursor {
        let first = Cursor { epoch: self.epoch, offset: 0, time: 0 };
        offset.checked_sub(1).map_or(first, |index| self.messages[index].cursor)
    }

    fn last(&self) -> Cursor {
        self.cursor(self.messages.len())
    }

    /// What a broker can recover. In the mode `latest` it keeps the latest message of each key, but removals and messages without a key
    /// only until they are trimmed.
    fn history(&self) -> History {
        let is_dropped = |message: &&Message| {
            self.mode == Mode::Each || message.key.is_none() || (message.is_removal && self.is_latest(message))
        };
        let dropped = self.messages[..self.trimmed].iter().rfind(is_dropped);
        let trimmed = dropped.map_or(0, |message| message.cursor.offset);
        History { trimmed, last: self.last() }
    }

    fn is_latest(&self, message: &Message) -> bool {
        let later = self.messages.get(message.cursor.offset as usize..).unwrap_or_default();
        message.key.is_none() || later.iter().all(|other| other.key != message.key)
    }

    /// The messages in a range, as a broker reads them.
    fn read(&self, after: u64, up_to: u64, mode: Mode) -> Vec<Message> {
        let in_range = self.messages[after as usize..up_to as usize].iter().copied();
        let is_kept = |message: &Message| match mode {
            Mode::Each => message.cursor.offset > self.trimmed as u64,
            _ => {
                let survives = message.key.is_some() && !message.is_removal;
                self.is_latest(message) && (survives || message.cursor.offset > self.trimmed as u64)
            }
        };
        in_range.filter(is_kept).collect()
    }

    fn subscribe(&mut self, start: Start, allows_history: bool) {
        let history = self.history();
        let times: Vec<u64> = self.messages.iter().map(|message| message.cursor.time).collect();
        let time_at = |offset: u64| times.get(offset as usize - 1).copied();
        let (feed, opening) = Feed::start(start, self.mode, allows_history, &history, time_at);
        self.feed = feed;
        self.position = opening.cursor;
        if let Start::From(cursor) = start {
            assert!(opening.cursor == cursor || opening.gap.is_some() || cursor == self.last());
        } else {
            // The subscriber does not wait for earlier messages.
            self.covered = (1..=opening.cursor.offset).collect();
            self.values.clear();
        }
        opening.gap.into_iter().for_each(|gap| self.gap(gap));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(key, is_removal, misses_fan_out) => self.publish(key, is_removal, misses_fan_out),
            Step::Trim(count) => self.trim(count),
            Step::Page(room, trims) => {
                self.page(room.into(), trims);
            }
            Step::FellBehind => self.feed.fell_behind(),
            Step::Resume(allows_history) => self.subscribe(Start::From(self.position), allows_history),
            // A message that was left out for a later one is not repeated if the later one is rolled back: see `Feed`.
            Step::RollBack(_) if !self.is_complete() => {}
            Step::RollBack(count) => {
                let left = self.messages.len().saturating_sub((count % 4).into()).max(self.trimmed);
                self.messages.truncate(left);
                self.covered.retain(|offset| *offset <= left as u64);
                self.subscribe(Start::From(self.position), true);
            }
            Step::Lose => {
                self.epoch += 1;
                self.messages.clear();
                self.trimmed = 0;
                self.covered.clear();
                self.values.clear();
            }
        }
    }

    /// Whether everything up to the position was delivered, or nothing is left out for a later message.
    fn is_complete(&self) -> bool {
        (self.mode == Mode::Each && self.start != Start::State) || self.feed.is_live()
    }

    fn publish(&mut self, key: u8, is_removal: bool, misses_fan_out: bool) {
        self.time += 1;
        let cursor = Cursor { epoch: self.epoch, offset: self.messages.len() as u64 + 1, time: self.time };
        let key = Some(key % 4).filter(|key| *key > 0);
        let message = Message { cursor, key, is_removal: is_removal && key.is_some() };
        self.messages.push(message);
        if !misses_fan_out && self.feed.fan_out(cursor) == Delivery::Deliver {
            self.deliver(message, cursor.offset - 1);
        }
    }

    fn trim(&mut self, count: u8) {
        self.trimmed = (self.trimmed + usize::from(count % 6)).min(self.messages.len());
    }

    /// Whether there was something to do.
    fn page(&mut self, room: usize, trims: u8) -> bool {
        let mut step = self.feed.poll(&self.history());
        if let FeedStep::Read { mode, .. } = step {
            self.trim(trims);
            // A page of each message shows by itself what was trimmed before it was read.
            if mode == Mode::Latest {
                step = self.feed.poll(&self.history());
            }
        }
        match step {
            FeedStep::Idle => return false,
            FeedStep::Read { after, up_to, mode } => {
                let messages = self.read(after, up_to, mode);
                for message in messages.iter().take(room) {
                    if let Some(after) = self.feed.paged(message.cursor) {
                        self.deliver(*message, after);
                    }
                }
                if room >= messages.len() {
                    self.feed.page_ended();
                }
            }
            FeedStep::Gap(gap) => self.gap(gap),
            FeedStep::Position { cursor, is_live } => {
                assert_eq!(is_live, self.feed.is_live());
                assert_eq!(cursor.epoch, self.epoch);
                if self.mode == Mode::Each && self.start != Start::State {
                    assert_eq!(cursor, self.position, "nothing was skipped");
                }
                assert!(cursor.offset >= self.position.offset, "back from {:?} to {cursor:?}", self.position);
                self.position = cursor;
            }
            other => panic!("{other:?}"),
        }
        true
    }

    /// Receives a message as a client does: it must follow the position.
    fn deliver(&mut self, message: Message, after: u64) {
        assert_eq!((message.cursor.epoch, after), (self.position.epoch, self.position.offset), "a hole");
        assert!(message.cursor.offset > self.position.offset, "a repetition");
        assert!(self.covered.insert(message.cursor.offset), "{message:?} is delivered twice");
        self.position = message.cursor;
        if let Some(key) = message.key {
            if message.is_removal {
                self.values.remove(&key);
            } else {
                self.values.insert(key, message.cursor.offset);
            }
        }
    }

    fn gap(&mut self, gap: Gap) {
        assert_eq!(gap.cursor, self.last(), "the subscription goes on from the present position");
        if let Some(missed) = gap.missed {
            let is_known = self.covered.range(gap.cursor.offset - missed + 1..=gap.cursor.offset).next().is_some();
            assert!(!is_known, "{gap:?} counts messages that were delivered");
        }
        self.position = gap.cursor;
        self.covered = (1..=gap.cursor.offset).collect();
        if self.start == Start::State {
            // A client that wants the state starts over.
            self.subscribe(Start::State, true);
        }
    }

    fn check_quiescent(&mut self) {
        // A feed that missed the latest message notices by the next one.
        self.publish(0, false, false);
        for _ in 0..1_000 {
            if !self.page(2, 0) {
                break;
            }
        }
        assert!(self.feed.is_live(), "it never catches up");
        assert_eq!((self.position, self.feed.position()), (self.last(), self.last()));
        let is_missed = |message: &&Message| !self.covered.contains(&message.cursor.offset);
        match (self.start, self.mode) {
            (Start::State, _) => {
                let kept = self.messages.iter().filter(|message| self.is_latest(message) && !message.is_removal);
                let expected = kept.filter_map(|message| Some((message.key?, message.cursor.offset))).collect();
                assert_eq!(self.values, expected, "the client's state is that of the channel");
            }
            (_, Mode::Each) => assert_eq!(self.messages.iter().filter(is_missed).count(), 0, "lost without a gap"),
            _ => {
                let lost = self.messages.iter().filter(|message| self.is_latest(message)).find(is_missed);
                assert!(lost.is_none(), "{lost:?} is the latest of its key, and lost without a gap");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_is_delivered_once_or_in_a_gap(
        is_latest in any::<bool>(),
        start in prop_oneof![Just(Start::Live), Just(Start::State), (0..5_u64).prop_map(Start::Last)],
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = Unstructured::new(&bytes);
        let mut sim = Simulation::new(if is_latest { Mode::Latest } else { Mode::Each }, start);
        for key in 0..5 {
            sim.publish(key, false, false);
        }
        sim.subscribe(start, true);
        while !bytes.is_empty() {
            sim.step(bytes.arbitrary().expect("any bytes make a step"));
        }
        sim.check_quiescent();
    }
}

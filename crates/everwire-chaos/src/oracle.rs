//! What clients did and saw, and whether that is right.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use everwire::client::{Cursor, GapReason};

/// The most violations of each kind that a verdict explains.
const EXPLAINED: usize = 5;

/// A message: which client published it, and the how many-th of that client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// The client.
    pub client: u32,
    /// Counts the messages of the client, from 1.
    pub number: u32,
}

impl MessageId {
    /// A payload that names the message, with so many bytes more.
    pub(crate) fn to_payload(self, padding: usize) -> String {
        format!("{} {} {}", self.client, self.number, "x".repeat(padding))
    }

    /// Which message a payload names.
    pub(crate) fn from_payload(payload: &[u8]) -> Option<Self> {
        let words = payload.split(|byte| *byte == b' ');
        let mut numbers = words.map(|word| std::str::from_utf8(word).ok()?.parse().ok());
        Some(Self { client: numbers.next()??, number: numbers.next()?? })
    }
}

/// A message that a client has published, and what it knows of it.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Which message.
    pub id: MessageId,
    /// Where to.
    pub channel: usize,
    /// The run of the client's program that published it.
    pub life: u32,
    /// What the client learned.
    pub fate: Fate,
}

/// The outcome of a publish, as its client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was acknowledged with this position.
    Stored(Cursor),
    /// The server does not have it: it was refused, or expired, or was never sent.
    NotStored,
    /// It cannot be known, because the client was closed before there was an outcome.
    Unknown,
    /// It cannot be known, although the client was not closed: the server has forgotten the session or the answer.
    Forgotten,
    /// There was no outcome until the end of the run.
    Pending,
}

/// What a subscription yielded, from the start of the run to its end, also over restarts of its program.
#[derive(Clone, Debug)]
pub struct Log {
    /// The client.
    pub client: u32,
    /// The channel.
    pub channel: usize,
    /// In the order of the stream.
    pub items: Vec<Item>,
}

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The program was started for the how many-th time, from 0. What follows continues the position that it had stored.
    Started {
        /// The run.
        life: u32,
    },
    /// The subscription has begun, after this position. It may also begin with a message.
    Established(Cursor),
    /// A message.
    Message {
        /// Its position.
        cursor: Cursor,
        /// Which one.
        id: MessageId,
        /// Whether it was reported as the client's own.
        is_own: bool,
    },
    /// A reported gap up to a position.
    Gap {
        /// Why.
        reason: GapReason,
        /// Where the subscription goes on.
        cursor: Cursor,
    },
    /// The subscription ended before the run did, for this reason.
    Ended(String),
}

/// Everything that clients did and saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What was published.
    pub publishes: Vec<Publish>,
    /// What was delivered.
    pub logs: Vec<Log>,
    /// The clients whose sessions the server had forgotten when they came back, each time.
    pub replaced: Vec<u32>,
    /// The last message of each channel that all its subscriptions have to reach.
    pub last: Vec<Cursor>,
}

/// What is wrong in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// An acknowledged message that a subscription did not get, or a gap without a cause.
    Lost,
    /// A message that a subscription got again.
    Repeated,
    /// Messages left out without a gap.
    UnreportedGap,
    /// A message behind a later one of its channel, or of its publisher in the channel.
    Reordered,
    /// A message that is another one than its publisher was told: refused, elsewhere, of another channel, or not one's own.
    Misreported,
    /// A session, or the answer to a publish, that the server did not keep although it should.
    Forgotten,
    /// A subscription that did not reach the end, or a publish without an outcome.
    Unfinished,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What kind of thing.
    pub wrong: Wrong,
    /// The client that noticed it.
    pub client: u32,
    /// The channel, if it is about one.
    pub channel: Option<usize>,
    /// What happened.
    pub what: String,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Messages that were acknowledged.
    pub published: u64,
    /// Messages whose fate their publishers do not know.
    pub unknown: u64,
    /// Messages that their publishers know not to be stored.
    pub not_stored: u64,
    /// Messages that subscriptions yielded.
    pub delivered: u64,
    /// How often each thing was wrong.
    pub counts: BTreeMap<Wrong, u64>,
    /// The first of each kind.
    pub violations: Vec<Violation>,
}

impl History {
    /// Compares what was delivered with what was published.
    pub fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for Publish { id, channel, fate, .. } in &self.publishes {
            let mut add = |wrong, what| verdict.add(wrong, id.client, Some(*channel), || format!("{id} {what}"));
            match fate {
                Fate::Stored(_) => verdict.published += 1,
                Fate::Unknown => verdict.unknown += 1,
                Fate::NotStored => verdict.not_stored += 1,
                Fate::Forgotten => add(Wrong::Forgotten, "has an unknown fate"),
                Fate::Pending => add(Wrong::Unfinished, "has no outcome"),
            }
        }
        for client in &self.replaced {
            verdict.add(Wrong::Forgotten, *client, None, || "its session was replaced".to_owned());
        }
        let publishes: HashMap<MessageId, &Publish> =
            self.publishes.iter().map(|publish| (publish.id, publish)).collect();
        let mut stored: HashMap<usize, BTreeMap<u64, &Publish>> = HashMap::new();
        for publish in &self.publishes {
            let Fate::Stored(cursor) = publish.fate else { continue };
            let (id, channel) = (publish.id, publish.channel);
            if let Some(other) = stored.entry(channel).or_default().insert(cursor.offset, publish) {
                verdict.add(Wrong::Misreported, id.client, Some(channel), || {
                    format!("{id} and {} were acknowledged with the same position, {cursor}", other.id)
                });
            }
        }
        for log in &self.logs {
            let stored = stored.get(&log.channel);
            let mut reading = Reading::new(log, &publishes, &mut verdict);
            log.items.iter().for_each(|item| reading.take(item));
            reading.finish(stored.into_iter().flat_map(BTreeMap::values).copied(), self.last.get(log.channel).copied());
        }
        verdict
    }
}

/// A log while it is compared.
struct Reading<'a> {
    log: &'a Log,
    publishes: &'a HashMap<MessageId, &'a Publish>,
    verdict: &'a mut Verdict,
    life: u32,
    /// Where the subscription began.
    start: Option<Cursor>,
    position: Option<Cursor>,
    delivered: HashSet<MessageId>,
    /// The greatest number of each publisher.
    numbers: HashMap<u32, u32>,
    gaps: Vec<(Cursor, Cursor, GapReason)>,
}

impl<'a> Reading<'a> {
    fn new(log: &'a Log, publishes: &'a HashMap<MessageId, &'a Publish>, verdict: &'a mut Verdict) -> Self {
        Self {
            log,
            publishes,
            verdict,
            life: 0,
            start: None,
            position: None,
            delivered: HashSet::new(),
            numbers: HashMap::new(),
            gaps: Vec::new(),
        }
    }

    fn wrong(&mut self, wrong: Wrong, what: impl FnOnce() -> String) {
        self.verdict.add(wrong, self.log.client, Some(self.log.channel), what);
    }

    fn take(&mut self, item: &Item) {
        match item {
            Item::Started { life } => self.life = *life,
            Item::Established(cursor) => {
                self.start.get_or_insert(*cursor);
                self.position.get_or_insert(*cursor);
            }
            Item::Message { cursor, id, is_own } => self.message(*cursor, *id, *is_own),
            Item::Gap { reason, cursor } => self.gap(*reason, *cursor),
            Item::Ended(reason) => self.wrong(Wrong::Unfinished, || format!("the subscription ended: {reason}")),
        }
    }

    fn message(&mut self, cursor: Cursor, id: MessageId, is_own: bool) {
        self.verdict.delivered += 1;
        if !self.delivered.insert(id) {
            return self.wrong(Wrong::Repeated, || format!("{id} came again, at {cursor}"));
        }
        self.check_origin(cursor, id, is_own);
        match self.position {
            Some(position) if position.epoch == cursor.epoch && cursor.offset <= position.offset => {
                return self.wrong(Wrong::Reordered, || format!("{id} at {cursor} came after {position}"));
            }
            Some(position) if position.epoch != cursor.epoch || cursor.offset > position.offset + 1 => {
                self.wrong(Wrong::UnreportedGap, || format!("{id} at {cursor} followed {position}"));
            }
            Some(_) => {}
            None => self.start = Some(Cursor { offset: cursor.offset.saturating_sub(1), ..cursor }),
        }
        self.position = Some(cursor);
        let latest = self.numbers.entry(id.client).or_default();
        let before = std::mem::replace(latest, (*latest).max(id.number));
        if before > id.number {
            self.wrong(Wrong::Reordered, || format!("{id} came after the later {before} of its client"));
        }
    }

    /// Compares a message with what its publisher knows.
    fn check_origin(&mut self, cursor: Cursor, id: MessageId, is_own: bool) {
        let Some(publish) = self.publishes.get(&id) else {
            return self.wrong(Wrong::Misreported, || format!("{id} at {cursor} was never published"));
        };
        if publish.channel != self.log.channel {
            self.wrong(Wrong::Misreported, || format!("{id} was published to channel {}", publish.channel));
        }
        match publish.fate {
            Fate::Stored(acknowledged) if acknowledged != cursor => {
                self.wrong(Wrong::Misreported, || format!("{id} at {cursor} was acknowledged with {acknowledged}"));
            }
            Fate::NotStored => {
                self.wrong(Wrong::Misreported, || format!("{id} at {cursor} was reported as not stored"));
            }
            _ => {}
        }
        if is_own != (id.client == self.log.client && publish.life == self.life) {
            let (by, now) = (publish.life, self.life);
            self.wrong(Wrong::Misreported, || format!("{id} of run {by} has is_own={is_own} in run {now}"));
        }
    }

    fn gap(&mut self, reason: GapReason, cursor: Cursor) {
        if let Some(position) = self.position {
            if position.epoch == cursor.epoch && cursor.offset < position.offset {
                self.wrong(Wrong::Reordered, || format!("a gap led back from {position} to {cursor}"));
            }
            self.gaps.push((position, cursor, reason));
        }
        self.position = Some(cursor);
    }

    /// Looks for what is missing. `stored` are the messages of the channel in order.
    fn finish(mut self, stored: impl Iterator<Item = &'a Publish>, last: Option<Cursor>) {
        if self.position.is_none_or(|position| last.is_some_and(|last| position.offset < last.offset)) {
            let position = self.position.map_or("the start".to_owned(), |position| position.to_string());
            self.wrong(Wrong::Unfinished, || format!("the subscription got no further than {position}"));
        }
        let mut missing = Vec::new();
        for Publish { id, fate, .. } in stored {
            let Fate::Stored(cursor) = *fate else { continue };
            let is_after_start =
                self.start.is_some_and(|start| start.epoch != cursor.epoch || start.offset < cursor.offset);
            if is_after_start && !self.delivered.contains(id) {
                missing.push(cursor);
                self.wrong(Wrong::Lost, || format!("{id} at {cursor} never came"));
            }
        }
        for (from, to, reason) in std::mem::take(&mut self.gaps) {
            let is_within = |at: &Cursor| {
                at.epoch != from.epoch || at.epoch != to.epoch || (from.offset < at.offset && at.offset <= to.offset)
            };
            if !missing.iter().any(is_within) {
                self.wrong(Wrong::Lost, || format!("a gap ({reason}) from {from} to {to} has no cause"));
            }
        }
    }
}

impl Verdict {
    fn add(&mut self, wrong: Wrong, client: u32, channel: Option<usize>, what: impl FnOnce() -> String) {
        let count = self.counts.entry(wrong).or_default();
        *count += 1;
        if *count <= EXPLAINED as u64 {
            self.violations.push(Violation { wrong, client, channel, what: what() });
        }
    }

    /// How often something was wrong.
    pub fn count(&self, wrong: Wrong) -> u64 {
        self.counts.get(&wrong).copied().unwrap_or_default()
    }

    /// Whether nothing was wrong.
    pub fn is_good(&self) -> bool {
        self.counts.is_empty()
    }
}

/// The counts, one a line.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, unknown, not_stored, delivered, .. } = self;
        writeln!(formatter, "published={published}")?;
        writeln!(formatter, "unknown={unknown}")?;
        writeln!(formatter, "not_stored={not_stored}")?;
        writeln!(formatter, "delivered={delivered}")?;
        for (name, wrong) in [
            ("lost", Wrong::Lost),
            ("repeated", Wrong::Repeated),
            ("unreported_gaps", Wrong::UnreportedGap),
            ("reordered", Wrong::Reordered),
            ("misreported", Wrong::Misreported),
            ("forgotten", Wrong::Forgotten),
            ("unfinished", Wrong::Unfinished),
        ] {
            writeln!(formatter, "{name}={}", self.count(wrong))?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wrong, client, channel, what } = self;
        write!(formatter, "{wrong:?}: client {client}")?;
        if let Some(channel) = channel {
            write!(formatter, ", channel {channel}")?;
        }
        write!(formatter, ": {what}")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "message {}.{}", self.client, self.number)
    }
}

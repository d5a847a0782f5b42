//! The record of a run, and the check that every message was delivered once and in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use everwire::client::{Cursor, GapReason};

/// The most violations of each kind that a verdict explains.
const EXPLAINED: usize = 5;

/// Identifies a message by the client that published it and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// The client.
    pub client: u32,
    /// Counts the messages of the client, from 1.
    pub number: u32,
}

impl MessageId {
    /// A payload that identifies the message, padded with so many bytes.
    pub(crate) fn to_payload(self, padding: usize) -> String {
        format!("{} {} {}", self.client, self.number, "x".repeat(padding))
    }

    /// The message that a payload identifies.
    pub(crate) fn from_payload(payload: &[u8]) -> Option<Self> {
        let words = payload.split(|byte| *byte == b' ');
        let mut numbers = words.map(|word| std::str::from_utf8(word).ok()?.parse().ok());
        Some(Self { client: numbers.next()??, number: numbers.next()?? })
    }
}

/// A message that a client has published.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The message.
    pub id: MessageId,
    /// The channel that it was published to.
    pub channel: usize,
    /// The incarnation of the client's program that published it.
    pub incarnation: u32,
    /// The outcome, as the client knows it.
    pub outcome: Outcome,
}

/// The outcome of a publish, as its client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged with this position.
    Stored(Cursor),
    /// The server does not have it: it was refused, or expired, or was never sent.
    NotStored,
    /// Unknown, because the client was closed before there was an outcome.
    Unknown,
    /// Unknown, although the client was not closed: the server has forgotten the session or the answer.
    Forgotten,
    /// There was no outcome until the end of the run.
    Pending,
}

/// The items of a subscription, from the start of the run to its end, including restarts of its program.
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
    /// The program was started. Later items continue from the position that it had stored.
    Started {
        /// Counts the starts of the program, from 0.
        incarnation: u32,
    },
    /// The subscription has begun, after this position. It may also begin with a message.
    Established(Cursor),
    /// A message.
    Message {
        /// Its position.
        cursor: Cursor,
        /// The message.
        id: MessageId,
        /// Whether it was reported as the client's own.
        is_own: bool,
    },
    /// A reported gap up to a position.
    Gap {
        /// Why.
        reason: GapReason,
        /// Where the subscription continues.
        cursor: Cursor,
    },
    /// The subscription ended before the run did, for this reason.
    Ended(String),
}

/// The record of all clients.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The publishes.
    pub publishes: Vec<Publish>,
    /// The items of each subscription.
    pub logs: Vec<Log>,
    /// The clients whose sessions the server had forgotten when they reconnected, once for each time.
    pub replaced: Vec<u32>,
    /// The last message of each channel that all its subscriptions have to reach.
    pub last: Vec<Cursor>,
}

/// The kind of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViolationKind {
    /// An acknowledged message that a subscription did not get, or a gap without a cause.
    Lost,
    /// A message that a subscription got again.
    Repeated,
    /// Messages left out without a gap.
    UnreportedGap,
    /// A message behind a later one of its channel, or of its publisher in the channel.
    Reordered,
    /// A message that contradicts the report to its publisher: refused, at another position, in another channel, or not the client's own.
    Misreported,
    /// A session, or the answer to a publish, that the server should have kept.
    Forgotten,
    /// A subscription that did not reach the end, or a publish without an outcome.
    Unfinished,
}

/// A violation.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Its kind.
    pub kind: ViolationKind,
    /// The client that noticed it.
    pub client: u32,
    /// The channel, if it concerns one.
    pub channel: Option<usize>,
    /// A description.
    pub description: String,
}

/// The result of checking a history.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Messages that were acknowledged.
    pub published: u64,
    /// Messages whose outcome their publishers do not know.
    pub unknown: u64,
    /// Messages that their publishers know not to be stored.
    pub not_stored: u64,
    /// Messages that subscriptions yielded.
    pub delivered: u64,
    /// The number of violations of each kind.
    pub counts: BTreeMap<ViolationKind, u64>,
    /// The first violations of each kind.
    pub violations: Vec<Violation>,
}

impl History {
    /// Compares the deliveries with the publishes.
    pub fn check(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for Publish { id, channel, outcome, .. } in &self.publishes {
            let mut add = |kind, description: &str| {
                verdict.add(kind, id.client, Some(*channel), || format!("{id} {description}"))
            };
            match outcome {
                Outcome::Stored(_) => verdict.published += 1,
                Outcome::Unknown => verdict.unknown += 1,
                Outcome::NotStored => verdict.not_stored += 1,
                Outcome::Forgotten => add(ViolationKind::Forgotten, "has an unknown outcome"),
                Outcome::Pending => add(ViolationKind::Unfinished, "has no outcome"),
            }
        }
        for client in &self.replaced {
            verdict.add(ViolationKind::Forgotten, *client, None, || "its session was replaced".to_owned());
        }
        let publishes: HashMap<MessageId, &Publish> =
            self.publishes.iter().map(|publish| (publish.id, publish)).collect();
        let mut stored: HashMap<usize, BTreeMap<u64, &Publish>> = HashMap::new();
        for publish in &self.publishes {
            let Outcome::Stored(cursor) = publish.outcome else { continue };
            let (id, channel) = (publish.id, publish.channel);
            if let Some(other) = stored.entry(channel).or_default().insert(cursor.offset, publish) {
                verdict.add(ViolationKind::Misreported, id.client, Some(channel), || {
                    format!("{id} and {} were acknowledged with the same position, {cursor}", other.id)
                });
            }
        }
        for log in &self.logs {
            let stored = stored.get(&log.channel);
            let mut checker = LogChecker::new(log, &publishes, &mut verdict);
            log.items.iter().for_each(|item| checker.take(item));
            checker.finish(stored.into_iter().flat_map(BTreeMap::values).copied(), self.last.get(log.channel).copied());
        }
        verdict
    }
}

/// Checks a log, item by item.
struct LogChecker<'a> {
    log: &'a Log,
    publishes: &'a HashMap<MessageId, &'a Publish>,
    verdict: &'a mut Verdict,
    incarnation: u32,
    /// Where the subscription began.
    start: Option<Cursor>,
    position: Option<Cursor>,
    delivered: HashSet<MessageId>,
    /// The greatest message number of each publisher.
    numbers: HashMap<u32, u32>,
    gaps: Vec<(Cursor, Cursor, GapReason)>,
}

impl<'a> LogChecker<'a> {
    fn new(log: &'a Log, publishes: &'a HashMap<MessageId, &'a Publish>, verdict: &'a mut Verdict) -> Self {
        Self {
            log,
            publishes,
            verdict,
            incarnation: 0,
            start: None,
            position: None,
            delivered: HashSet::new(),
            numbers: HashMap::new(),
            gaps: Vec::new(),
        }
    }

    fn violation(&mut self, kind: ViolationKind, description: impl FnOnce() -> String) {
        self.verdict.add(kind, self.log.client, Some(self.log.channel), description);
    }

    fn take(&mut self, item: &Item) {
        match item {
            Item::Started { incarnation } => self.incarnation = *incarnation,
            Item::Established(cursor) => {
                self.start.get_or_insert(*cursor);
                self.position.get_or_insert(*cursor);
            }
            Item::Message { cursor, id, is_own } => self.message(*cursor, *id, *is_own),
            Item::Gap { reason, cursor } => self.gap(*reason, *cursor),
            Item::Ended(reason) => {
                self.violation(ViolationKind::Unfinished, || format!("the subscription ended: {reason}"))
            }
        }
    }

    fn message(&mut self, cursor: Cursor, id: MessageId, is_own: bool) {
        self.verdict.delivered += 1;
        if !self.delivered.insert(id) {
            return self.violation(ViolationKind::Repeated, || format!("{id} came again, at {cursor}"));
        }
        self.check_origin(cursor, id, is_own);
        match self.position {
            Some(position) if position.epoch == cursor.epoch && cursor.offset <= position.offset => {
                return self.violation(ViolationKind::Reordered, || format!("{id} at {cursor} came after {position}"));
            }
            Some(position) if position.epoch != cursor.epoch || cursor.offset > position.offset + 1 => {
                self.violation(ViolationKind::UnreportedGap, || format!("{id} at {cursor} followed {position}"));
            }
            Some(_) => {}
            None => self.start = Some(Cursor { offset: cursor.offset.saturating_sub(1), ..cursor }),
        }
        self.position = Some(cursor);
        let latest = self.numbers.entry(id.client).or_default();
        let before = std::mem::replace(latest, (*latest).max(id.number));
        if before > id.number {
            self.violation(ViolationKind::Reordered, || format!("{id} came after the later {before} of its client"));
        }
    }

    /// Compares a message with the outcome that its publisher knows.
    fn check_origin(&mut self, cursor: Cursor, id: MessageId, is_own: bool) {
        let Some(publish) = self.publishes.get(&id) else {
            return self.violation(ViolationKind::Misreported, || format!("{id} at {cursor} was never published"));
        };
        if publish.channel != self.log.channel {
            self.violation(ViolationKind::Misreported, || format!("{id} was published to channel {}", publish.channel));
        }
        match publish.outcome {
            Outcome::Stored(acknowledged) if acknowledged != cursor => {
                self.violation(ViolationKind::Misreported, || {
                    format!("{id} at {cursor} was acknowledged with {acknowledged}")
                });
            }
            Outcome::NotStored => {
                self.violation(ViolationKind::Misreported, || format!("{id} at {cursor} was reported as not stored"));
            }
            _ => {}
        }
        if is_own != (id.client == self.log.client && publish.incarnation == self.incarnation) {
            let (by, now) = (publish.incarnation, self.incarnation);
            self.violation(ViolationKind::Misreported, || format!("{id} of run {by} has is_own={is_own} in run {now}"));
        }
    }

    fn gap(&mut self, reason: GapReason, cursor: Cursor) {
        if let Some(position) = self.position {
            if position.epoch == cursor.epoch && cursor.offset < position.offset {
                self.violation(ViolationKind::Reordered, || format!("a gap led back from {position} to {cursor}"));
            }
            self.gaps.push((position, cursor, reason));
        }
        self.position = Some(cursor);
    }

    /// Looks for missing messages. `stored` are the messages of the channel in order.
    fn finish(mut self, stored: impl Iterator<Item = &'a Publish>, last: Option<Cursor>) {
        if self.position.is_none_or(|position| last.is_some_and(|last| position.offset < last.offset)) {
            let position = self.position.map_or("the start".to_owned(), |position| position.to_string());
            self.violation(ViolationKind::Unfinished, || format!("the subscription got no further than {position}"));
        }
        let mut missing = Vec::new();
        for Publish { id, outcome, .. } in stored {
            let Outcome::Stored(cursor) = *outcome else { continue };
            let is_after_start =
                self.start.is_some_and(|start| start.epoch != cursor.epoch || start.offset < cursor.offset);
            if is_after_start && !self.delivered.contains(id) {
                missing.push(cursor);
                self.violation(ViolationKind::Lost, || format!("{id} at {cursor} never came"));
            }
        }
        for (from, to, reason) in std::mem::take(&mut self.gaps) {
            let is_within = |at: &Cursor| {
                at.epoch != from.epoch || at.epoch != to.epoch || (from.offset < at.offset && at.offset <= to.offset)
            };
            if !missing.iter().any(is_within) {
                self.violation(ViolationKind::Lost, || format!("a gap ({reason}) from {from} to {to} has no cause"));
            }
        }
    }
}

impl Verdict {
    fn add(&mut self, kind: ViolationKind, client: u32, channel: Option<usize>, description: impl FnOnce() -> String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= EXPLAINED as u64 {
            self.violations.push(Violation { kind, client, channel, description: description() });
        }
    }

    /// The number of violations of a kind.
    pub fn count(&self, kind: ViolationKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// Whether there is no violation.
    pub fn is_good(&self) -> bool {
        self.counts.is_empty()
    }
}

/// The counts, one per line.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, unknown, not_stored, delivered, .. } = self;
        writeln!(formatter, "published={published}")?;
        writeln!(formatter, "unknown={unknown}")?;
        writeln!(formatter, "not_stored={not_stored}")?;
        writeln!(formatter, "delivered={delivered}")?;
        for (name, kind) in [
            ("lost", ViolationKind::Lost),
            ("repeated", ViolationKind::Repeated),
            ("unreported_gaps", ViolationKind::UnreportedGap),
            ("reordered", ViolationKind::Reordered),
            ("misreported", ViolationKind::Misreported),
            ("forgotten", ViolationKind::Forgotten),
            ("unfinished", ViolationKind::Unfinished),
        ] {
            writeln!(formatter, "{name}={}", self.count(kind))?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, client, channel, description } = self;
        write!(formatter, "{kind:?}: client {client}")?;
        if let Some(channel) = channel {
            write!(formatter, ", channel {channel}")?;
        }
        write!(formatter, ": {description}")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "message {}.{}", self.client, self.number)
    }
}

//! The store of the server, which survives a restart.

use std::collections::VecDeque;

use everwire_core::{
    protocol::{Cursor, Mode},
    session::History,
};

/// The number of a payload: the publishes of the client count from 1, those of others from [`OTHERS`].
pub(crate) type Payload = u8;

/// The first payload of another publisher is one greater.
pub(crate) const OTHERS: Payload = 16;

/// A set of messages, by the times at which they were stored, which are different for each.
pub(crate) type Messages = u64;

/// The latest payload of each key.
pub(crate) type Values = [Payload; MAX_KEYS];

const MAX_KEYS: usize = 2;

/// The key of a payload, where there are so many.
pub(crate) fn key(payload: Payload, keys: u8) -> usize {
    usize::from(payload.checked_rem(keys).unwrap_or(0)) % MAX_KEYS
}

/// A stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) cursor: Cursor,
    pub(crate) payload: Payload,
}

/// What a session needs to continue after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) session: u8,
    pub(crate) generation: u64,
    /// The numbers and positions of the latest stored publishes.
    pub(crate) stored: Vec<(u64, Cursor)>,
}

/// What is on disk: one channel and the sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// How many keys the messages have; 0 if they have none.
    keys: u8,
    epoch: u64,
    pub(crate) messages: Vec<Stored>,
    /// How many of them, the oldest, cannot be read any more.
    trimmed: usize,
    pub(crate) records: Vec<Record>,
}

/// A publish that the broker has not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Undecided {
    pub(crate) session: u8,
    pub(crate) seq: u64,
    pub(crate) payload: Payload,
}

/// A broker that stores a message and the number of its publish in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) disk: Disk,
    pub(crate) backup: Option<Disk>,
    pub(crate) undecided: VecDeque<Undecided>,
    /// The greatest epoch that there has been.
    epoch: u64,
    /// The clock that times messages. It never goes back, so that each has another time.
    clock: u64,
    /// How many answers a session keeps.
    answers: usize,
}

/// The message is in the store already.
pub(crate) struct Duplicate;

impl Store {
    pub(crate) fn new(answers: usize, keys: u8) -> Self {
        let disk = Disk { keys, epoch: 1, messages: Vec::new(), trimmed: 0, records: Vec::new() };
        Self { disk, backup: None, undecided: VecDeque::new(), epoch: 1, clock: 0, answers }
    }

    pub(crate) fn store(&mut self, payload: Payload, by: Option<(u8, u64)>) -> Result<Stored, Duplicate> {
        if self.disk.messages.iter().any(|message| message.payload == payload) {
            return Err(Duplicate);
        }
        self.clock += 1;
        let last = self.disk.last();
        let stored = Stored { cursor: Cursor { offset: last.offset + 1, time: self.clock, ..last }, payload };
        if let Some((session, seq)) = by
            && let Some(record) = self.disk.record(session)
        {
            record.stored.push((seq, stored.cursor));
            let superfluous = record.stored.len().saturating_sub(self.answers);
            record.stored.drain(..superfluous);
        }
        self.disk.messages.push(stored);
        Ok(stored)
    }

    /// Loses the history, and begins another one.
    pub(crate) fn lose_history(&mut self) {
        self.epoch += 1;
        self.disk.epoch = self.epoch;
        self.disk.messages.clear();
        self.disk.trimmed = 0;
    }
}

impl Disk {
    pub(crate) fn last(&self) -> Cursor {
        let start = Cursor { epoch: self.epoch, offset: 0, time: 0 };
        self.messages.last().map_or(start, |message| message.cursor)
    }

    /// What can be recovered: each message that was not dropped, or the latest of each key, which is never dropped.
    pub(crate) fn history(&self, mode: Mode) -> History {
        let trimmed = if self.keeps_values(mode) { 0 } else { self.trimmed };
        History { trimmed: trimmed as u64, last: self.last() }
    }

    pub(crate) fn time_at(&self, offset: u64) -> Option<u64> {
        let found = self.messages.iter().find(|message| message.cursor.offset == offset);
        found.map(|message| message.cursor.time)
    }

    /// The messages after `after` up to `up_to` that can still be read: each, or the latest of each key.
    pub(crate) fn read(&self, after: u64, up_to: u64, mode: Mode) -> impl Iterator<Item = Stored> {
        let is_value = self.keeps_values(mode);
        let kept = self.messages[if is_value { 0 } else { self.trimmed }..].iter().copied();
        let in_range = kept.filter(move |message| message.cursor.offset > after && message.cursor.offset <= up_to);
        in_range.filter(move |message| !is_value || self.values()[self.key(message.payload)] == message.payload)
    }

    /// The latest payload of each key; 0 where there is none.
    pub(crate) fn values(&self) -> Values {
        let mut values = Values::default();
        self.messages.iter().for_each(|message| values[self.key(message.payload)] = message.payload);
        values
    }

    fn key(&self, payload: Payload) -> usize {
        key(payload, self.keys)
    }

    fn keeps_values(&self, mode: Mode) -> bool {
        mode == Mode::Latest && self.keys > 0
    }

    /// The messages up to a position.
    pub(crate) fn up_to(&self, position: Cursor) -> Messages {
        let before = self.messages.iter().filter(|message| message.cursor.offset <= position.offset);
        before.fold(0, |set, message| set | identity(message.cursor))
    }

    pub(crate) fn can_trim(&self) -> bool {
        self.trimmed < self.messages.len()
    }

    pub(crate) fn trim(&mut self) {
        self.trimmed = self.messages.len();
    }

    pub(crate) fn record(&mut self, session: u8) -> Option<&mut Record> {
        self.records.iter_mut().find(|record| record.session == session)
    }
}

/// The set with one message.
pub(crate) fn identity(cursor: Cursor) -> Messages {
    1 << (cursor.time % 64)
}

//! What survives a restart of the server.

use std::collections::VecDeque;

use everwire_core::{protocol::Cursor, session::History};

/// Names a payload: the publishes of the client count from 1, those of others from [`OTHERS`].
pub(crate) type Payload = u8;

/// The first payload of another publisher is one greater.
pub(crate) const OTHERS: Payload = 16;

/// A set of messages, by the times at which they were stored, which are different for each.
pub(crate) type Messages = u64;

/// A stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) cursor: Cursor,
    pub(crate) payload: Payload,
}

/// What a session needs to go on after a restart.
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
pub(crate) struct Twice;

impl Store {
    pub(crate) fn new(answers: usize) -> Self {
        let disk = Disk { epoch: 1, messages: Vec::new(), trimmed: 0, records: Vec::new() };
        Self { disk, backup: None, undecided: VecDeque::new(), epoch: 1, clock: 0, answers }
    }

    pub(crate) fn store(&mut self, payload: Payload, by: Option<(u8, u64)>) -> Result<Stored, Twice> {
        if self.disk.messages.iter().any(|message| message.payload == payload) {
            return Err(Twice);
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

    /// The history is lost, and another one begins.
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

    pub(crate) fn history(&self) -> History {
        History { trimmed: self.trimmed as u64, last: self.last() }
    }

    pub(crate) fn time_at(&self, offset: u64) -> Option<u64> {
        let found = self.messages.iter().find(|message| message.cursor.offset == offset);
        found.map(|message| message.cursor.time)
    }

    /// The messages after `after` up to `up_to` that can still be read.
    pub(crate) fn read(&self, after: u64, up_to: u64) -> impl Iterator<Item = Stored> {
        let kept = self.messages[self.trimmed..].iter().copied();
        kept.filter(move |message| message.cursor.offset > after && message.cursor.offset <= up_to)
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

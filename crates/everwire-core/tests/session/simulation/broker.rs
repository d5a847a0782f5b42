//! The broker: what is on disk, and publishes that are not decided.

use std::collections::{BTreeMap, VecDeque};

use everwire_core::{
    protocol::{Cursor, Mode},
    session::History,
};

/// A message as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) cursor: Cursor,
    pub(crate) payload: String,
    pub(crate) key: Option<String>,
    /// The session and the number of the publish.
    pub(crate) by: Option<(String, u64)>,
}

/// The messages of a channel. None is ever taken out but by going back to an older copy, so that the tests can look at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Channel {
    /// The position before the first message.
    start: Cursor,
    pub(crate) messages: Vec<Stored>,
    /// How many of them subscribers cannot read any more.
    trimmed: usize,
}

impl Channel {
    pub(crate) fn last(&self) -> Cursor {
        self.messages.last().map_or(self.start, |message| message.cursor)
    }

    /// What can be recovered: each message that was not trimmed, or the latest of each key, which are never trimmed.
    pub(crate) fn history(&self, mode: Mode) -> History {
        let is_lost = |message: &&Stored| mode == Mode::Each || message.key.is_none();
        let trimmed = self.messages[..self.trimmed].iter().rfind(is_lost).map_or(self.start, |message| message.cursor);
        History { trimmed: trimmed.offset, last: self.last() }
    }

    pub(crate) fn time_at(&self, offset: u64) -> Option<u64> {
        if offset == self.start.offset {
            return Some(self.start.time);
        }
        let index = usize::try_from(offset.checked_sub(self.start.offset + 1)?).ok()?;
        self.messages.get(index).map(|message| message.cursor.time)
    }

    pub(crate) fn read(&self, after: u64, up_to: u64, mode: Mode) -> Vec<Stored> {
        let in_range = self
            .messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.cursor.offset > after && message.cursor.offset <= up_to);
        let is_kept = |(index, message): &(usize, &Stored)| {
            let is_value = mode == Mode::Latest && message.key.is_some();
            (*index >= self.trimmed || is_value) && (mode == Mode::Each || self.is_latest(message))
        };
        in_range.filter(is_kept).map(|(_, message)| message.clone()).collect()
    }

    /// The latest message of each key.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let keyed = self.messages.iter().filter_map(|message| Some((message.key.clone()?, message.payload.clone())));
        keyed.collect()
    }

    fn is_latest(&self, message: &Stored) -> bool {
        let is_later = |other: &&Stored| other.cursor.offset > message.cursor.offset;
        message.key.is_none() || self.messages.iter().filter(is_later).all(|other| other.key != message.key)
    }
}

/// What a session needs to go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionRecord {
    pub(crate) secret: String,
    pub(crate) generation: u64,
    /// The numbers and positions of the latest stored publishes.
    pub(crate) stored: Vec<(u64, Cursor)>,
}

/// A publish that was handed to the broker and is not decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Undecided {
    pub(crate) session: String,
    pub(crate) seq: u64,
    pub(crate) channel: String,
    pub(crate) payload: String,
    pub(crate) key: Option<String>,
}

/// What is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Disk {
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) sessions: BTreeMap<String, SessionRecord>,
}

/// A broker that stores a message and the number of its publish in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Broker {
    pub(crate) disk: Disk,
    /// An older copy of it.
    backup: Disk,
    pub(crate) undecided: VecDeque<Undecided>,
    /// The clock by which messages are timed: it never goes back.
    clock: u64,
    epoch: u64,
    /// Where the offsets of new channels start.
    pub(crate) first_offset: u64,
    /// How many answers a session keeps.
    answers: usize,
}

impl Broker {
    pub(crate) fn new(answers: usize) -> Self {
        Self {
            disk: Disk::default(),
            backup: Disk::default(),
            undecided: VecDeque::new(),
            clock: 1_000,
            epoch: 1,
            first_offset: 0,
            answers,
        }
    }

    pub(crate) fn channel(&mut self, name: &str) -> &mut Channel {
        let start = Cursor { epoch: self.epoch, offset: self.first_offset, time: 0 };
        let new = || Channel { start, messages: Vec::new(), trimmed: 0 };
        self.disk.channels.entry(name.to_owned()).or_insert_with(new)
    }

    pub(crate) fn store(
        &mut self,
        channel: &str,
        payload: String,
        key: Option<String>,
        by: Option<(String, u64)>,
    ) -> Stored {
        self.clock += 1;
        let (time, answers) = (self.clock, self.answers);
        let last = self.channel(channel).last();
        let cursor = Cursor { offset: last.offset + 1, time, ..last };
        if let Some((session, seq)) = &by
            && let Some(record) = self.disk.sessions.get_mut(session)
        {
            record.stored.push((*seq, cursor));
            let superfluous = record.stored.len().saturating_sub(answers);
            record.stored.drain(..superfluous);
        }
        let stored = Stored { cursor, payload, key, by };
        let messages = &mut self.channel(channel).messages;
        let is_new = messages.iter().all(|message| message.payload != stored.payload);
        assert!(is_new, "{} is stored twice", stored.payload);
        messages.push(stored.clone());
        stored
    }

    pub(crate) fn trim(&mut self, channel: &str, count: usize) {
        let channel = self.channel(channel);
        channel.trimmed = (channel.trimmed + count).min(channel.messages.len());
    }

    /// The process ends and starts again.
    pub(crate) fn restart(&mut self) {
        self.undecided.clear();
    }

    pub(crate) fn back_up(&mut self) {
        self.backup = self.disk.clone();
    }

    /// An administrator puts the older copy in place.
    pub(crate) fn restore_backup(&mut self) {
        self.disk = self.backup.clone();
    }

    /// The disk is empty, or there was only memory.
    pub(crate) fn lose_everything(&mut self) {
        self.disk = Disk::default();
        self.epoch += 1;
    }
}

//! The tables of the journal's file, and the encoding of their rows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::Cursor;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::broker::api::BrokerError;
use crate::broker::catalog::{ChannelMeta, MessageMeta, SessionEntry, Storage};
use crate::broker::message::{
    ChannelName, HistoryKind, Key, Page, PageLimits, Producer, Retention, SessionId, Stored, take_page,
};
use crate::message::Message;

/// The version of the format, the epoch of channels without an entry, and the number of commits.
pub(super) const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
/// Channels by their id.
pub(super) const CHANNELS: TableDefinition<u64, &[u8]> = TableDefinition::new("channels");
/// Messages by the id of their channel, and their offset.
pub(super) const MESSAGES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("messages");
/// The offset of the latest message of each key of state channels.
pub(super) const LATEST: TableDefinition<(u64, &str), u64> = TableDefinition::new("latest");
/// Sessions by their id.
pub(super) const SESSIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("sessions");
/// The answers of sessions. A table of its own, since they change with each publish.
pub(super) const ANSWERS: TableDefinition<&str, &[u8]> = TableDefinition::new("answers");

pub(super) const VERSION: &str = "version";
pub(super) const EPOCH: &str = "epoch";
pub(super) const COMMITS: &str = "commits";

/// The tables of messages in a transaction.
pub(super) struct MessageTables<'a> {
    messages: Table<'a, (u64, u64), &'static [u8]>,
    latest: Table<'a, (u64, &'static str), u64>,
    channels: Table<'a, u64, &'static [u8]>,
    /// Channels whose rows have yet to be written.
    changed: HashMap<ChannelName, ChannelMeta>,
    forgotten: Vec<ChannelName>,
    row: Vec<u8>,
}

impl<'a> MessageTables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, BrokerError> {
        Ok(Self {
            messages: transaction.open_table(MESSAGES).map_err(failed)?,
            latest: transaction.open_table(LATEST).map_err(failed)?,
            channels: transaction.open_table(CHANNELS).map_err(failed)?,
            changed: HashMap::new(),
            forgotten: Vec::new(),
            row: Vec::new(),
        })
    }

    /// Writes the rows of the channels that have changed. Returns these, and the names of those that were forgotten before.
    pub(super) fn finish(mut self) -> Result<(Vec<ChannelName>, Vec<ChannelMeta>), BrokerError> {
        let changed: Vec<_> = self.changed.into_values().collect();
        for channel in &changed {
            self.channels.insert(channel.id, channel_row(channel).as_slice()).map_err(failed)?;
        }
        Ok((self.forgotten, changed))
    }
}

impl Storage for MessageTables<'_> {
    fn meta(&mut self, channel: &ChannelMeta, offset: u64) -> Result<Option<MessageMeta>, BrokerError> {
        let row = self.messages.get((channel.id, offset)).map_err(failed)?;
        row.map(|row| read_meta(row.value(), offset).ok_or_else(unreadable)).transpose()
    }

    fn first_meta(&mut self, channel: &ChannelMeta) -> Result<Option<MessageMeta>, BrokerError> {
        let first = self.messages.range((channel.id, 0)..=(channel.id, u64::MAX)).map_err(failed)?.next();
        let Some((key, row)) = first.transpose().map_err(failed)? else { return Ok(None) };
        let (_, offset) = key.value();
        read_meta(row.value(), offset).map(Some).ok_or_else(unreadable)
    }

    fn insert(&mut self, channel: &ChannelMeta, message: &Arc<Stored>) -> Result<(), BrokerError> {
        write_message(&mut self.row, message);
        self.messages.insert((channel.id, message.cursor.offset), self.row.as_slice()).map_err(failed)?;
        Ok(())
    }

    fn remove(&mut self, channel: &ChannelMeta, offset: u64) -> Result<(), BrokerError> {
        self.messages.remove((channel.id, offset)).map_err(failed)?;
        Ok(())
    }

    fn latest(&mut self, channel: &ChannelMeta, key: &Key) -> Result<Option<u64>, BrokerError> {
        Ok(self.latest.get((channel.id, key.as_str())).map_err(failed)?.map(|offset| offset.value()))
    }

    fn set_latest(&mut self, channel: &ChannelMeta, key: &Key, offset: Option<u64>) -> Result<(), BrokerError> {
        let row = (channel.id, key.as_str());
        match offset {
            Some(offset) => drop(self.latest.insert(row, offset).map_err(failed)?),
            None => drop(self.latest.remove(row).map_err(failed)?),
        }
        Ok(())
    }

    fn changed(&mut self, channel: &ChannelMeta) {
        self.changed.insert(channel.name.clone(), channel.clone());
    }

    fn forget(&mut self, channel: &ChannelMeta) -> Result<(), BrokerError> {
        self.messages.retain_in((channel.id, 0)..=(channel.id, u64::MAX), |_, _| false).map_err(failed)?;
        self.latest.retain_in((channel.id, "")..(channel.id + 1, ""), |_, _| false).map_err(failed)?;
        self.channels.remove(channel.id).map_err(failed)?;
        self.changed.remove(&channel.name);
        self.forgotten.push(channel.name.clone());
        Ok(())
    }
}

/// A part of a channel's history as it was committed. `None` if the channel is not stored.
pub(super) fn read_page(
    transaction: &ReadTransaction,
    id: u64,
    after: u64,
    limits: PageLimits,
    is_state: bool,
) -> Result<Option<Page>, BrokerError> {
    let Some(channel) = read_channel(transaction, id)? else { return Ok(None) };
    let messages = transaction.open_table(MESSAGES).map_err(failed)?;
    let decode = |row: &[u8], offset| {
        let message = read_message(row, &channel.name, channel.last.epoch, offset);
        message.map(Arc::new).ok_or_else(unreadable)
    };
    let (messages, is_last) = if is_state && channel.retention.kind == HistoryKind::State {
        let latest = transaction.open_table(LATEST).map_err(failed)?;
        let mut offsets = Vec::new();
        for row in latest.range((id, "")..(id + 1, "")).map_err(failed)? {
            let (_, offset) = row.map_err(failed)?;
            offsets.extend(Some(offset.value()).filter(|offset| *offset > after));
        }
        offsets.sort_unstable();
        let read = |offset| match messages.get((id, offset)).map_err(failed) {
            Ok(row) => row.map(|row| decode(row.value(), offset)),
            Err(error) => Some(Err(error)),
        };
        // Before the first message a subscriber has no value that could be removed.
        let is_of_use =
            |message: &Result<Arc<Stored>, _>| !matches!(message, Ok(message) if message.is_removed && after == 0);
        take_page(offsets.into_iter().filter_map(read).filter(is_of_use), limits)?
    } else {
        let from = after.max(channel.trimmed.offset).saturating_add(1);
        let range = messages.range((id, from)..=(id, u64::MAX)).map_err(failed)?;
        let read = range.map(|row| {
            let (key, row) = row.map_err(failed)?;
            decode(row.value(), key.value().1)
        });
        take_page(read, limits)?
    };
    Ok(Some(Page { messages, is_last, history: channel.history() }))
}

/// The time of a message.
pub(super) fn read_time(transaction: &ReadTransaction, id: u64, offset: u64) -> Result<Option<u64>, BrokerError> {
    let messages = transaction.open_table(MESSAGES).map_err(failed)?;
    let Some(row) = messages.get((id, offset)).map_err(failed)? else { return Ok(None) };
    read_meta(row.value(), offset).map(|meta| Some(meta.time)).ok_or_else(unreadable)
}

fn read_channel(transaction: &ReadTransaction, id: u64) -> Result<Option<ChannelMeta>, BrokerError> {
    let channels = transaction.open_table(CHANNELS).map_err(failed)?;
    let Some(row) = channels.get(id).map_err(failed)? else { return Ok(None) };
    read_channel_row(row.value(), id).map(Some).ok_or_else(unreadable)
}

/// An error of the store as one of the broker.
pub(super) fn failed(error: impl Into<redb::Error>) -> BrokerError {
    BrokerError::Unavailable { reason: error.into().to_string().into() }
}

pub(super) fn unreadable() -> BrokerError {
    BrokerError::Unavailable { reason: "a row of the journal cannot be read".into() }
}

const HAS_PAYLOAD: u8 = 1;
const IS_BINARY: u8 = 2;
const HAS_KEY: u8 = 4;
const IS_REMOVED: u8 = 8;
const HAS_PRODUCER: u8 = 16;

/// Reads the fields of a row. `None` where it ends too early.
struct RowReader<'a>(&'a [u8]);

impl<'a> RowReader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// A text of at most 255 bytes, after its length.
    fn string(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(word).ok()
    }
}

fn put_number(row: &mut Vec<u8>, number: u64) {
    row.extend_from_slice(&number.to_le_bytes());
}

fn put_string(row: &mut Vec<u8>, word: &str) {
    // Names and ids have at most 128 bytes.
    row.push(word.len() as u8);
    row.extend_from_slice(word.as_bytes());
}

/// Writes the row of a message over what the buffer holds. Channel, epoch and offset are not part of it.
pub(super) fn write_message(row: &mut Vec<u8>, message: &Stored) {
    let Stored { cursor, by, key, is_removed, payload, .. } = message;
    let mut flags = 0;
    let mut set = |flag, is_set| flags |= if is_set { flag } else { 0 };
    set(HAS_PAYLOAD, payload.is_some());
    set(IS_BINARY, matches!(payload, Some(Message::Binary(_))));
    set(HAS_KEY, key.is_some());
    set(IS_REMOVED, *is_removed);
    set(HAS_PRODUCER, by.is_some());
    row.clear();
    row.push(flags);
    put_number(row, cursor.time);
    if let Some(key) = key {
        put_string(row, key.as_str());
    }
    if let Some(Producer { session, seq }) = by {
        put_string(row, session.as_str());
        put_number(row, *seq);
    }
    if let Some(payload) = payload {
        row.extend_from_slice(payload.as_bytes());
    }
}

pub(super) fn read_message(row: &[u8], channel: &ChannelName, epoch: u64, offset: u64) -> Option<Stored> {
    let mut reader = RowReader(row);
    let flags = reader.byte()?;
    let cursor = Cursor { epoch, offset, time: reader.number()? };
    let key = if flags & HAS_KEY == 0 { None } else { Some(Key::try_from(reader.string()?).ok()?) };
    let by = if flags & HAS_PRODUCER == 0 { None } else { Some(read_producer(&mut reader)?) };
    let payload = match flags & (HAS_PAYLOAD | IS_BINARY) {
        0 => None,
        HAS_PAYLOAD => Some(Message::text(std::str::from_utf8(reader.0).ok()?)),
        _ => Some(Message::binary(Bytes::copy_from_slice(reader.0))),
    };
    let previous = offset.checked_sub(1)?;
    let is_removed = flags & IS_REMOVED != 0;
    Some(Stored { channel: channel.clone(), cursor, previous, by, key, is_removed, payload })
}

/// Reads what trimming needs, without the payload.
pub(super) fn read_meta(row: &[u8], offset: u64) -> Option<MessageMeta> {
    let mut reader = RowReader(row);
    let flags = reader.byte()?;
    let time = reader.number()?;
    let key = if flags & HAS_KEY == 0 { None } else { Some(Key::try_from(reader.string()?).ok()?) };
    if flags & HAS_PRODUCER != 0 {
        read_producer(&mut reader)?;
    }
    let key_len = key.as_ref().map_or(0, |key| key.as_str().len());
    let size = Stored::size_of(key_len, reader.0.len()) as u64;
    Some(MessageMeta { offset, time, size, key, is_removed: flags & IS_REMOVED != 0 })
}

fn read_producer(reader: &mut RowReader<'_>) -> Option<Producer> {
    Some(Producer { session: SessionId::try_from(reader.string()?).ok()?, seq: reader.number()? })
}

pub(super) fn channel_row(channel: &ChannelMeta) -> Vec<u8> {
    let ChannelMeta { name, id: _, last, trimmed, state_trimmed, retention, bytes, oldest, published } = channel;
    let mut row = Vec::with_capacity(256);
    put_string(&mut row, name.as_str());
    row.push(match retention.kind {
        HistoryKind::Stream => 0,
        HistoryKind::State => 1,
    });
    let age = retention.age.map_or(u64::MAX, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let numbers = [
        last.epoch,
        last.offset,
        last.time,
        trimmed.offset,
        trimmed.time,
        *state_trimmed,
        retention.count,
        retention.bytes,
        age,
        *bytes,
        oldest.unwrap_or(u64::MAX),
        *published,
    ];
    numbers.into_iter().for_each(|number| put_number(&mut row, number));
    row
}

pub(super) fn read_channel_row(row: &[u8], id: u64) -> Option<ChannelMeta> {
    let mut reader = RowReader(row);
    let name = ChannelName::try_from(reader.string()?).ok()?;
    let kind = if reader.byte()? == 0 { HistoryKind::Stream } else { HistoryKind::State };
    let mut number = || reader.number();
    let last = Cursor { epoch: number()?, offset: number()?, time: number()? };
    let trimmed = Cursor { epoch: last.epoch, offset: number()?, time: number()? };
    let state_trimmed = number()?;
    let (count, bytes) = (number()?, number()?);
    let age = Some(number()?).filter(|age| *age != u64::MAX).map(Duration::from_millis);
    let retention = Retention { kind, count, bytes, age };
    let bytes = number()?;
    let oldest = Some(number()?).filter(|time| *time != u64::MAX);
    let published = number()?;
    (trimmed.offset <= last.offset).then_some(ChannelMeta {
        name,
        id,
        last,
        trimmed,
        state_trimmed,
        retention,
        bytes,
        oldest,
        published,
    })
}

/// The row of a session without its answers.
pub(super) fn session_row(session: &SessionEntry) -> Vec<u8> {
    let mut row = Vec::with_capacity(16 + session.record.len());
    put_number(&mut row, session.keep);
    put_number(&mut row, session.expires.unwrap_or(u64::MAX));
    row.extend_from_slice(&session.record);
    row
}

pub(super) fn read_session(row: &[u8], answers: VecDeque<(u64, Cursor)>) -> Option<SessionEntry> {
    let mut reader = RowReader(row);
    let keep = reader.number()?;
    let expires = Some(reader.number()?).filter(|expires| *expires != u64::MAX);
    Some(SessionEntry { record: Bytes::copy_from_slice(reader.0), keep, expires, answers })
}

pub(super) fn answers_row(answers: &VecDeque<(u64, Cursor)>) -> Vec<u8> {
    let mut row = Vec::with_capacity(32 * answers.len());
    for (seq, Cursor { epoch, offset, time }) in answers {
        [*seq, *epoch, *offset, *time].into_iter().for_each(|number| put_number(&mut row, number));
    }
    row
}

pub(super) fn read_answers(row: &[u8]) -> Option<VecDeque<(u64, Cursor)>> {
    let mut reader = RowReader(row);
    let mut answers = VecDeque::with_capacity(row.len() / 32);
    while !reader.0.is_empty() {
        let seq = reader.number()?;
        answers.push_back((seq, Cursor { epoch: reader.number()?, offset: reader.number()?, time: reader.number()? }));
    }
    Some(answers)
}

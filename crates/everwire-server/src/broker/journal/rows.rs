use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::Cursor;

use crate::broker::catalog::{Channel, Entry};
use crate::broker::message::{HistoryKind, Producer, Retention, Stored};
use crate::broker::names::{ChannelName, Key, SessionId};
use crate::broker::sessions::Session;
use crate::message::Message;

const HAS_PAYLOAD: u8 = 1;
const IS_BINARY: u8 = 2;
const HAS_KEY: u8 = 4;
const IS_REMOVED: u8 = 8;
const HAS_PRODUCER: u8 = 16;

/// Reads the parts of a row. `None` where it ends too early.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
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
    fn word(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(word).ok()
    }
}

fn put_number(row: &mut Vec<u8>, number: u64) {
    row.extend_from_slice(&number.to_le_bytes());
}

fn put_word(row: &mut Vec<u8>, word: &str) {
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
        put_word(row, key.as_str());
    }
    if let Some(Producer { session, seq }) = by {
        put_word(row, session.as_str());
        put_number(row, *seq);
    }
    if let Some(payload) = payload {
        row.extend_from_slice(payload.as_bytes());
    }
}

pub(super) fn read_message(row: &[u8], channel: &ChannelName, epoch: u64, offset: u64) -> Option<Stored> {
    let mut parts = Parts(row);
    let flags = parts.byte()?;
    let cursor = Cursor { epoch, offset, time: parts.number()? };
    let key = if flags & HAS_KEY == 0 { None } else { Some(Key::try_from(parts.word()?).ok()?) };
    let by = if flags & HAS_PRODUCER == 0 { None } else { Some(read_producer(&mut parts)?) };
    let payload = match flags & (HAS_PAYLOAD | IS_BINARY) {
        0 => None,
        HAS_PAYLOAD => Some(Message::text(std::str::from_utf8(parts.0).ok()?)),
        _ => Some(Message::binary(Bytes::copy_from_slice(parts.0))),
    };
    let previous = offset.checked_sub(1)?;
    let is_removed = flags & IS_REMOVED != 0;
    Some(Stored { channel: channel.clone(), cursor, previous, by, key, is_removed, payload })
}

/// Reads what trimming needs, without the payload.
pub(super) fn read_entry(row: &[u8], offset: u64) -> Option<Entry> {
    let mut parts = Parts(row);
    let flags = parts.byte()?;
    let time = parts.number()?;
    let key = if flags & HAS_KEY == 0 { None } else { Some(Key::try_from(parts.word()?).ok()?) };
    if flags & HAS_PRODUCER != 0 {
        read_producer(&mut parts)?;
    }
    let key_len = key.as_ref().map_or(0, |key| key.as_str().len());
    let size = Stored::size_of(key_len, parts.0.len()) as u64;
    Some(Entry { offset, time, size, key, is_removed: flags & IS_REMOVED != 0 })
}

fn read_producer(parts: &mut Parts<'_>) -> Option<Producer> {
    Some(Producer { session: SessionId::try_from(parts.word()?).ok()?, seq: parts.number()? })
}

pub(super) fn channel_row(channel: &Channel) -> Vec<u8> {
    let Channel { name, id: _, last, trimmed, state_trimmed, retention, bytes, oldest, published } = channel;
    let mut row = Vec::with_capacity(256);
    put_word(&mut row, name.as_str());
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

pub(super) fn read_channel(row: &[u8], id: u64) -> Option<Channel> {
    let mut parts = Parts(row);
    let name = ChannelName::try_from(parts.word()?).ok()?;
    let kind = if parts.byte()? == 0 { HistoryKind::Stream } else { HistoryKind::State };
    let mut number = || parts.number();
    let last = Cursor { epoch: number()?, offset: number()?, time: number()? };
    let trimmed = Cursor { epoch: last.epoch, offset: number()?, time: number()? };
    let state_trimmed = number()?;
    let (count, bytes) = (number()?, number()?);
    let age = Some(number()?).filter(|age| *age != u64::MAX).map(Duration::from_millis);
    let retention = Retention { kind, count, bytes, age };
    let bytes = number()?;
    let oldest = Some(number()?).filter(|time| *time != u64::MAX);
    let published = number()?;
    (trimmed.offset <= last.offset).then_some(Channel {
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
pub(super) fn session_row(session: &Session) -> Vec<u8> {
    let mut row = Vec::with_capacity(16 + session.record.len());
    put_number(&mut row, session.keep);
    put_number(&mut row, session.expires.unwrap_or(u64::MAX));
    row.extend_from_slice(&session.record);
    row
}

pub(super) fn read_session(row: &[u8], answers: VecDeque<(u64, Cursor)>) -> Option<Session> {
    let mut parts = Parts(row);
    let keep = parts.number()?;
    let expires = Some(parts.number()?).filter(|expires| *expires != u64::MAX);
    Some(Session { record: Bytes::copy_from_slice(parts.0), keep, expires, answers })
}

pub(super) fn answers_row(answers: &VecDeque<(u64, Cursor)>) -> Vec<u8> {
    let mut row = Vec::with_capacity(32 * answers.len());
    for (seq, Cursor { epoch, offset, time }) in answers {
        [*seq, *epoch, *offset, *time].into_iter().for_each(|number| put_number(&mut row, number));
    }
    row
}

pub(super) fn read_answers(row: &[u8]) -> Option<VecDeque<(u64, Cursor)>> {
    let mut parts = Parts(row);
    let mut answers = VecDeque::with_capacity(row.len() / 32);
    while !parts.0.is_empty() {
        let seq = parts.number()?;
        answers.push_back((seq, Cursor { epoch: parts.number()?, offset: parts.number()?, time: parts.number()? }));
    }
    Some(answers)
}

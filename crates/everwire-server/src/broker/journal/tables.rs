use std::collections::HashMap;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::rows::{self, channel_row, read_entry, write_message};
use crate::broker::catalog::{Channel, Entry, Storage};
use crate::broker::error::BrokerError;
use crate::broker::history::{Page, PageLimits, take_page};
use crate::broker::message::{HistoryKind, Stored};
use crate::broker::names::{ChannelName, Key};

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
    changed: HashMap<ChannelName, Channel>,
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
    pub(super) fn finish(mut self) -> Result<(Vec<ChannelName>, Vec<Channel>), BrokerError> {
        let changed: Vec<_> = self.changed.into_values().collect();
        for channel in &changed {
            self.channels.insert(channel.id, channel_row(channel).as_slice()).map_err(failed)?;
        }
        Ok((self.forgotten, changed))
    }
}

impl Storage for MessageTables<'_> {
    fn entry(&mut self, channel: &Channel, offset: u64) -> Result<Option<Entry>, BrokerError> {
        let row = self.messages.get((channel.id, offset)).map_err(failed)?;
        row.map(|row| read_entry(row.value(), offset).ok_or_else(unreadable)).transpose()
    }

    fn first_entry(&mut self, channel: &Channel) -> Result<Option<Entry>, BrokerError> {
        let first = self.messages.range((channel.id, 0)..=(channel.id, u64::MAX)).map_err(failed)?.next();
        let Some((key, row)) = first.transpose().map_err(failed)? else { return Ok(None) };
        let (_, offset) = key.value();
        read_entry(row.value(), offset).map(Some).ok_or_else(unreadable)
    }

    fn insert(&mut self, channel: &Channel, message: &Arc<Stored>) -> Result<(), BrokerError> {
        write_message(&mut self.row, message);
        self.messages.insert((channel.id, message.cursor.offset), self.row.as_slice()).map_err(failed)?;
        Ok(())
    }

    fn remove(&mut self, channel: &Channel, offset: u64) -> Result<(), BrokerError> {
        self.messages.remove((channel.id, offset)).map_err(failed)?;
        Ok(())
    }

    fn latest(&mut self, channel: &Channel, key: &Key) -> Result<Option<u64>, BrokerError> {
        Ok(self.latest.get((channel.id, key.as_str())).map_err(failed)?.map(|offset| offset.value()))
    }

    fn set_latest(&mut self, channel: &Channel, key: &Key, offset: Option<u64>) -> Result<(), BrokerError> {
        let row = (channel.id, key.as_str());
        match offset {
            Some(offset) => drop(self.latest.insert(row, offset).map_err(failed)?),
            None => drop(self.latest.remove(row).map_err(failed)?),
        }
        Ok(())
    }

    fn changed(&mut self, channel: &Channel) {
        self.changed.insert(channel.name.clone(), channel.clone());
    }

    fn forget(&mut self, channel: &Channel) -> Result<(), BrokerError> {
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
        let message = rows::read_message(row, &channel.name, channel.last.epoch, offset);
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
    read_entry(row.value(), offset).map(|entry| Some(entry.time)).ok_or_else(unreadable)
}

fn read_channel(transaction: &ReadTransaction, id: u64) -> Result<Option<Channel>, BrokerError> {
    let channels = transaction.open_table(CHANNELS).map_err(failed)?;
    let Some(row) = channels.get(id).map_err(failed)? else { return Ok(None) };
    rows::read_channel(row.value(), id).map(Some).ok_or_else(unreadable)
}

/// An error of the store as one of the broker.
pub(super) fn failed(error: impl Into<redb::Error>) -> BrokerError {
    BrokerError::Unavailable { reason: error.into().to_string().into() }
}

pub(super) fn unreadable() -> BrokerError {
    BrokerError::Unavailable { reason: "a row of the journal cannot be read".into() }
}

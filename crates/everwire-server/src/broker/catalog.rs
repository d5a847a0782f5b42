//! What is the same for all brokers: the positions and limits of channels without their messages, and the answers of sessions.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwire_core::protocol::{Cursor, MAX_NUMBER};

use super::api::{BrokerConfig, BrokerError, SessionExpiry, StoredSession};
use super::message::{ChannelName, History, HistoryKind, Key, Producer, Publication, Retention, SessionId, Stored};

/// Where a broker stores the messages. The [`Catalog`] decides what is stored and what is trimmed.
pub(super) trait Storage {
    /// The message with this offset, if it is stored.
    fn meta(&mut self, channel: &ChannelMeta, offset: u64) -> Result<Option<MessageMeta>, BrokerError>;
    /// The stored message with the lowest offset.
    fn first_meta(&mut self, channel: &ChannelMeta) -> Result<Option<MessageMeta>, BrokerError>;
    fn insert(&mut self, channel: &ChannelMeta, message: &Arc<Stored>) -> Result<(), BrokerError>;
    fn remove(&mut self, channel: &ChannelMeta, offset: u64) -> Result<(), BrokerError>;
    /// The offset of the latest message of a key, in a state channel.
    fn latest(&mut self, channel: &ChannelMeta, key: &Key) -> Result<Option<u64>, BrokerError>;
    fn set_latest(&mut self, channel: &ChannelMeta, key: &Key, offset: Option<u64>) -> Result<(), BrokerError>;
    /// The channel has changed.
    fn changed(&mut self, channel: &ChannelMeta);
    /// Removes everything of a channel.
    fn forget(&mut self, channel: &ChannelMeta) -> Result<(), BrokerError>;
}

/// What trimming needs to know of a message.
#[derive(Debug)]
pub(super) struct MessageMeta {
    pub(super) offset: u64,
    pub(super) time: u64,
    pub(super) size: u64,
    pub(super) key: Option<Key>,
    pub(super) is_removed: bool,
}

/// All channels of a broker: their positions, and the limits on what is stored of them.
#[derive(Debug)]
pub(super) struct Catalog {
    config: BrokerConfig,
    /// The epoch of channels without an entry. It changes when an entry is forgotten, so that the channel gets another one.
    epoch: u64,
    channels: HashMap<ChannelName, ChannelMeta>,
    /// All channels, the least recently published first.
    by_publish: BTreeSet<(u64, ChannelName)>,
    /// Those of them that have messages.
    with_messages: BTreeSet<(u64, ChannelName)>,
    /// When the oldest message of a channel becomes too old.
    due: BTreeSet<(u64, ChannelName)>,
    bytes: u64,
    publishes: u64,
    next_id: u64,
}

/// What is known of a channel without its messages.
#[derive(Clone, Debug)]
pub(super) struct ChannelMeta {
    pub(super) name: ChannelName,
    /// Identifies the channel in the storage; never used again for another one.
    pub(super) id: u64,
    pub(super) last: Cursor,
    pub(super) trimmed: Cursor,
    pub(super) state_trimmed: u64,
    pub(super) retention: Retention,
    /// Bytes of all stored messages.
    pub(super) bytes: u64,
    /// The time of the message after `trimmed`.
    pub(super) oldest: Option<u64>,
    /// Grows with each publish to any channel.
    pub(super) published: u64,
}

impl ChannelMeta {
    pub(super) fn history(&self) -> History {
        History { last: self.last, trimmed: self.trimmed, state_trimmed: self.state_trimmed, found: None }
    }

    /// When the oldest message becomes too old, in milliseconds since 1970.
    pub(super) fn due(&self) -> Option<u64> {
        Some(self.oldest?.saturating_add(millis(self.retention.age?)))
    }

    fn count(&self) -> u64 {
        self.last.offset - self.trimmed.offset
    }

    /// Whether the oldest of the messages that a subscriber can resume over must be trimmed.
    fn is_over(&self, now: u64) -> bool {
        let is_over = self.count() > self.retention.count || self.bytes > self.retention.bytes;
        is_over || self.due().is_some_and(|due| due <= now)
    }
}

impl Catalog {
    pub(super) fn new(config: BrokerConfig) -> Self {
        Self {
            epoch: new_epoch(),
            config,
            channels: HashMap::new(),
            by_publish: BTreeSet::new(),
            with_messages: BTreeSet::new(),
            due: BTreeSet::new(),
            bytes: 0,
            publishes: 0,
            next_id: 0,
        }
    }

    /// A catalog of what was stored.
    #[cfg(feature = "journal")]
    pub(super) fn load(config: BrokerConfig, epoch: u64, channels: impl IntoIterator<Item = ChannelMeta>) -> Self {
        let mut catalog = Self { epoch, ..Self::new(config) };
        for channel in channels {
            catalog.publishes = catalog.publishes.max(channel.published);
            catalog.next_id = catalog.next_id.max(channel.id);
            catalog.restore(channel);
        }
        catalog
    }

    /// The epoch of channels without an entry.
    #[cfg(feature = "journal")]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    #[cfg(feature = "journal")]
    pub(super) fn channels(&self) -> impl Iterator<Item = &ChannelMeta> {
        self.channels.values()
    }

    /// When the next message expires.
    #[cfg(feature = "journal")]
    pub(super) fn next_due(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Starts another history in a channel, because messages that its subscribers have seen were lost.
    #[cfg(feature = "journal")]
    pub(super) fn restart(&mut self, storage: &mut impl Storage, name: &ChannelName) -> Result<(), BrokerError> {
        self.epoch = new_epoch();
        if let Some(channel) = self.take(name) {
            storage.forget(&channel)?;
        }
        Ok(())
    }

    pub(super) fn channel(&self, name: &ChannelName) -> Option<&ChannelMeta> {
        self.channels.get(name)
    }

    pub(super) fn history(&self, name: &ChannelName) -> History {
        self.channel(name).map_or_else(|| self.empty_history(), ChannelMeta::history)
    }

    /// The history of a channel without an entry.
    pub(super) fn empty_history(&self) -> History {
        History::empty(self.epoch, self.config.first_offset)
    }

    /// Stores a message, and trims what then exceeds the limits.
    pub(super) fn publish(
        &mut self,
        storage: &mut impl Storage,
        publication: Publication,
        now: u64,
    ) -> Result<Arc<Stored>, BrokerError> {
        let Publication { channel: name, payload, key, is_removed, by, retention } = publication;
        // The sums and the ordered sets do not contain the channel while it changes.
        let mut channel = self.take_or_create(&name);
        if channel.last.offset == u64::MAX {
            // No offset is left: another history begins.
            storage.forget(&channel)?;
            self.epoch = new_epoch();
            channel = self.create(&name);
        }
        if channel.retention.kind != retention.kind {
            change_kind(&mut channel, storage, retention.kind)?;
        }
        channel.retention = retention;

        let previous = channel.last.offset;
        // A clock that is set back must not make a later message older.
        let cursor = Cursor {
            epoch: channel.last.epoch,
            offset: previous + 1,
            time: now.max(channel.last.time).min(MAX_NUMBER),
        };
        let message = Stored { channel: name, cursor, previous, by, key, is_removed, payload };
        let message = Arc::new(message);
        if let Some(key) = message.key.as_ref().filter(|_| retention.kind == HistoryKind::State) {
            // Above the trimmed position, a replaced value stays for subscribers that resume.
            let replaced = storage.latest(&channel, key)?.filter(|offset| *offset <= channel.trimmed.offset);
            if let Some(replaced) = replaced.map(|offset| storage.meta(&channel, offset)).transpose()?.flatten() {
                remove(&mut channel, storage, &replaced)?;
            }
            storage.set_latest(&channel, key, Some(cursor.offset))?;
        }
        storage.insert(&channel, &message)?;
        channel.bytes += message.size() as u64;
        channel.last = cursor;
        channel.oldest.get_or_insert(cursor.time);
        self.publishes += 1;
        channel.published = self.publishes;

        while channel.is_over(now) && trim_oldest(&mut channel, storage)? {}
        self.put(storage, channel);
        self.enforce_limits(storage)?;
        Ok(message)
    }

    /// Trims messages that have expired.
    pub(super) fn expire(&mut self, storage: &mut impl Storage, now: u64) -> Result<(), BrokerError> {
        while let Some((_, name)) = self.due.first().filter(|(due, _)| *due <= now) {
            let name = name.clone();
            let Some(mut channel) = self.take(&name) else { continue };
            while channel.is_over(now) && trim_oldest(&mut channel, storage)? {}
            self.put(storage, channel);
        }
        Ok(())
    }

    /// Enforces the limits of all channels together.
    fn enforce_limits(&mut self, storage: &mut impl Storage) -> Result<(), BrokerError> {
        while self.bytes > self.config.bytes {
            let Some((_, name)) = self.with_messages.first().cloned() else { break };
            let Some(mut channel) = self.take(&name) else { break };
            let excess = self.bytes + channel.bytes - self.config.bytes;
            let target = channel.bytes.saturating_sub(excess);
            while channel.bytes > target && trim_oldest(&mut channel, storage)? {}
            self.put(storage, channel);
        }
        while self.channels.len() > self.config.channels.max(1) {
            let Some((_, name)) = self.by_publish.first().cloned() else { break };
            let Some(channel) = self.take(&name) else { break };
            // With another epoch, a cursor of the evicted channel is not valid in a new one of its name.
            storage.forget(&channel)?;
            self.epoch = new_epoch();
        }
        Ok(())
    }

    fn take_or_create(&mut self, name: &ChannelName) -> ChannelMeta {
        self.take(name).unwrap_or_else(|| self.create(name))
    }

    fn create(&mut self, name: &ChannelName) -> ChannelMeta {
        self.next_id += 1;
        let History { last, trimmed, state_trimmed, .. } = self.empty_history();
        ChannelMeta {
            name: name.clone(),
            id: self.next_id,
            last,
            trimmed,
            state_trimmed,
            retention: Retention::default(),
            bytes: 0,
            oldest: None,
            published: 0,
        }
    }

    /// Takes a channel out of the map and the ordered sets, to change it.
    fn take(&mut self, name: &ChannelName) -> Option<ChannelMeta> {
        let channel = self.channels.remove(name)?;
        let entry = (channel.published, channel.name.clone());
        self.by_publish.remove(&entry);
        self.with_messages.remove(&entry);
        if let Some(due) = channel.due() {
            self.due.remove(&(due, channel.name.clone()));
        }
        self.bytes -= channel.bytes;
        Some(channel)
    }

    fn put(&mut self, storage: &mut impl Storage, channel: ChannelMeta) {
        storage.changed(&channel);
        self.restore(channel);
    }

    /// Adds a channel as it was stored.
    fn restore(&mut self, channel: ChannelMeta) {
        let entry = (channel.published, channel.name.clone());
        if channel.bytes > 0 {
            self.with_messages.insert(entry.clone());
        }
        if let Some(due) = channel.due() {
            self.due.insert((due, channel.name.clone()));
        }
        self.by_publish.insert(entry);
        self.bytes += channel.bytes;
        self.channels.insert(channel.name.clone(), channel);
    }
}

/// Trims the oldest message that a subscriber could resume over; if there is none, the oldest latest message of a key. `false` if
/// there is none either.
fn trim_oldest(channel: &mut ChannelMeta, storage: &mut impl Storage) -> Result<bool, BrokerError> {
    if channel.count() == 0 {
        let Some(meta) = storage.first_meta(channel)? else {
            channel.bytes = 0;
            return Ok(false);
        };
        remove_latest(channel, storage, &meta)?;
        channel.state_trimmed = channel.state_trimmed.max(meta.offset);
        return Ok(true);
    }
    let offset = channel.trimmed.offset + 1;
    channel.trimmed.offset = offset;
    if let Some(meta) = storage.meta(channel, offset)? {
        channel.trimmed.time = meta.time;
        let is_replaced = match &meta.key {
            Some(key) if channel.retention.kind == HistoryKind::State => storage.latest(channel, key)? != Some(offset),
            _ => false,
        };
        let is_value = channel.retention.kind == HistoryKind::State && meta.key.is_some() && !meta.is_removed;
        if is_replaced {
            remove(channel, storage, &meta)?;
        } else if !is_value {
            remove_latest(channel, storage, &meta)?;
            channel.state_trimmed = offset;
        }
        // Otherwise the value of the key stays, although no subscriber can resume over it any more.
    }
    channel.oldest = match channel.count() {
        0 => None,
        _ => storage.meta(channel, offset + 1)?.map(|next| next.time),
    };
    Ok(true)
}

/// Removes a message from the storage and from the channel's bytes.
fn remove(channel: &mut ChannelMeta, storage: &mut impl Storage, meta: &MessageMeta) -> Result<(), BrokerError> {
    channel.bytes = channel.bytes.saturating_sub(meta.size);
    storage.remove(channel, meta.offset)
}

/// Removes a message that is the latest of its key.
fn remove_latest(channel: &mut ChannelMeta, storage: &mut impl Storage, meta: &MessageMeta) -> Result<(), BrokerError> {
    if let Some(key) = meta.key.as_ref().filter(|_| channel.retention.kind == HistoryKind::State) {
        storage.set_latest(channel, key, None)?;
    }
    remove(channel, storage, meta)
}

/// Turns a stream into a state channel, or the reverse.
fn change_kind(channel: &mut ChannelMeta, storage: &mut impl Storage, kind: HistoryKind) -> Result<(), BrokerError> {
    // The latest messages of keys, which were kept although they are older than the trimmed position.
    while let Some(meta) = storage.first_meta(channel)?.filter(|first| first.offset <= channel.trimmed.offset) {
        remove_latest(channel, storage, &meta)?;
    }
    channel.state_trimmed = channel.trimmed.offset;
    for offset in channel.trimmed.offset + 1..=channel.last.offset {
        let Some(MessageMeta { key: Some(key), .. }) = storage.meta(channel, offset)? else { continue };
        storage.set_latest(channel, &key, (kind == HistoryKind::State).then_some(offset))?;
    }
    channel.retention.kind = kind;
    Ok(())
}

/// A random epoch. Every message carries it in its cursor, so it has only 32 bits: a client mistakes another history for its own once in
/// four billion times, and then only if a message with the same offset has the same time.
pub(super) fn new_epoch() -> u64 {
    // The keys of a new `RandomState` are random.
    (RandomState::new().hash_one("epoch") >> 32).max(1)
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The sessions of a broker.
#[derive(Debug)]
pub(super) struct SessionTable {
    limit: usize,
    answers: usize,
    sessions: HashMap<SessionId, SessionEntry>,
    /// The detached ones, by the time of their expiry.
    expiries: BTreeSet<(u64, SessionId)>,
}

#[derive(Clone, Debug)]
pub(super) struct SessionEntry {
    pub(super) record: Bytes,
    /// How long it is kept without a connection, in milliseconds.
    #[cfg(feature = "journal")]
    pub(super) keep: u64,
    /// In milliseconds since 1970; `None` while it is attached.
    pub(super) expires: Option<u64>,
    /// By ascending number.
    pub(super) answers: VecDeque<(u64, Cursor)>,
}

impl SessionTable {
    pub(super) fn new(limit: usize, answers: usize) -> Self {
        Self { limit, answers, sessions: HashMap::new(), expiries: BTreeSet::new() }
    }

    /// Stores a session. Returns the session that was evicted for it.
    pub(super) fn store(
        &mut self,
        id: SessionId,
        record: Bytes,
        expiry: SessionExpiry,
        now: u64,
    ) -> Result<Option<SessionId>, BrokerError> {
        let mut evicted = None;
        if !self.sessions.contains_key(&id) && self.sessions.len() >= self.limit {
            let Some((_, first)) = self.expiries.first().cloned() else {
                return Err(BrokerError::TooManySessions { limit: self.limit });
            };
            self.remove(&first);
            evicted = Some(first);
        }
        let answers = self.take(&id).map(|session| session.answers).unwrap_or_default();
        let (SessionExpiry::Attached(keep) | SessionExpiry::Detached(keep)) = expiry;
        let keep = millis(keep);
        let expires = match expiry {
            SessionExpiry::Attached(_) => None,
            SessionExpiry::Detached(_) => Some(now.saturating_add(keep)),
        };
        let session = SessionEntry {
            record,
            #[cfg(feature = "journal")]
            keep,
            expires,
            answers,
        };
        self.restore(id, session);
        Ok(evicted)
    }

    /// Adds a session as it was stored.
    pub(super) fn restore(&mut self, id: SessionId, session: SessionEntry) {
        if let Some(expires) = session.expires {
            self.expiries.insert((expires, id.clone()));
        }
        self.sessions.insert(id, session);
    }

    #[cfg(feature = "journal")]
    pub(super) fn get(&self, id: &SessionId) -> Option<&SessionEntry> {
        self.sessions.get(id)
    }

    /// When the next session expires.
    #[cfg(feature = "journal")]
    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    pub(super) fn load(&self, id: &SessionId) -> Option<StoredSession> {
        let SessionEntry { record, answers, .. } = self.sessions.get(id)?;
        Some(StoredSession { record: record.clone(), answers: answers.iter().copied().collect() })
    }

    fn take(&mut self, id: &SessionId) -> Option<SessionEntry> {
        let session = self.sessions.remove(id)?;
        if let Some(expires) = session.expires {
            self.expiries.remove(&(expires, id.clone()));
        }
        Some(session)
    }

    pub(super) fn remove(&mut self, id: &SessionId) {
        self.take(id);
    }

    /// The position of a publish if its session has stored it already.
    pub(super) fn duplicate_of(&self, producer: &Producer) -> Result<Option<Cursor>, BrokerError> {
        let Some(session) = self.sessions.get(&producer.session) else { return Ok(None) };
        match session.answers.back() {
            Some((latest, _)) if producer.seq <= *latest => {
                let at = session.answers.binary_search_by_key(&producer.seq, |(seq, _)| *seq);
                at.map(|at| Some(session.answers[at].1)).map_err(|_| BrokerError::Forgotten)
            }
            _ => Ok(None),
        }
    }

    /// Remembers a publish as stored, if its session is stored.
    pub(super) fn record_publish(&mut self, producer: &Producer, cursor: Cursor) {
        if let Some(session) = self.sessions.get_mut(&producer.session) {
            session.answers.push_back((producer.seq, cursor));
            if session.answers.len() > self.answers.max(1) {
                session.answers.pop_front();
            }
        }
    }

    /// Removes and returns the session that expired longest ago.
    pub(super) fn pop_expired(&mut self, now: u64) -> Option<SessionId> {
        let (_, id) = self.expiries.first().filter(|(expires, _)| *expires <= now)?;
        let id = id.clone();
        self.remove(&id);
        Some(id)
    }
}

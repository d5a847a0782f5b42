use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use everwire_core::protocol::Cursor;
use smallvec::SmallVec;

use super::api::{BoxFuture, Broker, BrokerConfig, BrokerError, Listener, SessionExpiry, StoredSession};
use super::catalog::{Catalog, ChannelMeta, MessageMeta, SessionTable, Storage};
use super::message::{
    ChannelName, History, HistoryKind, Key, Page, PageLimits, Publication, SessionId, Stored, take_page,
};

/// A broker in memory. It loses everything when the process ends.
///
/// All calls have completed when they return. A clone shares everything.
///
/// ```
/// use everwire_server::broker::{Broker, ChannelName, Memory, PageLimits, Publication};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = Memory::default();
/// let chat = ChannelName::try_from("chat")?;
/// let position = broker.publish(Publication::new(chat.clone(), "hello")).await?;
/// let page = broker.read(&chat, position.offset - 1, PageLimits::default()).await?;
/// assert_eq!(page.messages[0].payload, Some("hello".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Memory {
    inner: Arc<MemoryInner>,
}

#[derive(Debug)]
struct MemoryInner {
    config: BrokerConfig,
    /// Held while a message is stored and reported, so that listeners see the order of the offsets. Reads do not take it: a listener's
    /// locks may be held while the broker is read.
    listeners: Mutex<Vec<Arc<dyn Listener>>>,
    state: Mutex<MemoryState>,
}

#[derive(Debug)]
struct MemoryState {
    catalog: Catalog,
    messages: MessageStore,
    sessions: SessionTable,
}

/// The messages of all channels.
#[derive(Debug, Default)]
struct MessageStore(HashMap<u64, ChannelMessages>);

#[derive(Debug, Default)]
struct ChannelMessages {
    messages: BTreeMap<u64, Arc<Stored>>,
    latest: HashMap<Key, u64>,
    /// The offsets in `latest`.
    latest_offsets: BTreeSet<u64>,
}

impl Memory {
    /// An empty broker.
    pub fn new(config: BrokerConfig) -> Self {
        let state = MemoryState {
            catalog: Catalog::new(config.clone()),
            messages: MessageStore::default(),
            sessions: SessionTable::new(config.sessions, config.answers),
        };
        let inner = MemoryInner { config, listeners: Mutex::default(), state: Mutex::new(state) };
        Self { inner: Arc::new(inner) }
    }

    /// The state, without what has expired.
    fn state(&self) -> MutexGuard<'_, MemoryState> {
        let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.expire(self.inner.config.now());
        state
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Arc<dyn Listener>>> {
        self.inner.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_now(
        &self,
        publications: impl Iterator<Item = Publication>,
    ) -> SmallVec<[Result<Cursor, BrokerError>; 1]> {
        let listeners = self.listeners();
        let mut state = self.state();
        let now = self.inner.config.now();
        let mut stored: SmallVec<[Arc<Stored>; 1]> = SmallVec::new();
        let results = publications.map(|publication| state.publish(publication, now, &mut stored)).collect();
        // A listener takes locks under which others read the broker: with the state locked, the two could deadlock.
        drop(state);
        if !stored.is_empty() {
            listeners.iter().for_each(|listener| listener.stored(&stored));
        }
        results
    }

    fn page(&self, name: &ChannelName, after: u64, limits: PageLimits, is_state: bool) -> Page {
        let state = self.state();
        let history = state.catalog.history(name);
        let channel = state.catalog.channel(name);
        let Some((channel, stored)) = channel.and_then(|channel| Some((channel, state.messages.0.get(&channel.id)?)))
        else {
            return Page { messages: Vec::new(), is_last: true, history };
        };
        let from = after.saturating_add(1);
        let is_state = is_state && channel.retention.kind == HistoryKind::State;
        let page = if is_state {
            let latest = stored.latest_offsets.range(from..).filter_map(|offset| stored.messages.get(offset));
            // Before the first message a subscriber has no value that could be removed.
            let is_of_use = |message: &&Arc<Stored>| !message.is_removed || after > 0;
            take_page(latest.filter(is_of_use).map(|message| Ok::<_, BrokerError>(Arc::clone(message))), limits)
        } else {
            let from = from.max(channel.trimmed.offset.saturating_add(1));
            take_page(stored.messages.range(from..).map(|(_, message)| Ok(Arc::clone(message))), limits)
        };
        let (messages, is_last) = page.unwrap_or_default();
        Page { messages, is_last, history }
    }
}

impl Default for Memory {
    /// An empty broker with the default limits.
    fn default() -> Self {
        Self::new(BrokerConfig::default())
    }
}

impl Broker for Memory {
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>> {
        let result = self.publish_now(std::iter::once(publication)).pop();
        Box::pin(ready(result.unwrap_or(Err(BrokerError::Undecided))))
    }

    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        let results = self.publish_now(publications.into_iter()).into_iter();
        results.map(|result| Box::pin(ready(result)) as BoxFuture<_>).collect()
    }

    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>> {
        let state = self.state();
        let mut history = state.catalog.history(channel);
        history.found = match state.catalog.channel(channel).map(|channel| channel.id) {
            _ if at == history.last.offset => Some(history.last),
            _ if at == history.trimmed.offset => Some(history.trimmed),
            Some(id) => {
                let stored = state.messages.0.get(&id).and_then(|stored| stored.messages.get(&at));
                stored.map(|message| message.cursor)
            }
            None => None,
        };
        Box::pin(ready(Ok(history)))
    }

    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>> {
        Box::pin(ready(Ok(self.page(channel, after, limits, false))))
    }

    fn read_state(
        &self,
        channel: &ChannelName,
        after: u64,
        limits: PageLimits,
    ) -> BoxFuture<Result<Page, BrokerError>> {
        Box::pin(ready(Ok(self.page(channel, after, limits, true))))
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.listeners().push(listener);
    }

    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>> {
        let stored = self.state().sessions.store(id, record, expiry, self.inner.config.now());
        Box::pin(ready(stored.map(drop)))
    }

    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>> {
        Box::pin(ready(Ok(self.state().sessions.load(id))))
    }

    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>> {
        self.state().sessions.remove(id);
        Box::pin(ready(Ok(())))
    }
}

impl MemoryState {
    /// Stores a message, and adds it to `stored` unless it was stored before.
    fn publish(
        &mut self,
        publication: Publication,
        now: u64,
        stored: &mut SmallVec<[Arc<Stored>; 1]>,
    ) -> Result<Cursor, BrokerError> {
        let Self { catalog, messages, sessions } = self;
        let repeated = publication.by.as_ref().map(|by| sessions.duplicate_of(by)).transpose()?;
        if let Some(cursor) = repeated.flatten() {
            return Ok(cursor);
        }
        let message = catalog.publish(messages, publication, now)?;
        if let Some(by) = &message.by {
            sessions.record_publish(by, message.cursor);
        }
        let cursor = message.cursor;
        stored.push(message);
        Ok(cursor)
    }

    fn expire(&mut self, now: u64) {
        while self.sessions.pop_expired(now).is_some() {}
        // The storage in memory does not fail.
        self.catalog.expire(&mut self.messages, now).unwrap_or_default();
    }
}

impl MessageMeta {
    fn of(message: &Stored) -> Self {
        let Stored { cursor, key, is_removed, .. } = message;
        let size = message.size() as u64;
        Self { offset: cursor.offset, time: cursor.time, size, key: key.clone(), is_removed: *is_removed }
    }
}

impl Storage for MessageStore {
    fn meta(&mut self, channel: &ChannelMeta, offset: u64) -> Result<Option<MessageMeta>, BrokerError> {
        Ok(self
            .0
            .get(&channel.id)
            .and_then(|stored| stored.messages.get(&offset))
            .map(|message| MessageMeta::of(message)))
    }

    fn first_meta(&mut self, channel: &ChannelMeta) -> Result<Option<MessageMeta>, BrokerError> {
        let first = self.0.get(&channel.id).and_then(|stored| stored.messages.first_key_value());
        Ok(first.map(|(_, message)| MessageMeta::of(message)))
    }

    fn insert(&mut self, channel: &ChannelMeta, message: &Arc<Stored>) -> Result<(), BrokerError> {
        let stored = self.0.entry(channel.id).or_default();
        stored.messages.insert(message.cursor.offset, Arc::clone(message));
        Ok(())
    }

    fn remove(&mut self, channel: &ChannelMeta, offset: u64) -> Result<(), BrokerError> {
        if let Some(stored) = self.0.get_mut(&channel.id) {
            stored.messages.remove(&offset);
        }
        Ok(())
    }

    fn latest(&mut self, channel: &ChannelMeta, key: &Key) -> Result<Option<u64>, BrokerError> {
        Ok(self.0.get(&channel.id).and_then(|stored| stored.latest.get(key)).copied())
    }

    fn set_latest(&mut self, channel: &ChannelMeta, key: &Key, offset: Option<u64>) -> Result<(), BrokerError> {
        let ChannelMessages { latest, latest_offsets, .. } = self.0.entry(channel.id).or_default();
        let replaced = match offset {
            Some(offset) => {
                latest_offsets.insert(offset);
                latest.insert(key.clone(), offset)
            }
            None => latest.remove(key),
        };
        if let Some(replaced) = replaced {
            latest_offsets.remove(&replaced);
        }
        Ok(())
    }

    fn changed(&mut self, channel: &ChannelMeta) {
        if channel.bytes == 0 {
            self.0.remove(&channel.id);
        }
    }

    fn forget(&mut self, channel: &ChannelMeta) -> Result<(), BrokerError> {
        self.0.remove(&channel.id);
        Ok(())
    }
}

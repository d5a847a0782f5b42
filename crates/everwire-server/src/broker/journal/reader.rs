//! Reads of the journal: recent messages from memory, and the others from the file, by threads that share the result of equal reads.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::thread;

use redb::{Database, ReadTransaction, ReadableDatabase};
use tokio::sync::oneshot;

use super::database::panic_text;
use super::tables::{failed, read_page, read_time};
use crate::broker::api::BrokerError;
use crate::broker::catalog::{Catalog, ChannelMeta};
use crate::broker::message::{ChannelName, History, HistoryKind, Page, PageLimits, Stored, take_page};

/// The committed state: the position of each channel, and its recent messages.
#[derive(Debug)]
pub(super) struct RecentMessages {
    limit: u64,
    /// The history of a channel without an entry.
    empty: History,
    channels: HashMap<ChannelName, RecentChannel>,
    /// Channels with recent messages, the least recently published first.
    by_publish: BTreeSet<(u64, ChannelName)>,
    bytes: u64,
}

#[derive(Debug)]
struct RecentChannel {
    channel: ChannelMeta,
    /// Contiguous up to the latest.
    messages: VecDeque<Arc<Stored>>,
    /// Bytes of these messages.
    bytes: u64,
}

/// Where a read is answered from.
#[derive(Debug)]
pub(super) enum Lookup<T> {
    /// From memory.
    Found(T),
    /// Only from the file, under this id of the channel.
    OnDisk(u64),
}

impl RecentMessages {
    pub(super) fn new(limit: u64, catalog: &Catalog) -> Self {
        let mut recent = Self {
            limit,
            empty: catalog.empty_history(),
            channels: HashMap::new(),
            by_publish: BTreeSet::new(),
            bytes: 0,
        };
        catalog.channels().for_each(|channel| recent.update(channel.clone()));
        recent
    }

    pub(super) fn history(&self, name: &ChannelName) -> History {
        self.channels.get(name).map_or(self.empty, |recent| recent.channel.history())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &ChannelName> {
        self.channels.keys()
    }

    /// Whether messages of the channel have expired since the last commit.
    pub(super) fn is_due(&self, name: &ChannelName, now: u64) -> bool {
        self.channels.get(name).and_then(|recent| recent.channel.due()).is_some_and(|due| due <= now)
    }

    pub(super) fn history_at(&self, name: &ChannelName, at: u64) -> (History, Lookup<()>) {
        let mut history = self.history(name);
        history.found = match self.channels.get(name) {
            _ if at == history.last.offset => Some(history.last),
            _ if at == history.trimmed.offset => Some(history.trimmed),
            _ if at > history.last.offset => None,
            Some(RecentChannel { messages, channel, .. }) => match messages.front() {
                Some(first) if first.cursor.offset <= at => {
                    let index = usize::try_from(at - first.cursor.offset).ok();
                    index.and_then(|index| messages.get(index)).map(|message| message.cursor)
                }
                _ => return (history, Lookup::OnDisk(channel.id)),
            },
            None => None,
        };
        (history, Lookup::Found(()))
    }

    pub(super) fn page(&self, name: &ChannelName, after: u64, limits: PageLimits, is_state: bool) -> Lookup<Page> {
        let history = self.history(name);
        let Some(RecentChannel { channel, messages, .. }) = self.channels.get(name) else {
            return Lookup::Found(Page { messages: Vec::new(), is_last: true, history });
        };
        let is_state = is_state && channel.retention.kind == HistoryKind::State;
        // Values of keys may be older than what a subscriber can resume over.
        let after_trimmed = if is_state { after } else { after.max(history.trimmed.offset) };
        let first = messages.front().map_or(history.last.offset, |first| first.previous);
        if after_trimmed < first || after_trimmed < history.trimmed.offset {
            return Lookup::OnDisk(channel.id);
        }
        let skip = usize::try_from(after_trimmed - first).unwrap_or(usize::MAX).min(messages.len());
        let new = messages.range(skip..);
        let page = if is_state {
            let mut keys = HashSet::new();
            let is_latest = |message: &&Arc<Stored>| message.key.clone().is_some_and(|key| keys.insert(key));
            let mut latest: Vec<_> =
                new.rev().filter(is_latest).filter(|message| !message.is_removed || after > 0).collect();
            latest.reverse();
            take_page(latest.into_iter().map(|message| Ok::<_, ()>(Arc::clone(message))), limits)
        } else {
            take_page(new.map(|message| Ok(Arc::clone(message))), limits)
        };
        let (messages, is_last) = page.unwrap_or_default();
        Lookup::Found(Page { messages, is_last, history })
    }

    /// Applies what a commit has changed. `stored` are its messages in order.
    pub(super) fn apply_commit(
        &mut self,
        empty: History,
        forgotten: &[ChannelName],
        changed: Vec<ChannelMeta>,
        stored: &[Arc<Stored>],
    ) {
        self.empty = empty;
        for name in forgotten {
            self.remove(name);
        }
        // A channel that was forgotten and published to again within one commit has messages of two epochs in `stored`.
        let epochs: HashMap<_, _> = changed.iter().map(|channel| (channel.name.clone(), channel.last.epoch)).collect();
        changed.into_iter().for_each(|channel| self.update(channel));
        for message in stored {
            if epochs.get(&message.channel) == Some(&message.cursor.epoch) {
                self.push(message);
            }
        }
        self.trim();
    }

    fn push(&mut self, message: &Arc<Stored>) {
        let Some(recent) = self.channels.get_mut(&message.channel) else { return };
        if message.cursor.offset <= recent.channel.trimmed.offset {
            return;
        }
        let size = message.size() as u64;
        recent.bytes += size;
        self.bytes += size;
        recent.messages.push_back(Arc::clone(message));
        self.by_publish.insert((recent.channel.published, message.channel.clone()));
    }

    /// Replaces what is known of a channel, and drops messages that were trimmed.
    fn update(&mut self, channel: ChannelMeta) {
        let (mut messages, mut bytes) = self.remove(&channel.name).unwrap_or_default();
        while let Some(message) = messages.pop_front_if(|message| message.cursor.offset <= channel.trimmed.offset) {
            bytes -= message.size() as u64;
        }
        self.bytes += bytes;
        if !messages.is_empty() {
            self.by_publish.insert((channel.published, channel.name.clone()));
        }
        self.channels.insert(channel.name.clone(), RecentChannel { channel, messages, bytes });
    }

    fn remove(&mut self, name: &ChannelName) -> Option<(VecDeque<Arc<Stored>>, u64)> {
        let RecentChannel { channel, messages, bytes } = self.channels.remove(name)?;
        self.by_publish.remove(&(channel.published, channel.name));
        self.bytes -= bytes;
        Some((messages, bytes))
    }

    fn trim(&mut self) {
        while self.bytes > self.limit {
            let Some((_, name)) = self.by_publish.first() else { return };
            let Some(recent) = self.channels.get_mut(name) else { return };
            if let Some(message) = recent.messages.pop_front() {
                recent.bytes -= message.size() as u64;
                self.bytes -= message.size() as u64;
            }
            if recent.messages.is_empty() {
                self.by_publish.pop_first();
            }
        }
    }
}

/// The open file. `None` while it is closed after a failure.
pub(super) type SharedDatabase = Arc<RwLock<Option<Database>>>;

/// What is read from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ReadRequest {
    Page { channel: u64, after: u64, limits: PageLimits, is_state: bool },
    Time { channel: u64, offset: u64 },
}

#[derive(Clone, Debug)]
pub(super) enum ReadResult {
    /// `None`: the channel was forgotten meanwhile.
    Page(Option<Page>),
    Time(Option<u64>),
}

type ReadReply = oneshot::Sender<Result<ReadResult, BrokerError>>;

/// Reads from the file on threads of its own. Concurrent requests for the same data share one read.
pub(super) struct Reader {
    requests: mpsc::Sender<ReadRequest>,
    shared: Arc<ReaderState>,
}

struct ReaderState {
    database: SharedDatabase,
    waiting: Mutex<HashMap<ReadRequest, Vec<ReadReply>>>,
    reads: AtomicU64,
    /// Called when a read has failed.
    on_failure: Box<dyn Fn() + Send + Sync>,
}

/// More than one, so that a read from the disk does not block a read of cached pages.
const THREADS: usize = 2;

impl Reader {
    /// The threads end when the reader is dropped.
    pub(super) fn start(
        database: SharedDatabase,
        on_failure: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (requests, receiver) = mpsc::channel::<ReadRequest>();
        let receiver = Arc::new(Mutex::new(receiver));
        let (waiting, reads, on_failure) = (Mutex::default(), AtomicU64::new(0), Box::new(on_failure));
        let shared = Arc::new(ReaderState { database, waiting, reads, on_failure });
        for number in 1..=THREADS {
            let (receiver, shared) = (Arc::clone(&receiver), Arc::clone(&shared));
            let run = move || {
                loop {
                    let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(request) = next else { return };
                    shared.answer(request);
                }
            };
            thread::Builder::new().name(format!("journal-read-{number}")).spawn(run)?;
        }
        Ok(Self { requests, shared })
    }

    pub(super) fn ask(&self, request: ReadRequest) -> oneshot::Receiver<Result<ReadResult, BrokerError>> {
        let (waiting, reply) = oneshot::channel();
        match self.shared.waiting().entry(request) {
            Entry::Occupied(mut others) => others.get_mut().push(waiting),
            Entry::Vacant(none) => {
                none.insert(vec![waiting]);
                // It fails only after the threads have ended, and they live as long as this.
                self.requests.send(request).unwrap_or_default();
            }
        }
        reply
    }

    /// How often the file was read.
    pub(super) fn reads(&self) -> u64 {
        self.shared.reads.load(Ordering::Relaxed)
    }
}

impl ReaderState {
    fn answer(&self, request: ReadRequest) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let reply = catch_unwind(AssertUnwindSafe(|| self.read(request)));
        let reply = reply.unwrap_or_else(|panic| Err(BrokerError::Unavailable { reason: panic_text(&*panic) }));
        if reply.is_err() {
            (self.on_failure)();
        }
        let waiting = self.waiting().remove(&request).unwrap_or_default();
        for waiting in waiting {
            drop(waiting.send(reply.clone()));
        }
    }

    fn read(&self, request: ReadRequest) -> Result<ReadResult, BrokerError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else {
            return Err(BrokerError::Unavailable { reason: "the journal is closed after a failure".into() });
        };
        let transaction: ReadTransaction = database.begin_read().map_err(failed)?;
        match request {
            ReadRequest::Page { channel, after, limits, is_state } => {
                read_page(&transaction, channel, after, limits, is_state).map(ReadResult::Page)
            }
            ReadRequest::Time { channel, offset } => read_time(&transaction, channel, offset).map(ReadResult::Time),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ReadRequest, Vec<ReadReply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_requests_for_one_page_share_one_read() {
        let database: SharedDatabase = Arc::default();
        let reader = Reader::start(Arc::clone(&database), || ()).unwrap();
        let blocked = database.write().unwrap();
        let request = |after| {
            let limits = PageLimits::default();
            ReadRequest::Page { channel: 1, after, limits, is_state: false }
        };
        let replies: Vec<_> = (0..100).map(|number| reader.ask(request(number % 2))).collect();
        drop(blocked);
        for reply in replies {
            reply.blocking_recv().unwrap().unwrap_err();
        }
        assert_eq!(reader.reads(), 2);
    }
}

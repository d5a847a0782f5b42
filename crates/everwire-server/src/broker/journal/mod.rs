//! The broker on disk.
//!
//! # Layout
//! - `writer`: commits what waits in its queue; `reader`: recent messages in memory, and reads from the file
//! - `database`: the file, its directory and its settings; `tables`: the tables of the file and their rows

mod database;
mod reader;
mod tables;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use everwire_core::protocol::Cursor;
use tokio::sync::oneshot;

pub use self::database::{Corruption, Fsync, JournalConfig, JournalError, JournalStats};
use self::database::{JournalDirectory, OpenedFile};
use self::reader::{Lookup, ReadRequest, ReadResult, Reader, RecentMessages};
use self::writer::{Command, CommandQueue, JournalState, ReplySender, Writer};
use super::api::{BoxFuture, Broker, BrokerError, Listener, SessionExpiry, StoredSession};
use super::message::{ChannelName, History, Page, PageLimits, Publication, SessionId};

/// A broker on disk: what it has acknowledged survives the end of the process, and, [as configured](super::Fsync), a power loss.
///
/// It keeps one file in its own directory. All pending publishes are committed in one transaction (group commit), with the answers of
/// their sessions, and resolve after that. Recent messages are cached in memory, so that resumes rarely read from the disk; concurrent
/// reads of the same page share one read.
///
/// While the disk is full or fails, publishes fail with [`BrokerError::Unavailable`]; the journal continues when the disk works again. A
/// corrupt file is moved aside, and reported by [`corruptions`](Self::corruptions) and in the log; another history begins, with other
/// epochs, so that clients get a gap. An interrupted last write is not corruption.
///
/// The file is a `redb` database: written in Rust, a single file, checksums, and no background work that would delay publishes from time
/// to time.
///
/// A clone shares everything. Dropping the last one waits until all that was published is stored.
///
/// ```
/// use everwire_server::broker::{Broker, ChannelName, Journal, PageLimits, Publication};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let temporary = tempfile::tempdir()?;
/// # let directory = temporary.path().join("data");
/// let chat = ChannelName::try_from("chat")?;
/// let journal = Journal::open(&directory)?;
/// let position = journal.publish(Publication::new(chat.clone(), "hello")).await?;
/// drop(journal);
///
/// let journal = Journal::open(&directory)?;
/// assert_eq!(journal.history(&chat, 0).await?.last, position);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Journal {
    inner: Arc<JournalInner>,
}

struct JournalInner {
    shared: Arc<JournalState>,
    reader: Reader,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal in a directory, or creates one there. The whole file is read and checked, which takes about two seconds per
    /// gigabyte.
    ///
    /// Each session is kept for its time from now, although it may have expired meanwhile: no client could resume while the server
    /// was down.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_with(directory, JournalConfig::default())
    }

    /// Like [`open`](Self::open), with other settings than the default.
    pub fn open_with(directory: impl AsRef<Path>, config: JournalConfig) -> Result<Self, JournalError> {
        let path = directory.as_ref();
        let directory = JournalDirectory::open(path)?;
        let OpenedFile { database, catalog, sessions, commits, corruption } = directory.open_file(&config, true)?;
        let database = Arc::new(RwLock::new(Some(database)));
        let shared = Arc::new(JournalState {
            queue: CommandQueue::new(config.queue, config.queue_bytes),
            recent: Mutex::new(RecentMessages::new(config.recent_bytes, &catalog)),
            listeners: Mutex::default(),
            corruptions: Mutex::new(corruption.into_iter().collect()),
            commits: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            config,
        });
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let on_failure = Arc::clone(&shared);
        let reader =
            Reader::start(Arc::clone(&database), move || on_failure.queue.push(Command::Check)).map_err(failed)?;
        let writer = Writer::new(Arc::clone(&shared), directory, database, (catalog, sessions, commits));
        let writer = thread::Builder::new().name("journal-write".into()).spawn(|| writer.run()).map_err(failed)?;
        Ok(Self { inner: Arc::new(JournalInner { shared, reader, writer: Some(writer) }) })
    }

    /// The files that were found corrupt since the journal was opened, and where they are now.
    pub fn corruptions(&self) -> Vec<Corruption> {
        self.inner.shared.corruptions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters.
    pub fn stats(&self) -> JournalStats {
        let JournalState { queue, commits, failures, is_failing, .. } = &*self.inner.shared;
        JournalStats {
            commits: commits.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            is_failing: is_failing.load(Ordering::Relaxed),
            disk_reads: self.inner.reader.reads(),
            queued: queue.len(),
        }
    }

    fn recent<T>(&self, work: impl FnOnce(&RecentMessages) -> T) -> T {
        work(&self.inner.shared.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn send<T: Send + 'static>(
        &self,
        command: impl FnOnce(ReplySender<T>) -> Command,
    ) -> BoxFuture<Result<T, BrokerError>> {
        let (reply, answer) = oneshot::channel();
        self.inner.shared.queue.push(command(reply));
        answered(answer)
    }

    /// Has messages trimmed that have expired since the latest commit.
    async fn expire(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        let now = self.inner.shared.config.broker.now();
        if self.recent(|recent| recent.is_due(channel, now)) {
            self.send(Command::Expire).await?;
        }
        Ok(())
    }

    async fn ask(&self, request: ReadRequest) -> Result<ReadResult, BrokerError> {
        self.inner.reader.ask(request).await.unwrap_or(Err(BrokerError::Closed))
    }

    async fn page(
        self,
        channel: ChannelName,
        after: u64,
        limits: PageLimits,
        is_state: bool,
    ) -> Result<Page, BrokerError> {
        self.expire(&channel).await?;
        loop {
            let id = match self.recent(|recent| recent.page(&channel, after, limits, is_state)) {
                Lookup::Found(page) => return Ok(page),
                Lookup::OnDisk(id) => id,
            };
            let reply = self.ask(ReadRequest::Page { channel: id, after, limits, is_state }).await?;
            if let ReadResult::Page(Some(page)) = reply {
                return Ok(page);
            }
            // The channel was forgotten meanwhile.
        }
    }
}

/// The writer's answer. Without one, the store panicked.
fn answered<T: Send + 'static>(answer: oneshot::Receiver<Result<T, BrokerError>>) -> BoxFuture<Result<T, BrokerError>> {
    Box::pin(async { answer.await.unwrap_or(Err(BrokerError::Undecided)) })
}

impl Broker for Journal {
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>> {
        self.send(|reply| Command::Publish(publication, reply))
    }

    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        let mut answers = Vec::with_capacity(publications.len());
        self.inner.shared.queue.push_all(publications.into_iter().map(|publication| {
            let (reply, answer) = oneshot::channel();
            answers.push(answered(answer));
            Command::Publish(publication, reply)
        }));
        answers
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.inner.shared.queue.poll_ready(context)
    }

    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>> {
        let (journal, channel) = (self.clone(), channel.clone());
        Box::pin(async move {
            journal.expire(&channel).await?;
            let (mut history, answer) = journal.recent(|recent| recent.history_at(&channel, at));
            if let Lookup::OnDisk(channel) = answer
                && let ReadResult::Time(Some(time)) = journal.ask(ReadRequest::Time { channel, offset: at }).await?
            {
                history.found = Some(Cursor { epoch: history.epoch(), offset: at, time });
            }
            Ok(history)
        })
    }

    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>> {
        Box::pin(self.clone().page(channel.clone(), after, limits, false))
    }

    fn read_state(
        &self,
        channel: &ChannelName,
        after: u64,
        limits: PageLimits,
    ) -> BoxFuture<Result<Page, BrokerError>> {
        Box::pin(self.clone().page(channel.clone(), after, limits, true))
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.inner.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>> {
        self.send(|reply| Command::StoreSession(id, record, expiry, reply))
    }

    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>> {
        self.send(|reply| Command::LoadSession(id.clone(), reply))
    }

    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>> {
        self.send(|reply| Command::RemoveSession(id.clone(), reply))
    }
}

impl Drop for JournalInner {
    fn drop(&mut self) {
        self.shared.queue.close();
        // A listener may have held the last handle: then this is the writer's thread, which cannot wait for itself.
        if let Some(writer) = self.writer.take().filter(|writer| writer.thread().id() != thread::current().id()) {
            // The writer catches panics of the store and of listeners.
            drop(writer.join());
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

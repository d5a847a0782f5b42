//! The thread that commits what waits, one transaction after another, and the queue of commands for it.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use everwire_core::protocol::Cursor;
use redb::Durability;
use tokio::sync::oneshot;

use super::database::{Corruption, Fsync, JournalConfig, JournalDirectory, OpenedFile, begin, panic_text};
use super::reader::{RecentMessages, SharedDatabase};
use super::tables::{ANSWERS, COMMITS, EPOCH, MessageTables, NUMBERS, SESSIONS, answers_row, failed, session_row};
use crate::broker::api::{BrokerError, Listener, SessionExpiry, StoredSession};
use crate::broker::catalog::{Catalog, ChannelMeta, SessionTable};
use crate::broker::message::{ChannelName, Publication, SessionId, Stored};
use crate::message::Message;

/// The limits of one transaction.
const BATCH: usize = 512;
const BATCH_BYTES: u64 = 4 << 20;
/// The longest pause between two checks for what has expired.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The delay before a file that cannot be opened is tried again: the first and the longest one.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// The file is checked at most this often because reads fail.
const CHECK_PAUSE: Duration = Duration::from_secs(30);

/// The state that the writer shares with the journal's handles.
#[derive(Debug)]
pub(super) struct JournalState {
    pub(super) config: JournalConfig,
    pub(super) queue: CommandQueue,
    pub(super) recent: Mutex<RecentMessages>,
    pub(super) listeners: Mutex<Vec<Arc<dyn Listener>>>,
    pub(super) corruptions: Mutex<Vec<Corruption>>,
    pub(super) commits: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) is_failing: AtomicBool,
}

/// Commits what is queued, one transaction after another.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<JournalState>,
    directory: JournalDirectory,
    database: SharedDatabase,
    catalog: Catalog,
    sessions: SessionTable,
    /// The number of the latest commit.
    commits: u64,
    /// The deadline for the next sync to the disk.
    sync_by: Option<Instant>,
    /// When to try to open the file again, and the pause after that.
    retry: Option<(Instant, Duration)>,
    /// When the file was checked because a read had failed.
    checked: Option<Instant>,
}

/// An answer that is sent after the commit.
enum PendingReply {
    Published(ReplySender<Cursor>, Result<Cursor, BrokerError>),
    Done(ReplySender<()>, Result<(), BrokerError>),
    Loaded(ReplySender<Option<StoredSession>>, Option<StoredSession>),
}

/// What one transaction has done.
#[derive(Default)]
struct CommitBatch {
    stored: Vec<Arc<Stored>>,
    changed: Vec<ChannelMeta>,
    forgotten: Vec<ChannelName>,
    /// Whether there is something to commit.
    is_dirty: bool,
    /// The commit was begun, so that after an error only the file shows whether it was done.
    is_committing: bool,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<JournalState>,
        directory: JournalDirectory,
        database: SharedDatabase,
        opened: (Catalog, SessionTable, u64),
    ) -> Self {
        let (catalog, sessions, commits) = opened;
        Self { shared, directory, database, catalog, sessions, commits, sync_by: None, retry: None, checked: None }
    }

    /// Works until the queue is closed and empty. Then everything is on the disk, and the file is closed.
    pub(super) fn run(mut self) {
        while let Some(commands) = self.shared.queue.take(BATCH, BATCH_BYTES, self.pause()) {
            let is_check = commands.iter().any(|command| matches!(command, Command::Check));
            if is_check && self.checked.is_none_or(|at| at.elapsed() > CHECK_PAUSE) {
                self.checked = Some(Instant::now());
                self.close_and_reopen();
            }
            if self.is_open() || self.reopen() {
                if !commands.is_empty() || self.is_due() {
                    self.process(commands);
                }
            } else {
                self.shared.is_failing.store(true, Ordering::Relaxed);
                let error = unavailable("the journal could not be opened again after a failure");
                commands.into_iter().for_each(|command| command.refuse(error.clone()));
            }
        }
        if self.sync_by.is_some() {
            self.process(Vec::new());
        }
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let closed = database.map(|database| catch_unwind(AssertUnwindSafe(|| database.close())));
        let error = match closed {
            Some(Ok(Err(error))) => error.to_string().into(),
            Some(Err(panic)) => panic_text(&*panic),
            Some(Ok(Ok(()))) | None => return,
        };
        tracing::warn!(%error, "closing the journal failed; it is repaired when it is opened");
    }

    /// How long to wait for work.
    fn pause(&self) -> Duration {
        if let Some((at, _)) = self.retry {
            return at.saturating_duration_since(Instant::now()).min(LONGEST_PAUSE);
        }
        let now = self.shared.config.broker.now();
        let until_due = self.due().map_or(LONGEST_PAUSE, |due| Duration::from_millis(due.saturating_sub(now)));
        let until_sync = self.sync_by.map_or(LONGEST_PAUSE, |by| by.saturating_duration_since(Instant::now()));
        until_due.min(until_sync).min(LONGEST_PAUSE)
    }

    /// When the next message or session expires, in milliseconds since 1970.
    fn due(&self) -> Option<u64> {
        [self.catalog.next_due(), self.sessions.next_expiry()].into_iter().flatten().min()
    }

    /// Whether there is something to do without a command.
    fn is_due(&self) -> bool {
        let is_sync_due = self.sync_by.is_some_and(|by| by <= Instant::now());
        is_sync_due || self.due().is_some_and(|due| due <= self.shared.config.broker.now())
    }

    fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Does the work in one transaction, then reports it.
    fn process(&mut self, commands: Vec<Command>) {
        let mut batch = CommitBatch::default();
        let mut answers = Vec::with_capacity(commands.len());
        let mut commands = commands.into_iter();
        // The store may panic over a corrupt file. The file is opened again then, which checks it.
        let result = catch_unwind(AssertUnwindSafe(|| self.commit(&mut commands, &mut answers, &mut batch)));
        let result = result.unwrap_or_else(|panic| Err(BrokerError::Unavailable { reason: panic_text(&*panic) }));
        let error = match result {
            Ok(()) => {
                // Listeners come first: a publish resolves after they have returned.
                self.report(&batch);
                return answers.into_iter().for_each(PendingReply::send);
            }
            Err(error) => error,
        };
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        self.shared.is_failing.store(true, Ordering::Relaxed);
        tracing::warn!(%error, "storing in the journal failed");
        let is_reopened = self.close_and_reopen();
        let error = match batch.stored.last().filter(|_| batch.is_committing) {
            // A commit that failed may still be in the file, whole.
            Some(last) if is_reopened => {
                let history = self.catalog.history(&last.channel);
                if history.epoch() == last.cursor.epoch && history.last.offset >= last.cursor.offset {
                    // They were read from the file when it was opened again.
                    (batch.changed, batch.forgotten) = Default::default();
                    self.report(&batch);
                    return answers.into_iter().for_each(PendingReply::send);
                }
                error
            }
            Some(_) => BrokerError::Undecided,
            None => error,
        };
        answers.into_iter().for_each(|answer| answer.refuse(error.clone()));
        commands.for_each(|command| command.refuse(error.clone()));
    }

    fn commit(
        &mut self,
        commands: &mut impl Iterator<Item = Command>,
        answers: &mut Vec<PendingReply>,
        batch: &mut CommitBatch,
    ) -> Result<(), BrokerError> {
        let config = &self.shared.config.broker;
        let now = config.now();
        let is_interval = matches!(self.shared.config.fsync, Fsync::Interval(_));
        let is_sync_due = self.sync_by.is_some_and(|by| by <= Instant::now() || self.shared.queue.is_closed());
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else { return Err(unavailable("the journal is closed after a failure")) };
        let mut transaction = begin(database).map_err(failed)?;
        if is_interval && !is_sync_due {
            transaction.set_durability(Durability::None).map_err(failed)?;
        }
        let epoch = self.catalog.epoch();
        let (mut records, mut answered) = (BTreeSet::new(), BTreeSet::new());
        let mut tables = MessageTables::open(&transaction)?;
        // What has expired is removed in the same transaction.
        while let Some(id) = self.sessions.pop_expired(now) {
            records.insert(id);
        }
        self.catalog.expire(&mut tables, now)?;
        for command in commands {
            let answer = match command {
                Command::Publish(publication, reply) => {
                    let repeated = publication.by.as_ref().map(|by| self.sessions.duplicate_of(by)).transpose();
                    match repeated.map(Option::flatten) {
                        Ok(None) => {}
                        Ok(Some(cursor)) => {
                            answers.push(PendingReply::Published(reply, Ok(cursor)));
                            continue;
                        }
                        Err(error) => {
                            answers.push(PendingReply::Published(reply, Err(error)));
                            continue;
                        }
                    }
                    let stored = match self.catalog.publish(&mut tables, publication, now) {
                        Ok(stored) => stored,
                        Err(error) => {
                            // The transaction is given up: the catalog in memory may be ahead of it, and is read again.
                            answers.push(PendingReply::Published(reply, Err(error.clone())));
                            return Err(error);
                        }
                    };
                    if let Some(by) = &stored.by {
                        self.sessions.record_publish(by, stored.cursor);
                        answered.insert(by.session.clone());
                    }
                    let cursor = stored.cursor;
                    batch.stored.push(stored);
                    PendingReply::Published(reply, Ok(cursor))
                }
                Command::StoreSession(id, record, expiry, reply) => {
                    let stored = self.sessions.store(id.clone(), record, expiry, now);
                    let stored = stored.map(|evicted| {
                        records.extend(evicted);
                        records.insert(id);
                    });
                    PendingReply::Done(reply, stored)
                }
                Command::LoadSession(id, reply) => PendingReply::Loaded(reply, self.sessions.load(&id)),
                Command::RemoveSession(id, reply) => {
                    self.sessions.remove(&id);
                    records.insert(id);
                    PendingReply::Done(reply, Ok(()))
                }
                Command::Expire(reply) => PendingReply::Done(reply, Ok(())),
                Command::Check => continue,
            };
            answers.push(answer);
        }
        (batch.forgotten, batch.changed) = tables.finish()?;
        batch.is_dirty =
            !(batch.changed.is_empty() && batch.forgotten.is_empty() && records.is_empty() && answered.is_empty());
        write_sessions(&transaction, &self.sessions, &records, &answered)?;
        // An empty commit would cost a sync.
        if !batch.is_dirty && !is_sync_due {
            return transaction.abort().map_err(failed);
        }
        {
            let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
            numbers.insert(COMMITS, self.commits + 1).map_err(failed)?;
            if self.catalog.epoch() != epoch {
                numbers.insert(EPOCH, self.catalog.epoch()).map_err(failed)?;
            }
        }
        batch.is_committing = true;
        transaction.commit().map_err(failed)?;
        self.commits += 1;
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.shared.is_failing.store(false, Ordering::Relaxed);
        if !is_interval || is_sync_due {
            // Without the note, only damage to this very commit goes unnoticed.
            self.directory.note_commits(self.commits).unwrap_or_default();
        }
        self.sync_by = match self.shared.config.fsync {
            Fsync::Interval(interval) if !is_sync_due => {
                Some(self.sync_by.unwrap_or_else(|| Instant::now() + interval))
            }
            _ => None,
        };
        Ok(())
    }

    /// Makes a commit readable, and reports it to the listeners.
    fn report(&self, batch: &CommitBatch) {
        {
            let mut recent = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let empty = self.catalog.empty_history();
            recent.apply_commit(empty, &batch.forgotten, batch.changed.clone(), &batch.stored);
        }
        if batch.stored.is_empty() {
            return;
        }
        let listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in &*listeners {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listener.stored(&batch.stored))) {
                tracing::error!(panic = %panic_text(&*panic), "a listener of the journal panicked");
            }
        }
    }

    /// After an error the store fails until the file is opened again.
    fn close_and_reopen(&mut self) -> bool {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // The store writes when it is closed, and may fail again.
        drop(catch_unwind(AssertUnwindSafe(|| drop(database))));
        self.sync_by = None;
        self.retry = None;
        self.reopen()
    }

    fn reopen(&mut self) -> bool {
        let now = Instant::now();
        let pause = match self.retry {
            Some((at, _)) if now < at => return false,
            Some((_, pause)) => (pause * 2).min(LAST_RETRY),
            None => FIRST_RETRY,
        };
        match self.directory.open_file(&self.shared.config, false) {
            Ok(opened) => {
                self.retry = None;
                self.adopt(opened)
            }
            Err(error) => {
                tracing::warn!(%error, "the journal could not be opened again after a failure");
                self.retry = Some((Instant::now() + pause, pause));
                false
            }
        }
    }

    /// Continues with a file that was opened again.
    fn adopt(&mut self, opened: OpenedFile) -> bool {
        let OpenedFile { database, mut catalog, sessions, commits, corruption } = opened;
        // The channels of which more was reported to subscribers than the file has.
        let lost: Vec<_> = {
            let recent = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let is_behind = |name: &&ChannelName| {
                let (seen, stored) = (recent.history(name), catalog.history(name));
                seen.epoch() == stored.epoch() && seen.last.offset > stored.last.offset
            };
            recent.names().filter(is_behind).cloned().collect()
        };
        if !lost.is_empty()
            && let Err(error) = restart(&database, &mut catalog, &lost)
        {
            tracing::warn!(%error, "the journal could not be opened again after a failure");
            self.retry = Some((Instant::now() + FIRST_RETRY, FIRST_RETRY));
            return false;
        }
        *self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner) =
            RecentMessages::new(self.shared.config.recent_bytes, &catalog);
        self.shared.corruptions.lock().unwrap_or_else(PoisonError::into_inner).extend(corruption);
        (self.catalog, self.sessions, self.commits) = (catalog, sessions, commits);
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        true
    }
}

/// Gives another epoch to channels whose latest messages were lost: their subscribers have seen offsets that will be used again.
fn restart(database: &redb::Database, catalog: &mut Catalog, channels: &[ChannelName]) -> Result<(), BrokerError> {
    let transaction = begin(database).map_err(failed)?;
    let mut tables = MessageTables::open(&transaction)?;
    for name in channels {
        catalog.restart(&mut tables, name)?;
    }
    tables.finish()?;
    let mut numbers = transaction.open_table(NUMBERS).map_err(failed)?;
    numbers.insert(EPOCH, catalog.epoch()).map_err(failed)?;
    drop(numbers);
    transaction.commit().map_err(failed)
}

fn write_sessions(
    transaction: &redb::WriteTransaction,
    sessions: &SessionTable,
    records: &BTreeSet<SessionId>,
    answered: &BTreeSet<SessionId>,
) -> Result<(), BrokerError> {
    if records.is_empty() && answered.is_empty() {
        return Ok(());
    }
    let mut record_table = transaction.open_table(SESSIONS).map_err(failed)?;
    let mut answer_table = transaction.open_table(ANSWERS).map_err(failed)?;
    for id in records {
        match sessions.get(id) {
            Some(session) => drop(record_table.insert(id.as_str(), session_row(session).as_slice()).map_err(failed)?),
            None => drop(record_table.remove(id.as_str()).map_err(failed)?),
        }
    }
    for id in records.union(answered) {
        match sessions.get(id) {
            Some(session) if answered.contains(id) => {
                drop(answer_table.insert(id.as_str(), answers_row(&session.answers).as_slice()).map_err(failed)?);
            }
            Some(_) => {}
            None => drop(answer_table.remove(id.as_str()).map_err(failed)?),
        }
    }
    Ok(())
}

impl PendingReply {
    // A receiver that was dropped no longer needs the answer.
    fn send(self) {
        match self {
            Self::Published(reply, answer) => drop(reply.send(answer)),
            Self::Done(reply, answer) => drop(reply.send(answer)),
            Self::Loaded(reply, answer) => drop(reply.send(Ok(answer))),
        }
    }

    fn refuse(self, error: BrokerError) {
        match self {
            Self::Published(reply, _) => drop(reply.send(Err(error))),
            Self::Done(reply, _) => drop(reply.send(Err(error))),
            Self::Loaded(reply, _) => drop(reply.send(Err(error))),
        }
    }
}

fn unavailable(reason: &str) -> BrokerError {
    BrokerError::Unavailable { reason: reason.into() }
}

pub(super) type ReplySender<T> = oneshot::Sender<Result<T, BrokerError>>;

/// Work for the writer.
#[derive(Debug)]
pub(super) enum Command {
    Publish(Publication, ReplySender<Cursor>),
    StoreSession(SessionId, Bytes, SessionExpiry, ReplySender<()>),
    LoadSession(SessionId, ReplySender<Option<StoredSession>>),
    RemoveSession(SessionId, ReplySender<()>),
    /// Trim messages that have expired.
    Expire(ReplySender<()>),
    /// Open the file again, which checks it: a read has failed.
    Check,
}

impl Command {
    fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Publish(publication, _) => Stored::size_of(0, publication.payload.as_ref().map_or(0, Message::len)),
            Self::StoreSession(_, record, ..) => record.len(),
            _ => 0,
        };
        bytes as u64
    }

    /// Answers without having done the work.
    pub(super) fn refuse(self, error: BrokerError) {
        match self {
            Self::Publish(_, reply) => drop(reply.send(Err(error))),
            Self::StoreSession(.., reply) | Self::RemoveSession(_, reply) | Self::Expire(reply) => {
                drop(reply.send(Err(error)));
            }
            Self::LoadSession(_, reply) => drop(reply.send(Err(error))),
            Self::Check => {}
        }
    }
}

/// The bounded queue of commands for the writer.
#[derive(Debug)]
pub(super) struct CommandQueue {
    limit: usize,
    limit_bytes: u64,
    state: Mutex<QueueState>,
    /// Something waits, or the queue was closed.
    filled: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    commands: VecDeque<Command>,
    bytes: u64,
    is_closed: bool,
    /// The wakers of publishers that wait until there is room.
    wakers: Vec<Waker>,
}

impl CommandQueue {
    pub(super) fn new(limit: usize, limit_bytes: u64) -> Self {
        Self { limit: limit.max(1), limit_bytes, state: Mutex::default(), filled: Condvar::new() }
    }

    /// Queues a command, or refuses it.
    pub(super) fn push(&self, command: Command) {
        self.push_all([command]);
    }

    /// Queues commands that the writer commits together as far as its limits allow, and refuses those that do not fit.
    pub(super) fn push_all(&self, commands: impl IntoIterator<Item = Command>) {
        let mut refused = Vec::new();
        let mut state = self.state();
        let was_empty = state.commands.is_empty();
        for command in commands {
            let bytes = command.bytes();
            let is_full = state.commands.len() >= self.limit || state.bytes + bytes > self.limit_bytes;
            if state.is_closed {
                refused.push((command, BrokerError::Closed));
            } else if is_full && !state.commands.is_empty() {
                refused.push((command, BrokerError::Busy));
            } else {
                state.bytes += bytes;
                state.commands.push_back(command);
            }
        }
        if was_empty {
            self.filled.notify_one();
        }
        drop(state);
        refused.into_iter().for_each(|(command, error)| command.refuse(error));
    }

    /// Takes up to `count` commands of about `bytes` bytes in total, as soon as there is one. Empty after the timeout. `None` once the
    /// queue is closed and empty.
    pub(super) fn take(&self, count: usize, bytes: u64, timeout: Duration) -> Option<Vec<Command>> {
        let state = self.state();
        let is_idle = |state: &mut QueueState| state.commands.is_empty() && !state.is_closed;
        let waited = self.filled.wait_timeout_while(state, timeout, is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.commands.is_empty() && state.is_closed {
            return None;
        }
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        while taken.len() < count && taken_bytes < bytes {
            let Some(command) = state.commands.pop_front() else { break };
            taken_bytes += command.bytes();
            taken.push(command);
        }
        state.bytes -= taken_bytes;
        if self.has_room(&state) {
            state.wakers.drain(..).for_each(Waker::wake);
        }
        Some(taken)
    }

    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if self.has_room(&state) || state.is_closed {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waiting| waiting.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn len(&self) -> usize {
        self.state().commands.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Refuses further work. What waits is still taken.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.wakers.drain(..).for_each(Waker::wake);
        self.filled.notify_all();
    }

    fn has_room(&self, state: &QueueState) -> bool {
        state.commands.len() <= self.limit / 2 && state.bytes <= self.limit_bytes / 2
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

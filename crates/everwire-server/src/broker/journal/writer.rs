use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use everwire_core::protocol::Cursor;
use redb::Durability;

use super::config::{Corruption, Fsync, JournalConfig};
use super::database::{Directory, Opened, begin, panic_text};
use super::queue::{Command, Queue, Reply};
use super::reader::SharedDatabase;
use super::recent::Recent;
use super::rows::{answers_row, session_row};
use super::tables::{ANSWERS, COMMITS, EPOCH, MessageTables, NUMBERS, SESSIONS, failed};
use crate::broker::api::Listener;
use crate::broker::catalog::{Catalog, Channel};
use crate::broker::error::BrokerError;
use crate::broker::message::Stored;
use crate::broker::names::{ChannelName, SessionId};
use crate::broker::sessions::{Sessions, StoredSession};

/// The most that one transaction takes.
const BATCH: usize = 512;
const BATCH_BYTES: u64 = 4 << 20;
/// The longest pause without a look at what has become too old.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a file that cannot be opened is left alone, at first and at most.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// The file is checked at most this often because reads fail.
const CHECK_PAUSE: Duration = Duration::from_secs(30);

/// What the writer shares with those who publish and read.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: JournalConfig,
    pub(super) queue: Queue,
    pub(super) recent: Mutex<Recent>,
    pub(super) listeners: Mutex<Vec<Arc<dyn Listener>>>,
    pub(super) corruptions: Mutex<Vec<Corruption>>,
    pub(super) commits: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) is_failing: AtomicBool,
}

/// Stores what waits, one transaction after another.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    directory: Directory,
    database: SharedDatabase,
    catalog: Catalog,
    sessions: Sessions,
    /// The number of the latest commit.
    commits: u64,
    /// When what is committed has to be on the disk.
    sync_by: Option<Instant>,
    /// When to try to open the file again, and the pause after that.
    retry: Option<(Instant, Duration)>,
    /// When the file was checked because a read had failed.
    checked: Option<Instant>,
}

/// An answer that is sent after the commit.
enum Answer {
    Published(Reply<Cursor>, Result<Cursor, BrokerError>),
    Done(Reply<()>, Result<(), BrokerError>),
    Loaded(Reply<Option<StoredSession>>, Option<StoredSession>),
}

/// What one transaction has done.
#[derive(Default)]
struct Batch {
    stored: Vec<Arc<Stored>>,
    changed: Vec<Channel>,
    forgotten: Vec<ChannelName>,
    /// Whether there is something to commit.
    is_dirty: bool,
    /// The commit was begun, so that after an error only the file shows whether it was done.
    is_committing: bool,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        directory: Directory,
        database: SharedDatabase,
        opened: (Catalog, Sessions, u64),
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
                    self.work(commands);
                }
            } else {
                self.shared.is_failing.store(true, Ordering::Relaxed);
                let error = unavailable("the journal could not be opened again after a failure");
                commands.into_iter().for_each(|command| command.refuse(error.clone()));
            }
        }
        if self.sync_by.is_some() {
            self.work(Vec::new());
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

    /// When something becomes too old next, in milliseconds since 1970.
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
    fn work(&mut self, commands: Vec<Command>) {
        let mut batch = Batch::default();
        let mut answers = Vec::with_capacity(commands.len());
        let mut commands = commands.into_iter();
        let result = catch_unwind(AssertUnwindSafe(|| self.commit(&mut commands, &mut answers, &mut batch)));
        let result = result.unwrap_or_else(|panic| Err(BrokerError::Unavailable { reason: panic_text(&*panic) }));
        let error = match result {
            Ok(()) => {
                self.publish(&batch);
                return answers.into_iter().for_each(Answer::send);
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
                    (batch.changed, batch.forgotten) = Default::default();
                    self.publish(&batch);
                    return answers.into_iter().for_each(Answer::send);
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
        answers: &mut Vec<Answer>,
        batch: &mut Batch,
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
        while let Some(id) = self.sessions.pop_expired(now) {
            records.insert(id);
        }
        self.catalog.expire(&mut tables, now)?;
        for command in commands {
            let answer = match command {
                Command::Publish(publication, reply) => {
                    let repeated = publication.by.as_ref().map(|by| self.sessions.repeated(by)).transpose();
                    match repeated.map(Option::flatten) {
                        Ok(None) => {}
                        Ok(Some(cursor)) => {
                            answers.push(Answer::Published(reply, Ok(cursor)));
                            continue;
                        }
                        Err(error) => {
                            answers.push(Answer::Published(reply, Err(error)));
                            continue;
                        }
                    }
                    let stored = match self.catalog.publish(&mut tables, publication, now) {
                        Ok(stored) => stored,
                        Err(error) => {
                            answers.push(Answer::Published(reply, Err(error.clone())));
                            return Err(error);
                        }
                    };
                    if let Some(by) = &stored.by {
                        self.sessions.stored(by, stored.cursor);
                        answered.insert(by.session.clone());
                    }
                    let cursor = stored.cursor;
                    batch.stored.push(stored);
                    Answer::Published(reply, Ok(cursor))
                }
                Command::StoreSession(id, record, expiry, reply) => {
                    let stored = self.sessions.store(id.clone(), record, expiry, now);
                    let stored = stored.map(|evicted| {
                        records.extend(evicted);
                        records.insert(id);
                    });
                    Answer::Done(reply, stored)
                }
                Command::LoadSession(id, reply) => Answer::Loaded(reply, self.sessions.load(&id)),
                Command::RemoveSession(id, reply) => {
                    self.sessions.remove(&id);
                    records.insert(id);
                    Answer::Done(reply, Ok(()))
                }
                Command::Expire(reply) => Answer::Done(reply, Ok(())),
                Command::Check => continue,
            };
            answers.push(answer);
        }
        (batch.forgotten, batch.changed) = tables.finish()?;
        batch.is_dirty =
            !(batch.changed.is_empty() && batch.forgotten.is_empty() && records.is_empty() && answered.is_empty());
        write_sessions(&transaction, &self.sessions, &records, &answered)?;
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
    fn publish(&self, batch: &Batch) {
        {
            let mut recent = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let empty = self.catalog.empty_history();
            recent.committed(empty, &batch.forgotten, batch.changed.clone(), &batch.stored);
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

    /// The store works no more after an error until the file is opened again.
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

    /// Goes on with a file that was opened again.
    fn adopt(&mut self, opened: Opened) -> bool {
        let Opened { database, mut catalog, sessions, commits, corruption } = opened;
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
            Recent::new(self.shared.config.recent_bytes, &catalog);
        self.shared.corruptions.lock().unwrap_or_else(PoisonError::into_inner).extend(corruption);
        (self.catalog, self.sessions, self.commits) = (catalog, sessions, commits);
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        true
    }
}

/// Gives channels another epoch whose latest messages were lost: their subscribers have seen offsets that will be used again.
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
    sessions: &Sessions,
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

impl Answer {
    // A receiver that was dropped does not want the answer.
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

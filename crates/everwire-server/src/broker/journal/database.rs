//! The journal's settings and errors, and its file: opened, created, and moved aside when it is corrupt.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageError, WriteTransaction};

use super::tables::{
    ANSWERS, CHANNELS, COMMITS, EPOCH, LATEST, MESSAGES, NUMBERS, SESSIONS, VERSION, read_answers, read_channel_row,
    read_session, session_row,
};
use crate::broker::api::BrokerConfig;
use crate::broker::catalog::{Catalog, SessionTable, new_epoch};
use crate::broker::message::SessionId;

/// When a publish is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Before it resolves. It then survives a killed process, a crash of the system and a power loss, as far as the disk keeps what it
    /// has confirmed.
    #[default]
    Always,
    /// At most this much later. Faster on a slow disk. If the process is killed, the system crashes or power is lost, all publishes since
    /// the last sync are lost, and clients that have received them get a gap with the reason `rewritten`. An orderly shutdown loses
    /// nothing.
    Interval(Duration),
}

/// Settings of a [`Journal`](super::Journal).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JournalConfig {
    /// Limits on what is stored. [`BrokerConfig::bytes`] is 1 GiB by default here; the file takes up to about twice as much and some
    /// megabytes, and does not shrink. Sessions are held in memory too: 2 KiB for each with 64 answers.
    pub broker: BrokerConfig,
    /// When a message is on the disk.
    pub fsync: Fsync,
    /// The greatest size of the recent messages that are cached in memory, in bytes, [as each counts](crate::broker::Stored::size), so
    /// that a resume rarely reads from the disk. 64 MiB by default.
    pub recent_bytes: u64,
    /// The size of the file's page cache in bytes. 64 MiB by default.
    pub cache_bytes: usize,
    /// The greatest number of queued publications: more fail with [`BrokerError::Busy`](crate::broker::BrokerError::Busy). From half of
    /// it on, `poll_ready` is pending. 65,536 by default.
    pub queue: usize,
    /// The same in bytes. 64 MiB by default.
    pub queue_bytes: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            broker: BrokerConfig { bytes: 1 << 30, ..BrokerConfig::default() },
            fsync: Fsync::Always,
            recent_bytes: 64 << 20,
            cache_bytes: 64 << 20,
            queue: 1 << 16,
            queue_bytes: 64 << 20,
        }
    }
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process, or another [`Journal`](super::Journal) of this one, has it open.
    #[error("the journal {} is in use: stop the other server, or choose another directory", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory or the file could not be used.
    #[error("the journal {} cannot be opened: {source}; check the permissions and the space", .path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// It was written by a later version of everwire.
    #[error("the journal {} has format {version}, which this version cannot read: update it, or choose another directory", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The format that it has.
        version: u64,
    },
}

/// A file that was corrupt. A new history has begun in its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Corruption {
    /// What was found.
    pub reason: Arc<str>,
    /// Where the file was moved to: next to the journal, with the time in UTC in its name. The store may have tried to repair it.
    pub moved_to: PathBuf,
}

/// Counters of a [`Journal`](super::Journal) since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalStats {
    /// Transactions that were committed.
    pub commits: u64,
    /// Times that committing failed.
    pub failures: u64,
    /// Whether the latest attempt to store something failed, and none has succeeded since.
    pub is_failing: bool,
    /// Reads that went to the file.
    pub disk_reads: u64,
    /// Publications and other work that waits to be stored.
    pub queued: usize,
}

/// The format of the rows.
const FORMAT: u64 = 1;
const FILE_NAME: &str = "journal.redb";
/// A file that is not complete yet. A file with the final name is a whole database, so that an empty one is known to be corrupt.
const NEW_FILE_NAME: &str = "journal.redb.new";
const LOCK_FILE_NAME: &str = "lock";

/// A journal's directory, which only this process uses.
#[derive(Debug)]
pub(super) struct JournalDirectory {
    path: PathBuf,
    /// Locked until it is dropped. It holds the number of the latest commit. To the store, a last commit that is damaged later looks like one
    /// that was interrupted: it goes back to the commit before. By this number we can distinguish them, at the cost of a write without a
    /// sync, where commits in two phases would take a second sync.
    lock: File,
}

/// An open file, and what is kept of it in memory.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) database: Database,
    pub(super) catalog: Catalog,
    pub(super) sessions: SessionTable,
    /// The number of the latest commit.
    pub(super) commits: u64,
    /// The file that was there is corrupt.
    pub(super) corruption: Option<Corruption>,
}

/// Why a file could not be opened.
#[derive(Debug)]
enum OpenError {
    Corrupt(Arc<str>),
    Version(u64),
    InUse,
    Io(io::Error),
}

impl JournalDirectory {
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock_path = path.join(LOCK_FILE_NAME);
        let lock =
            File::options().create(true).truncate(false).read(true).write(true).open(lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn file(&self) -> PathBuf {
        self.path.join(FILE_NAME)
    }

    /// Opens the file, or begins one. `is_start`: the process has just begun, and no session is attached.
    pub(super) fn open_file(&self, config: &JournalConfig, is_start: bool) -> Result<OpenedFile, JournalError> {
        let file = self.file();
        let failed = |source| JournalError::Io { path: file.clone(), source };
        let mut corruption = None;
        if file.try_exists().map_err(failed)? {
            let noted = self.noted_commits();
            match catch_panic(|| open(&file, config, is_start, noted)) {
                Ok(opened) => return Ok(opened),
                Err(OpenError::Corrupt(reason)) => {
                    let moved_to = self.move_aside(&file, config.broker.now()).map_err(failed)?;
                    tracing::error!(
                        file = %file.display(), %reason, moved_to = %moved_to.display(),
                        "the journal is corrupt: it was moved aside, and another history begins"
                    );
                    corruption = Some(Corruption { reason, moved_to });
                }
                Err(OpenError::Version(version)) => return Err(JournalError::Version { path: file, version }),
                Err(OpenError::InUse) => return Err(JournalError::InUse { path: file }),
                Err(OpenError::Io(source)) => return Err(failed(source)),
            }
        }
        self.create(config).map_err(failed)?;
        match catch_panic(|| open(&file, config, is_start, 0)) {
            Ok(opened) => Ok(OpenedFile { corruption, ..opened }),
            Err(error) => Err(failed(io::Error::other(format!("a new file cannot be opened: {error:?}")))),
        }
    }

    /// Writes a file without messages. It gets its name when it is complete and on the disk.
    fn create(&self, config: &JournalConfig) -> io::Result<()> {
        let new = self.path.join(NEW_FILE_NAME);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let write = || -> Result<(), redb::Error> {
            let database = builder(config).create(&new)?;
            let transaction = database.begin_write()?;
            {
                let mut numbers = transaction.open_table(NUMBERS)?;
                numbers.insert(VERSION, FORMAT)?;
                numbers.insert(EPOCH, new_epoch())?;
                numbers.insert(COMMITS, 0)?;
                // So that readers never find a table missing.
                transaction.open_table(CHANNELS)?;
                transaction.open_table(MESSAGES)?;
                transaction.open_table(LATEST)?;
                transaction.open_table(SESSIONS)?;
                transaction.open_table(ANSWERS)?;
            }
            transaction.commit()?;
            database.close()?;
            Ok(())
        };
        write().map_err(|error| match error {
            redb::Error::Io(error) => error,
            other => io::Error::other(other),
        })?;
        self.note_commits(0)?;
        fs::rename(&new, self.file())?;
        self.sync()
    }

    /// Notes that a commit is on the disk. The note itself need not be: one that is too low does no harm.
    pub(super) fn note_commits(&self, commits: u64) -> io::Result<()> {
        let mut file = &self.lock;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[commits.to_le_bytes(), (!commits).to_le_bytes()].concat())
    }

    /// The number of the latest commit that was noted; 0 if the note cannot be read.
    fn noted_commits(&self) -> u64 {
        let mut note = [0; 16];
        let mut file = &self.lock;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_exact(&mut note));
        let [commits, check] = [0, 8].map(|at| note[at..].first_chunk().copied().map_or(0, u64::from_le_bytes));
        if read.is_ok() && check == !commits { commits } else { 0 }
    }

    fn move_aside(&self, file: &Path, now: u64) -> io::Result<PathBuf> {
        let mut moved_to = self.path.join(format!("{FILE_NAME}.corrupt-{}", utc(now)));
        let mut count = 1;
        while moved_to.try_exists()? {
            count += 1;
            moved_to = self.path.join(format!("{FILE_NAME}.corrupt-{}-{count}", utc(now)));
        }
        fs::rename(file, &moved_to)?;
        self.sync()?;
        Ok(moved_to)
    }

    /// Makes the names in the directory durable.
    fn sync(&self) -> io::Result<()> {
        // Windows opens no directories, and needs no sync of them.
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }
}

fn builder(config: &JournalConfig) -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(config.cache_bytes);
    // Without it, the store trusts a file that was closed in an orderly way, and may panic where that is corrupt.
    builder.set_check_integrity_on_open(true);
    builder
}

/// Begins a transaction whose commit is on the disk when it returns.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    Ok(transaction)
}

/// Turns a panic of the store into an error: it checks much, but not all of what a corrupt file can hold.
fn catch_panic<T>(work: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(OpenError::Corrupt(panic_text(&*panic))))
}

/// What a panic says.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> Arc<str> {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the store panicked").into()
}

/// `noted` commits have been on the disk.
fn open(file: &Path, config: &JournalConfig, is_start: bool, noted: u64) -> Result<OpenedFile, OpenError> {
    let database = builder(config).open(file)?;
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let numbers = transaction.open_table(NUMBERS).map_err(redb::Error::from)?;
    let number = |name| -> Result<u64, OpenError> {
        let number = numbers.get(name).map_err(redb::Error::from)?;
        number.map(|number| number.value()).ok_or_else(|| OpenError::Corrupt(format!("{name} is missing").into()))
    };
    let version = number(VERSION)?;
    if version != FORMAT {
        return Err(OpenError::Version(version));
    }
    let commits = number(COMMITS)?;
    if commits < noted {
        return Err(OpenError::Corrupt(format!("the last {} commits are missing", noted - commits).into()));
    }
    let mut channels = Vec::new();
    let table = transaction.open_table(CHANNELS).map_err(redb::Error::from)?;
    for row in table.iter().map_err(redb::Error::from)? {
        let (id, row) = row.map_err(redb::Error::from)?;
        channels.push(read_channel_row(row.value(), id.value()).ok_or_else(unreadable_row)?);
    }
    let catalog = Catalog::load(config.broker.clone(), number(EPOCH)?, channels);

    let mut sessions = SessionTable::new(config.broker.sessions, config.broker.answers);
    let mut kept = Vec::new();
    let answers = transaction.open_table(ANSWERS).map_err(redb::Error::from)?;
    let table = transaction.open_table(SESSIONS).map_err(redb::Error::from)?;
    let now = config.broker.now();
    for row in table.iter().map_err(redb::Error::from)? {
        let (id, row) = row.map_err(redb::Error::from)?;
        let answers = answers.get(id.value()).map_err(redb::Error::from)?;
        let answers = answers.map(|row| read_answers(row.value()).ok_or_else(unreadable_row)).transpose()?;
        let id = SessionId::try_from(id.value()).map_err(|_| unreadable_row())?;
        let mut session = read_session(row.value(), answers.unwrap_or_default()).ok_or_else(unreadable_row)?;
        if is_start {
            // No client could resume while the server was down.
            let expires = now.saturating_add(session.keep);
            session.expires = Some(session.expires.map_or(expires, |stored| stored.max(expires)));
            kept.push((id.clone(), session_row(&session)));
        }
        sessions.restore(id, session);
    }
    drop((transaction, numbers, answers, table));
    if !kept.is_empty() {
        let transaction = begin(&database)?;
        let mut table = transaction.open_table(SESSIONS).map_err(redb::Error::from)?;
        for (id, row) in kept {
            table.insert(id.as_str(), row.as_slice()).map_err(redb::Error::from)?;
        }
        drop(table);
        transaction.commit().map_err(redb::Error::from)?;
    }
    Ok(OpenedFile { database, catalog, sessions, commits, corruption: None })
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            // Nothing was written in an older format of the store: the bytes that name the format are damaged.
            DatabaseError::UpgradeRequired(_) => Self::Corrupt(error.to_string().into()),
            DatabaseError::Storage(StorageError::Io(error)) => Self::from(error),
            other => Self::Corrupt(other.to_string().into()),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Not a database, or cut off.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Corrupt(error.to_string().into()),
            _ => Self::Io(error),
        }
    }
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::from(error),
            redb::Error::PreviousIo => Self::Io(io::Error::other(error)),
            other => Self::Corrupt(other.to_string().into()),
        }
    }
}

fn unreadable_row() -> OpenError {
    OpenError::Corrupt("a row cannot be read".into())
}

/// A time in UTC for the name of a file: `20261130T130800Z`.
fn utc(millis: u64) -> String {
    let seconds = millis / 1000;
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let day = days + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_panics_has_a_corrupt_file() {
        let error = catch_panic::<()>(|| panic!("page {} is not allocated", 7)).unwrap_err();
        assert!(matches!(&error, OpenError::Corrupt(reason) if &**reason == "page 7 is not allocated"), "{error:?}");
    }

    #[test]
    fn the_time_in_a_name_is_in_utc() {
        assert_eq!(utc(0), "19700101T000000Z");
        assert_eq!(utc(951_827_696_789), "20000229T123456Z");
        assert_eq!(utc(1_795_219_199_999), "20261120T235959Z");
        assert_eq!(utc(1_798_761_600_000), "20270101T000000Z");
    }
}

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::config::BrokerConfig;

/// When what was published is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Before its publish resolves. Survives the end of the process in any way, a crash of the system and a power loss, as far as the
    /// disk keeps what it has confirmed.
    #[default]
    Always,
    /// At most this much later. Faster on a slow disk. A process that is killed, a crash and a power loss take back what was published
    /// since: all of it, as if it had not happened, and clients that have seen it get a gap, `rewritten`. An orderly end loses
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
    /// The most bytes of recent messages that are also held in memory, [as each counts](crate::broker::Stored::size), so that a resume
    /// rarely reads from the disk. 64 MiB by default.
    pub recent_bytes: u64,
    /// The most bytes of the file that are cached. 64 MiB by default.
    pub cache_bytes: usize,
    /// The most publications that may wait to be stored: beyond it [`BrokerError::Busy`](crate::broker::BrokerError::Busy). From half of
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
    /// A later version of everwire has written it.
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
    /// Where the file was moved to: beside the journal, with the time in UTC in its name. The store may have tried to repair it.
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

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::Unusable;
use crate::chart::ChartError;
use crate::workers::WorkerError;

/// Why there is no result, or not all of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The flags.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// A worker process.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// No connection could be opened.
    #[error("no connection to {url} could be opened:{reasons}\nIs the server running there, and is this its address?")]
    NoConnection {
        /// The address of the server.
        url: String,
        /// The reasons, and how often each occurred.
        reasons: String,
    },
    /// `--payload`.
    #[error(
        "a message of --payload {payload} is too large to come back ({reason}): use a smaller one, or raise the limit of the server"
    )]
    TooLarge {
        /// How many bytes the messages have.
        payload: usize,
        /// How that is known.
        reason: String,
    },
    /// `--server-pid`.
    #[error("there is no process {0}: leave out --server-pid to watch the process that listens on the server's port")]
    NoProcess(u32),
    /// `--json` or `--charts`.
    #[error("cannot write {}: {error}; name another place", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `--json -`, whose reader has closed stdout.
    #[error("stdout was closed before the end of the run")]
    Unread,
    /// `--charts`.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// Signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] ctrlc::Error),
}

//! The errors of a run and of its command line. Each says what to do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::chart::ChartError;

/// A run has no result, or an incomplete one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The arguments are invalid.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A worker process failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// No connection could be opened.
    #[error("no connection to {url} could be opened:{reasons}\nIs the server running there, and is this its address?")]
    NoConnection {
        /// The address of the server.
        url: String,
        /// The reasons, with the number of times.
        reasons: String,
    },
    /// A message of `--payload` bytes is too large for the server or for this side.
    #[error(
        "a message of --payload {payload} is too large to come back ({reason}): use a smaller one, or raise the limit of the server"
    )]
    TooLarge {
        /// The payload in bytes.
        payload: usize,
        /// The cause of the disconnect.
        reason: String,
    },
    /// `--server-pid` names no process.
    #[error("there is no process {0}: leave out --server-pid to watch the process that listens on the server's port")]
    NoProcess(u32),
    /// Results could not be written.
    #[error("cannot write {}: {error}; name another place", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The reader of `--json -` closed stdout.
    #[error("stdout was closed before the end of the run")]
    StdoutClosed,
    /// A chart could not be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The signal handler could not be installed.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] ctrlc::Error),
}

/// A worker process failed, so the result is incomplete.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A worker could not be started.
    #[error("cannot start a worker process: {0}")]
    Start(#[source] io::Error),
    /// A worker exited early.
    #[error(
        "worker process {number} has ended ({problem}): its output is above; if the system has killed it, memory may be short: use fewer --connections or a smaller --payload"
    )]
    Exited {
        /// The number of the worker, from 1.
        number: usize,
        /// Its exit status, or the error.
        problem: String,
    },
}

/// The arguments parse, but do not make a valid run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UsageError {
    /// A flag that only applies to subscribers, without any.
    #[error("{flag} is for subscribers, and there are none: add --subscribers SHARE")]
    NoSubscribers {
        /// The flag.
        flag: &'static str,
    },
    /// Subscribers without a publisher.
    #[error("the subscribers would receive nothing: leave out --publishers 0")]
    NoPublishers,
    /// An invalid address. The message does not repeat it, since it may contain credentials.
    #[error("{flag}: {problem}")]
    Address {
        /// The flag.
        flag: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An invalid header. The message does not repeat the value, since it may be a credential.
    #[error("--header: {problem}")]
    Header {
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file of root certificates that cannot be used.
    #[error("--root-certificates {}: {problem}", file.display())]
    RootCertificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Invalid subprotocols.
    #[error("--subprotocol: {0}")]
    Protocols(#[from] everwire::ProtocolsError),
    /// `--binary` with a dialect that is text.
    #[error("--binary is for --dialect plain: the others wrap messages in text")]
    Binary,
    /// More connections per process than it may open files.
    #[error(
        "a process may hold {most} connections here (the limit on open files, `ulimit -n`): use --processes {needed}, or leave it out"
    )]
    OpenFiles {
        /// How many connections a process may hold.
        most: u32,
        /// How many processes are needed.
        needed: u32,
    },
    /// More connections per address than it has ports.
    #[error(
        "one address of this machine can open {each} connections to a server (net.ipv4.ip_local_port_range), and {needed} are needed: name more addresses of it by --source-address IP,IP, or run on several machines"
    )]
    Ports {
        /// How many connections one address can open.
        each: u32,
        /// How many it would have to open.
        needed: u32,
    },
}

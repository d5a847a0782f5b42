//! Command line flags and a log for the binary of a server: what does not depend on the application.
//!
//! Flatten [`ServerFlags`] into the application's own [`clap`] parser, and build the [`Everwire`] and the [`Server`] from them:
//!
//! ```no_run
//! use clap::Parser;
//! use everwire_server::cli::ServerFlags;
//! use everwire_server::Server;
//!
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     server: ServerFlags,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Cli { server } = Cli::parse();
//! let everwire = server.builder()?.build();
//! let server = Server::bind(&everwire, server.config()?).await?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! [`Everwire`]: crate::Everwire
//! [`Server`]: crate::Server

mod flags;
mod log;

use std::time::Duration;

use crate::serve::StopSignal;

pub use flags::{LimitFlags, ServerFlags, TlsFlags, UnusableFlags, parse_positive_seconds, parse_seconds, parse_size};
pub use log::Log;

/// Waits for the signal that stops a server, for [`Server::run_until`](crate::Server::run_until). Once more, and the process ends at once with
/// the status 1. It needs tokio's runtime.
pub async fn stop_requested(mut stop: StopSignal, drain: Duration, log: Log) {
    stop.received().await;
    tracing::info!("stopping; sockets close within {} s, once more stops at once", drain.as_secs_f64());
    tokio::spawn(async move {
        stop.received_again().await;
        log.flush();
        std::process::exit(1);
    });
}

/// Makes writes beyond the limit on file sizes (`ulimit -f`) fail, as on a full disk. Without a handler, the signal would end the
/// process. It needs tokio's runtime; on systems that are not Unix it does nothing.
pub fn outlive_large_files() {
    #[cfg(unix)]
    if let Err(error) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ)) {
        tracing::warn!("files that grow too large would end the server: {error}");
    }
}

/// Raises the process's limit on open files to its hard limit. Many systems start programs with 1,024 and permit far more.
pub fn raise_open_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!("the system permits {limit} open files, of which each connection is one"),
        // The server works with fewer connections.
        Err(error) => tracing::warn!("the limit on open files cannot be raised: {error}"),
    }
}

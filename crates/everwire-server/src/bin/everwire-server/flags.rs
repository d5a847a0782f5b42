use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use everwire_server::broker::{Fsync, JournalConfig};
use everwire_server::cli::{ServerFlags, parse_positive_seconds};

/// The channel server of Everwire: channels by everwire.v1 for clients, beside a back end in any language.
///
/// Clients connect to ws://127.0.0.1:9001/everwire. To try it without rules: everwire-server --allow-all
#[derive(Clone, Debug, Parser)]
#[command(name = "everwire-server", version, max_term_width = 110)]
pub(crate) struct Flags {
    /// Let every client use every channel. For development only.
    #[arg(long, required = true)]
    pub(crate) allow_all: bool,

    /// The silence after which clients send a ping: shorter than what proxies on the way cut. A connection that is silent for three
    /// times as long is closed.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = parse_positive_seconds)]
    pub(crate) heartbeat: Duration,

    #[command(flatten)]
    pub(crate) journal: JournalFlags,

    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

/// Where messages and sessions are kept.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Journal")]
pub(crate) struct JournalFlags {
    /// Keep messages and sessions in this directory, so that clients miss nothing over a restart of the server. Without it they are
    /// kept in memory, and a restart is a gap for every client.
    #[arg(long, value_name = "DIR")]
    pub(crate) journal: Option<PathBuf>,

    /// When a publish is written to the disk: `always` before it is acknowledged; `interval` within `--fsync-interval`, which is
    /// faster on slow disks and loses the messages of that time when the server is killed.
    #[arg(long, value_name = "WHEN", default_value = "always", requires = "journal")]
    pub(crate) fsync: FsyncFlag,

    /// The interval of `--fsync interval`.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_positive_seconds, requires = "journal")]
    pub(crate) fsync_interval: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FsyncFlag {
    Always,
    Interval,
}

impl JournalFlags {
    pub(crate) fn config(&self) -> JournalConfig {
        let mut config = JournalConfig::default();
        config.fsync = match self.fsync {
            FsyncFlag::Always => Fsync::Always,
            FsyncFlag::Interval => Fsync::Interval(self.fsync_interval),
        };
        config
    }
}

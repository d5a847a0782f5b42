use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use everwire_server::broker::{Fsync, JournalConfig};
use everwire_server::cli::{ServerFlags, parse_positive_seconds};

use crate::keys::KeyFlags;

const EXAMPLES: &str = "\
To try it:      everwire-server --allow-all --api-key secret
In production:  everwire-server --config everwire.toml --journal data --api-key-file api-key";

/// The channel server of Everwire, beside a back end in any language.
///
/// Clients connect to ws://127.0.0.1:9001/everwire, publish and subscribe to channels, and miss nothing while they reconnect. Back ends
/// publish by HTTP: POST /api/channels/NAME/messages. /healthz and /metrics answer HTTP as well.
#[derive(Debug, Parser)]
#[command(name = "everwire-server", version, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// File with the rules: who may use which channels, and how much history each has.
    #[arg(long, value_name = "FILE", conflicts_with = "allow_all")]
    pub(crate) config: Option<PathBuf>,

    /// Let every client use every channel, instead of rules. For development only.
    #[arg(long)]
    pub(crate) allow_all: bool,

    /// The silence after which clients send a ping: shorter than what proxies on the way cut. A connection that is silent for three
    /// times as long is closed.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = parse_positive_seconds)]
    pub(crate) heartbeat: Duration,

    #[command(flatten)]
    pub(crate) journal: JournalFlags,

    #[command(flatten)]
    pub(crate) api: ApiFlags,

    #[command(flatten, next_help_heading = "Connections")]
    pub(crate) server: ServerFlags,
}

/// Where messages and sessions are kept.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Journal")]
pub(crate) struct JournalFlags {
    /// Keep messages and sessions in this directory, so that clients miss nothing over a restart of the server. Without it they are
    /// kept in memory, and a restart is a gap for every client.
    #[arg(long, value_name = "DIR")]
    pub(crate) journal: Option<PathBuf>,

    /// When a publish is written to the disk: `always` before it is acknowledged, `interval` within --fsync-interval. That is faster on a
    /// slow disk; a server that is killed then takes back what was published since, and clients that have seen it get a gap.
    #[arg(long, value_name = "WHEN", default_value = "always", requires = "journal")]
    pub(crate) fsync: FsyncFlag,

    /// The interval of --fsync interval.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_positive_seconds, requires = "journal")]
    pub(crate) fsync_interval: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FsyncFlag {
    Always,
    Interval,
}

/// The HTTP API for back ends.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP API")]
pub(crate) struct ApiFlags {
    #[command(flatten)]
    pub(crate) keys: KeyFlags,

    /// Address for the API and /metrics alone, which --listen does not serve then: for a port that only back ends reach.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) api_listen: Option<SocketAddr>,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }
}

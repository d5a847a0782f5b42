//! The command line, and the keys of the HTTP API that it, files and the environment name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io};

use axum::http::{HeaderMap, header};
use clap::{Args, Parser, ValueEnum};
use everwire_server::broker::{Fsync, JournalConfig};
use everwire_server::cli::{ServerFlags, parse_positive_seconds};

use crate::access::SecretDigest;

const EXAMPLES: &str = "\
To try it:      everwire-server --allow-all --api-key secret
In production:  everwire-server --config everwire.toml --journal data --api-key-file api-key";

/// The channel server of Everwire, for back ends in any language.
///
/// Clients connect to ws://127.0.0.1:9001/everwire, publish and subscribe to channels, and miss nothing while they reconnect. Back ends
/// publish over HTTP: POST /api/channels/NAME/messages. /healthz and /metrics are served as well.
#[derive(Debug, Parser)]
#[command(name = "everwire-server", version, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// File with the rules: who may use which channels, and how much history each has.
    #[arg(long, value_name = "FILE", conflicts_with = "allow_all")]
    pub(crate) config: Option<PathBuf>,

    /// Let every client use every channel, instead of rules. For development only.
    #[arg(long)]
    pub(crate) allow_all: bool,

    /// Idle time after which clients send a ping; choose it shorter than the idle timeout of proxies on the way. A connection that is
    /// idle for three times as long is closed.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = parse_positive_seconds)]
    pub(crate) heartbeat: Duration,

    #[command(flatten)]
    pub(crate) journal: JournalFlags,

    #[command(flatten)]
    pub(crate) api: ApiFlags,

    #[command(flatten, next_help_heading = "Connections")]
    pub(crate) server: ServerFlags,
}

/// Where messages and sessions are stored.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Journal")]
pub(crate) struct JournalFlags {
    /// Keep messages and sessions in this directory, so that clients miss nothing over a restart of the server. Without it they are
    /// kept in memory, and a restart is a gap for every client.
    #[arg(long, value_name = "DIR")]
    pub(crate) journal: Option<PathBuf>,

    /// When a publish is written to the disk: `always` before it is acknowledged, `interval` within --fsync-interval. The latter is
    /// faster on a slow disk, but a server that is killed loses the publishes since the last write, and clients that have received them
    /// get a gap.
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

    /// Separate address for the API and /metrics, which --listen then does not serve: for a port that only back ends can reach.
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

const VARIABLE: &str = "EVERWIRE_API_KEY";
/// A key with fewer characters can be guessed.
const SHORT: usize = 16;

#[derive(Args, Clone)]
pub(crate) struct KeyFlags {
    /// Key of the HTTP API, which a back end sends as `Authorization: Bearer KEY`. Can be repeated, so that a key can be replaced
    /// without an interruption. Other users of the machine can see it in the list of processes; the next flag avoids that, and so does
    /// the environment variable EVERWIRE_API_KEY. Without any key there is no API.
    #[arg(long, value_name = "KEY")]
    api_key: Vec<String>,

    /// File with keys of the HTTP API, one on each line.
    #[arg(long, value_name = "FILE")]
    api_key_file: Vec<PathBuf>,
}

/// The keys of the HTTP API.
#[derive(Clone, Debug)]
pub(crate) struct ApiKeys(Vec<SecretDigest>);

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("cannot read the keys from {}: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{0} has no key; make one by `openssl rand -hex 32`")]
    Empty(String),
    #[error("{0} has a key with a space or a character that is not ASCII, which a header cannot carry")]
    Unusable(String),
}

impl KeyFlags {
    /// The keys from the flags, the files and the environment; `None` if there are none.
    pub(crate) fn keys(&self) -> Result<Option<ApiKeys>, KeyError> {
        let mut keys = Vec::new();
        for key in &self.api_key {
            add(&mut keys, "--api-key", key)?;
        }
        for path in &self.api_key_file {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| KeyError::Unreadable { path: path.clone(), error })?;
            add(&mut keys, &path.display().to_string(), &text)?;
        }
        if let Some(text) = env::var_os(VARIABLE) {
            add(&mut keys, VARIABLE, &text.to_string_lossy())?;
        }
        Ok(if keys.is_empty() { None } else { Some(ApiKeys(keys)) })
    }
}

fn add(keys: &mut Vec<SecretDigest>, source: &str, text: &str) -> Result<(), KeyError> {
    let before = keys.len();
    for key in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Unusable(source.to_owned()));
        }
        if key.len() < SHORT {
            tracing::warn!("{source} has a key of fewer than {SHORT} characters, which can be guessed");
        }
        keys.push(SecretDigest::of(key.as_bytes()));
    }
    if keys.len() == before { Err(KeyError::Empty(source.to_owned())) } else { Ok(()) }
}

impl ApiKeys {
    /// Whether a request has one of the keys; `None` if it has no key at all.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Option<bool> {
        let shown = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, key) = shown.split_at_checked("Bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let shown = SecretDigest::of(key.trim_ascii());
        // All keys are compared, so that the time reveals nothing.
        Some(self.0.iter().fold(false, |found, key| found | (*key == shown)))
    }
}

impl std::fmt::Debug for KeyFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFlags").field("api_key_file", &self.api_key_file).finish_non_exhaustive()
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

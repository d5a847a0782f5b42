//! What a server does: its configuration, and the flags that set it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser};
use everwire_server::cli::{ServerFlags, parse_positive_seconds, parse_size};
use everwire_server::{Clock, ConnectionLimits, Limits, Origins, ServerConfig, Tls, cli};

use crate::channels::LogTap;
use crate::files::FileLimits;
use crate::ticker::{FeedSource, Recording, RecordingError, TickerLimits};

/// What a server does. [`Config::default`] is what the binary uses without flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to accept connections on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether other servers on this machine may listen on the same address.
    pub reuse_port: bool,
    /// Folder with a built single page application to serve from the same port.
    pub dist: Option<PathBuf>,
    /// Folder of the journal that keeps the messages of channels and the sessions over a restart. Without it, both are kept in memory.
    pub journal: Option<PathBuf>,
    /// How long a visitor's token is valid.
    pub token_ttl: Duration,
    /// Whether clients may use `?fault=` and every channel that no rule names. Off by default: a fault lets a stranger hold a connection
    /// open or cut it.
    pub faults: bool,
    /// Whether another process starts this one again when it ends. With `faults`, `POST /kill` then ends it by SIGKILL.
    pub supervised: bool,
    /// Whether `/monitor` and the channels `monitor` and `live/monitor` expose process and memory information, and the channel `live/log`
    /// the log. Off by default.
    pub monitor: bool,
    /// Where the lines of the log come from.
    pub log: LogTap,
    /// Which web pages may connect.
    pub origins: Origins,
    /// What all connections together may use.
    pub limits: Limits,
    /// What one connection may use.
    pub connection: ConnectionLimits,
    /// What `/files` may hold, and for how long.
    pub files: FileLimits,
    /// Where `/ticker` takes its prices from.
    pub feed: FeedSource,
    /// What `/ticker` may send.
    pub ticker: TickerLimits,
    /// Over how long the sockets are closed when the server stops.
    pub drain: Duration,
    /// Certificate and key for `https` and `wss`.
    pub tls: Option<Tls>,
    /// The time of day that goes into messages.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 9001).into(),
            reuse_port: false,
            dist: None,
            journal: None,
            token_ttl: Duration::from_secs(3600),
            faults: false,
            supervised: false,
            monitor: false,
            log: LogTap::default(),
            origins: Origins::default().with_flag("--allow-origin"),
            limits: Limits::default(),
            connection: ConnectionLimits::default(),
            files: FileLimits::default(),
            feed: FeedSource::default(),
            ticker: TickerLimits::default(),
            drain: Duration::from_secs(5),
            tls: None,
            clock: Clock::default(),
        }
    }
}

impl Config {
    /// Where and how to listen.
    pub(crate) fn server(&self) -> ServerConfig {
        let server = ServerConfig::new(self.listen).reuse_port(self.reuse_port).drain(self.drain);
        match self.tls.clone() {
            Some(tls) => server.tls(tls),
            None => server,
        }
    }

    /// Whether `POST /kill` ends this process.
    pub(crate) fn can_be_killed(&self) -> bool {
        self.faults && self.supervised
    }
}

/// The companion server of Everwire: small WebSocket endpoints for demos, tests and measurements.
///
/// Start it without any flag, then connect to ws://127.0.0.1:9001/echo. The other endpoints are /broadcast, /hello,
/// /countdown, /sum, /clock, /ticker, /tracker, /lab/socket and, with --monitor, /monitor. /everwire has channels, by the
/// subprotocol everwire.v1. /files, /lab, /healthz and /metrics answer HTTP.
#[derive(Clone, Debug, Parser)]
#[command(name = "everwire-companion", version, max_term_width = 110)]
pub struct Cli {
    /// Folder with a built web application to serve from the same port.
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,

    /// Folder of the journal, which keeps the messages of channels and the sessions of clients over a restart [default: in memory].
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,

    /// How long a token that GET /token issues is valid.
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = parse_positive_seconds)]
    token_ttl: Duration,

    /// Inject faults that clients request, like /echo?fault=drop:3, and let clients use any channel of /everwire. For tests and
    /// demos only: any client can use them.
    #[arg(long)]
    faults: bool,

    /// Serve from a worker process, and start another one whenever it ends. Clients wait meanwhile, and with --journal they lose
    /// nothing. With --faults, POST /kill ends the worker by SIGKILL. Unix only.
    #[arg(long)]
    supervise: bool,

    /// What the supervisor starts its workers with.
    #[arg(long, hide = true)]
    worker: bool,

    /// Expose the machine and the server at /monitor (processor, memory, processes, traffic), and the server's log on the channel
    /// live/log. Any client can read them.
    #[arg(long)]
    monitor: bool,

    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    ticker: TickerFlags,
    #[command(flatten)]
    files: FileFlags,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Ticker")]
struct TickerFlags {
    /// Seed of the random walk of the prices; the same seed gives the same prices.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Play recorded prices instead: a CSV file with the columns time, symbol, price. A time is a number of seconds or a date
    /// like 2024-05-01T14:30:00.250Z.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,

    /// Play the recording this many times faster.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = parse_speed, requires = "replay")]
    replay_speed: f64,

    /// Ticker streams, each a selection of symbols and a rate; more are refused with HTTP 503.
    #[arg(long, value_name = "COUNT", default_value_t = TickerLimits::default().streams)]
    max_streams: usize,

    /// Ticker streams that the connections of one address may subscribe to; more are refused with HTTP 429.
    #[arg(long, value_name = "COUNT", default_value_t = TickerLimits::default().streams_per_address)]
    max_streams_per_address: usize,

    /// Ticker updates per second for all connections of one address together; more are refused with HTTP 429.
    #[arg(long, value_name = "COUNT", default_value_t = TickerLimits::default().updates_per_address)]
    max_ticker_updates_per_address: u64,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Files")]
struct FileFlags {
    /// Folder in which to create the temporary folder for uploaded files [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    files_dir: Option<PathBuf>,

    /// Size limit of one file.
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = parse_size::<u64>)]
    max_file_bytes: u64,

    /// Size limit of all files together; an unfinished upload counts with its final size.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = parse_size::<u64>)]
    max_store_bytes: u64,

    /// Number of files, unfinished uploads included.
    #[arg(long, value_name = "COUNT", default_value_t = FileLimits::default().files)]
    max_files: usize,

    /// How long an interrupted upload can be resumed. After a minute, another upload that needs its room replaces it.
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = parse_positive_seconds)]
    unfinished_ttl: Duration,

    /// How long a file is kept.
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = parse_positive_seconds)]
    file_ttl: Duration,
}

/// Why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlagsError {
    /// A flag that every server on `everwire-server` has.
    #[error(transparent)]
    Server(#[from] cli::FlagsError),
    /// `--replay`.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// `--dist`.
    #[error("--dist {0} is not a folder; build the web application first")]
    Dist(PathBuf),
    /// `--supervise` on a system that is not Unix.
    #[error("--supervise hands a socket to another process, which works on Unix only; leave it out")]
    Supervise,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves.
    Server,
    /// Keeps a worker running.
    Supervisor,
    /// Serves for a supervisor.
    Worker,
}

impl Cli {
    /// What the process does.
    pub fn role(&self) -> Role {
        match (self.worker, self.supervise) {
            (true, _) => Role::Worker,
            (false, true) => Role::Supervisor,
            (false, false) => Role::Server,
        }
    }

    /// Turns the flags into a configuration. Reads the files that they name.
    pub fn into_config(self) -> Result<Config, FlagsError> {
        let role = self.role();
        if role != Role::Server && !cfg!(unix) {
            return Err(FlagsError::Supervise);
        }
        let Self { dist, journal, token_ttl, faults, monitor, server, ticker, files, .. } = self;
        if let Some(dist) = dist.as_ref().filter(|dist| !dist.is_dir()) {
            return Err(FlagsError::Dist(dist.clone()));
        }
        Ok(Config {
            listen: server.listen,
            reuse_port: server.reuse_port,
            dist,
            journal,
            token_ttl,
            faults,
            supervised: role == Role::Worker,
            monitor,
            origins: server.origins()?,
            limits: server.limits.limits(),
            connection: server.limits.connection_limits(),
            files: files.into_limits(),
            ticker: ticker.limits(),
            feed: ticker.into_feed()?,
            drain: server.drain,
            tls: server.tls.load()?,
            ..Config::default()
        })
    }
}

impl TickerFlags {
    fn limits(&self) -> TickerLimits {
        TickerLimits {
            streams: self.max_streams,
            streams_per_address: self.max_streams_per_address,
            updates_per_address: self.max_ticker_updates_per_address,
            ..TickerLimits::default()
        }
    }

    fn into_feed(self) -> Result<FeedSource, RecordingError> {
        match self.replay {
            None => Ok(FeedSource::Walk { seed: self.seed }),
            Some(file) => {
                let recording = Arc::new(Recording::read(&file)?);
                Ok(FeedSource::Replay { recording, speed: self.replay_speed })
            }
        }
    }
}

impl FileFlags {
    fn into_limits(self) -> FileLimits {
        FileLimits {
            folder: self.files_dir,
            file_bytes: self.max_file_bytes,
            store_bytes: self.max_store_bytes,
            files: self.max_files,
            unfinished: self.unfinished_ttl,
            finished: self.file_ttl,
            ..FileLimits::default()
        }
    }
}

fn parse_speed(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(speed) if (0.001..=1_000_000.0).contains(&speed) => Ok(speed),
        _ => Err("a factor from 0.001 to 1000000"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn config(flags: &[&str]) -> Result<Config, String> {
        let all = ["everwire-companion"].iter().chain(flags);
        Cli::try_parse_from(all).map_err(|error| error.to_string())?.into_config().map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_flags_the_configuration_is_the_default_one() {
        assert_eq!(without_clock(config(&[]).unwrap()), without_clock(Config::default()));
    }

    #[test]
    fn flags_that_cannot_be_used_say_why() {
        for (flags, sentence) in [
            (["--drain", "x"], "number of seconds"),
            (["--drain", "1e99"], "seconds from 0"),
            (["--handshake-timeout", "0"], "more than 0 seconds"),
            (["--allow-origin", "example.org"], "not an origin"),
            (["--dist", "/there/is/no/such/folder"], "build the web application first"),
            (["--replay", "/there/is/no/such/file"], "cannot read the recording"),
            (["--tls-cert", "cert.pem"], "--tls-key"),
            (["--replay-speed", "2"], "--replay"),
            (["--max-file-bytes", "big"], "a size in bytes, like"),
        ] {
            let error = config(&flags).unwrap_err();
            assert!(error.contains(sentence), "{flags:?}: {error}");
        }
    }

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        let file_bytes = |size| config(&["--max-file-bytes", size]).unwrap().files.file_bytes;
        assert_eq!(["64000", "64kB", "1.5MiB"].map(file_bytes), [64_000, 64_000, 1_572_864]);
    }

    fn without_clock(config: Config) -> String {
        format!("{:?}", Config { clock: everwire_server::Clock::from_fn(|| 0.0), ..config })
    }
}

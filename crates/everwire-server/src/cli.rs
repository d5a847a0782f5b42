use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser};

use crate::{BadOrigin, Config, FeedSource, FileLimits, Limits, Origins, Recording, RecordingError, Tls, TlsError};

/// The companion server of Everwire: small WebSocket endpoints for demos, tests and measurements.
///
/// Start it without any flag, then connect to ws://127.0.0.1:9001/echo. The other endpoints are /broadcast, /hello,
/// /countdown, /sum, /clock, /ticker, /tracker, /lab/socket and, with --monitor, /monitor. /files, /lab, /healthz and
/// /metrics answer HTTP.
#[derive(Clone, Debug, Parser)]
#[command(name = "everwire-server", version, max_term_width = 110)]
pub struct Cli {
    /// Address to listen on; port 0 takes a free one. The first line of output names it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,

    /// Share the address with other servers started like this: the system gives each its part of the connections. The
    /// servers know nothing of each other, so that who is on one does not hear who is on another.
    #[arg(long)]
    reuse_port: bool,

    /// Folder with a built web application to serve from the same port.
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,

    /// Let clients ask for faults, like /echo?fault=drop:3. For tests and demos only: whoever connects can use them.
    #[arg(long)]
    faults: bool,

    /// Tell whoever connects to /monitor what the machine does: processor, memory, processes, and the server itself.
    #[arg(long)]
    monitor: bool,

    /// Also let pages of this origin connect, like `https://example.org`, `https://*.example.org` for all its subdomains, `null`,
    /// `file://`, or `*` for any. Pages of the server's own host and of localhost may always connect, and so may programs that are not
    /// browsers. Over a loopback address the server answers only to an address, to localhost, and to the hosts given here, so that
    /// behind a proxy on the same machine this is needed. Can be repeated.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,

    /// When stopping (Ctrl-C, SIGTERM, SIGHUP), close the sockets spread over so many seconds, so that their clients do not return at
    /// once.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    drain: Duration,

    #[command(flatten)]
    ticker: TickerFlags,
    #[command(flatten)]
    tls: TlsFlags,
    #[command(flatten)]
    files: FileFlags,
    #[command(flatten)]
    limits: LimitFlags,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Ticker")]
struct TickerFlags {
    /// Where the random walk of the prices starts; the same seed gives the same prices.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Play recorded prices instead: a CSV file with the columns time, symbol, price. A time is a number of seconds
    /// or a date like 2024-05-01T14:30:00.250Z.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,

    /// Play the recording so many times faster.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed, requires = "replay")]
    replay_speed: f64,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
struct TlsFlags {
    /// Certificate chain (PEM), for https and wss.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Files")]
struct FileFlags {
    /// Where to make the temporary folder for files that clients leave; the default is the system's place for such.
    #[arg(long, value_name = "DIR")]
    files_dir: Option<PathBuf>,

    /// Bytes of one file.
    #[arg(long, value_name = "BYTES", default_value_t = FileLimits::default().file_bytes)]
    max_file_bytes: u64,

    /// Bytes of all files, the unfinished ones with the size that they will have.
    #[arg(long, value_name = "BYTES", default_value_t = FileLimits::default().store_bytes)]
    max_store_bytes: u64,

    /// How many files, with the unfinished ones.
    #[arg(long, value_name = "COUNT", default_value_t = FileLimits::default().files)]
    max_files: usize,

    /// How long an upload that does not go on is kept, so that it can be resumed. After a minute it gives its room to another
    /// that needs it.
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = some_seconds)]
    unfinished_ttl: Duration,

    /// How long a file is kept for others.
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = some_seconds)]
    file_ttl: Duration,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// Bytes in one message; a larger one closes the connection with 1009.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().message_bytes)]
    max_message_bytes: usize,

    /// Connections in all, each from the moment that it is accepted; a request on one more is refused with HTTP 503. The server raises
    /// its limit on open files as far as the system lets it (`ulimit -H -n`): that has to be some more, or it holds fewer.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections)]
    max_connections: usize,

    /// Connections from one address; more are refused with HTTP 429. Behind a proxy all come from one address.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections_per_address)]
    max_connections_per_address: usize,

    /// Messages a second that one connection may send; more closes it with 1008. 0 is no limit.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().messages_per_second)]
    max_messages_per_second: u32,

    /// Close a connection with 1001 after so long without a message in either direction. 0 is no limit.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    idle_timeout: Duration,

    /// Time for a client to connect and send the head of its request, then for its body, and then until its next one.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = some_seconds)]
    handshake_timeout: Duration,

    /// Time for a message to arrive, from its first byte to its last; one that takes longer closes its connection with 1008.
    /// 0 is no limit.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    message_timeout: Duration,

    /// Bytes of unfinished messages and of unsent answers that all connections may hold together; a message that finds no room
    /// waits until others are done. One address may hold half, unless it may have all connections.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().buffered_bytes)]
    max_buffered_bytes: usize,

    /// Bytes that may wait for a slow reader; beyond it is closed with 1013.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().backlog_bytes)]
    max_backlog_bytes: usize,

    /// Time for one message to be written; a reader that takes longer is closed with 1013, or cut where it reads HTTP.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = some_seconds)]
    write_timeout: Duration,

    /// Time for a closing connection to exchange its close frames before it is cut.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    close_timeout: Duration,

    /// Distinct ticker streams, each a choice of symbols and a rate; more are refused with HTTP 503.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().streams)]
    max_streams: usize,

    /// How many of them the connections of one address may listen to; more are refused with HTTP 429.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().streams_per_address)]
    max_streams_per_address: usize,

    /// Ticker updates a second that the connections of one address may listen to, all together; more are refused with HTTP
    /// 429.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().ticker_updates_per_address)]
    max_ticker_updates_per_address: u64,
}

/// Why the flags, each of them well formed, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableFlags {
    /// `--allow-origin`.
    #[error(transparent)]
    Origin(#[from] BadOrigin),
    /// `--replay`.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// `--tls-cert` or `--tls-key`.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `--dist`.
    #[error("--dist {0} is not a folder; build the web application first")]
    Dist(PathBuf),
}

impl Cli {
    /// Reads the files that the flags name.
    pub fn into_config(self) -> Result<Config, UnusableFlags> {
        if let Some(dist) = self.dist.as_ref().filter(|dist| !dist.is_dir()) {
            return Err(UnusableFlags::Dist(dist.clone()));
        }
        let mut origins = Origins::default();
        for origin in &self.allow_origin {
            origins = origins.allow(origin)?;
        }
        let tls = match (&self.tls.tls_cert, &self.tls.tls_key) {
            (Some(cert), Some(key)) => Some(Tls::from_pem_files(cert, key)?),
            _ => None,
        };
        Ok(Config {
            listen: self.listen,
            reuse_port: self.reuse_port,
            dist: self.dist,
            faults: self.faults,
            monitor: self.monitor,
            origins,
            limits: self.limits.into_limits(),
            files: self.files.into_limits(),
            feed: self.ticker.into_feed()?,
            drain: self.drain,
            tls,
            ..Config::default()
        })
    }
}

impl TickerFlags {
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

impl LimitFlags {
    fn into_limits(self) -> Limits {
        Limits {
            message_bytes: self.max_message_bytes,
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_address,
            messages_per_second: self.max_messages_per_second,
            idle: self.idle_timeout,
            handshake: self.handshake_timeout,
            message: self.message_timeout,
            buffered_bytes: self.max_buffered_bytes,
            backlog_bytes: self.max_backlog_bytes,
            write: self.write_timeout,
            close: self.close_timeout,
            streams: self.max_streams,
            streams_per_address: self.max_streams_per_address,
            ticker_updates_per_address: self.max_ticker_updates_per_address,
        }
    }
}

/// Seconds, also with a fraction, up to a year.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, like 5 or 0.5")?;
    if !(0.0..=31_536_000.0).contains(&seconds) {
        return Err("seconds from 0 to 31536000");
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Seconds, and not none: a client cannot be served in no time.
fn some_seconds(text: &str) -> Result<Duration, &'static str> {
    match seconds(text)? {
        Duration::ZERO => Err("more than 0 seconds"),
        duration => Ok(duration),
    }
}

fn speed(text: &str) -> Result<f64, &'static str> {
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
        let all = ["everwire-server"].iter().chain(flags);
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
        ] {
            let error = config(&flags).unwrap_err();
            assert!(error.contains(sentence), "{flags:?}: {error}");
        }
    }

    fn without_clock(config: Config) -> String {
        format!("{:?}", Config { clock: crate::Clock::from_fn(|| 0.0), ..config })
    }
}

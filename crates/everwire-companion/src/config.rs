use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use everwire_server::{Clock, ConnectionLimits, Limits, Origins, ServerConfig, Tls};

use crate::channels::LogTap;
use crate::files::FileLimits;
use crate::ticker::{FeedSource, TickerLimits};

/// What a server does. [`Config::default`] is what the binary uses without flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to accept connections on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether other servers on this machine may listen on the same address.
    pub reuse_port: bool,
    /// Folder with a built single page application to serve from the same port.
    pub dist: Option<PathBuf>,
    /// Folder of the journal that keeps the messages of channels and the sessions over a restart. In memory without.
    pub journal: Option<PathBuf>,
    /// How long the token of a visitor lasts.
    pub token_ttl: Duration,
    /// Whether `?fault=` may be used, and every channel that no rule names. Off by default: a fault lets a stranger hold a connection
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

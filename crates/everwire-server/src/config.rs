use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Clock, FeedSource, FileLimits, Limits, Origins, Tls};

/// Everything a server can be told. [`Config::default`] is what the binary uses without flags.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to accept connections on; port 0 takes a free one. Unused by [`router`](crate::router).
    pub listen: SocketAddr,
    /// Whether other servers on this machine may listen on the same address, each given its share of the connections by
    /// the system. An error of [`Server::bind`](crate::Server::bind) where the system cannot do that.
    pub reuse_port: bool,
    /// Folder with a built single page application to serve from the same port.
    pub dist: Option<PathBuf>,
    /// Whether `?fault=` may be used. Off by default: a fault lets a stranger hold a connection open or cut it.
    pub faults: bool,
    /// Whether `/monitor` tells what the machine does. Off by default: processes and memory are nobody's business.
    pub monitor: bool,
    /// Which web pages may connect.
    pub origins: Origins,
    /// What one client, and all of them together, may use.
    pub limits: Limits,
    /// What `/files` may hold, and for how long.
    pub files: FileLimits,
    /// Where `/ticker` takes its prices from.
    pub feed: FeedSource,
    /// How long after its last subscriber a ticker stream can be taken up again, so that a client that reconnects can tell
    /// what it missed. Nothing is computed meanwhile.
    pub stream_linger: Duration,
    /// Over how long the sockets are closed when the server stops.
    pub drain: Duration,
    /// Certificate and key for `https` and `wss`. Unused by [`router`](crate::router).
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
            faults: false,
            monitor: false,
            origins: Origins::default(),
            limits: Limits::default(),
            files: FileLimits::default(),
            feed: FeedSource::default(),
            stream_linger: Duration::from_secs(60),
            drain: Duration::from_secs(5),
            tls: None,
            clock: Clock::default(),
        }
    }
}

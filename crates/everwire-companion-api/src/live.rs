//! The channels of a trading floor, each with its own kind and rate. Clients only read them; its chat is the room `lobby` of
//! [`chat`](crate::chat).
//!
//! When a message was stored is a part of its cursor, so that none of these repeats it.

use everwire_core::Channel;
use serde::{Deserialize, Serialize};

/// The latest price of each stock, by its symbol: a few updates per second.
pub const MARKET: Channel<Price> = Channel::state("live/market");

/// The latest rate of each [pair](PAIRS), by its name: a tick every 250 ms.
pub const CURRENCY: Channel<Rate> = Channel::state("live/currency");

/// The lines of the server's own log, as they are written.
pub const LOG: Channel<LogLine> = Channel::new("live/log");

/// What the server does, once a second.
pub const MONITOR: Channel<Sample> = Channel::new("live/monitor");

/// Invented headlines, one every few seconds.
pub const NEWS: Channel<Headline> = Channel::new("live/news");

/// The phase of the trading day, which lasts a minute, under the key [`BANNER_KEY`].
pub const BANNER: Channel<Banner> = Channel::state("live/banner");

/// The one key of [`BANNER`].
pub const BANNER_KEY: &str = "now";

/// The headlines that are kept for those who come later.
pub const NEWS_KEPT: u64 = 50;

/// The lines of the log that are kept.
pub const LOG_KEPT: u64 = 200;

/// The samples that are kept: a minute.
pub const MONITOR_KEPT: u64 = 60;

/// The price of a stock, in dollars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// The company's name.
    pub company: String,
    /// The last price.
    pub price: f64,
    /// The first price.
    pub open: f64,
}

/// A pair of currencies, and how its rate is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The base currency and the one that it is paid in: `EUR/USD`.
    pub name: &'static str,
    /// The step that traders count in.
    pub pip: f64,
    /// Decimals of a rate, the last of which is a tenth of a pip.
    pub decimals: usize,
}

/// The pairs that are traded, in the order in which they are shown.
pub const PAIRS: [Pair; 8] = [
    Pair::new("EUR/USD"),
    Pair::new("GBP/USD"),
    Pair::new("USD/CHF"),
    Pair::new("AUD/USD"),
    Pair::new("USD/CAD"),
    Pair::new("EUR/GBP"),
    Pair::in_yen("USD/JPY"),
    Pair::in_yen("EUR/JPY"),
];

impl Pair {
    const fn new(name: &'static str) -> Self {
        Self { name, pip: 0.0001, decimals: 5 }
    }

    const fn in_yen(name: &'static str) -> Self {
        Self { name, pip: 0.01, decimals: 3 }
    }

    /// The pair of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        PAIRS.into_iter().find(|pair| pair.name == name)
    }
}

/// What the base currency of a pair costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Buyers pay this.
    pub bid: f64,
    /// Sellers want this.
    pub ask: f64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written, which is a little before it was published.
    pub time: f64,
    /// How much it matters.
    pub level: Level,
    /// The part of the program that it comes from.
    pub target: String,
    /// The text, with the values that it names.
    pub message: String,
    /// Lines that are missing before this one, because they came faster than the channel takes them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropped: u64,
}

/// How much a line of the log matters, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something happened.
    Info,
    /// For developers.
    Debug,
    /// For developers, in every detail.
    Trace,
}

/// A second of the server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The machine, from a server that exposes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineSample>,
    /// Open WebSocket connections.
    pub connections: u64,
    /// WebSocket messages received per second.
    pub messages_in: f64,
    /// WebSocket messages sent per second.
    pub messages_out: f64,
}

/// A second of the machine that the server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineSample {
    /// How busy all cores were together, in percent.
    pub processor: f64,
    /// Memory in use.
    pub memory: u64,
    /// The size of the memory.
    pub memory_size: u64,
}

/// A headline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// One sentence.
    pub text: String,
}

/// A phase of the trading day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Banner {
    /// What trading is like.
    pub phase: Phase,
    /// What the server says about it.
    pub text: String,
    /// When the next phase begins.
    pub until: f64,
}

/// What trading is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Trades are made as orders come.
    Open,
    /// Orders are collected, to be matched at its end.
    Auction,
    /// No trades are made.
    Closed,
}

impl Phase {
    /// The phase that follows.
    pub fn next(self) -> Self {
        match self {
            Self::Open => Self::Auction,
            Self::Auction => Self::Closed,
            Self::Closed => Self::Open,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

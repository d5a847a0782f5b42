//! Stock prices: the endpoint `/ticker` sends a snapshot and numbered updates, the channels of [`channel`] the latest of each company.

use everwire_core::Channel;
use serde::{Deserialize, Serialize};

/// The rates that have a channel, in updates per second of all companies together.
pub const RATES: [u32; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000];

/// Whose stock is traded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Companies {
    /// The nine of a classic demo.
    #[default]
    Nine,
    /// All 509.
    All,
}

/// The channel of one of the [`RATES`], with the latest quote of each company under its symbol.
pub fn channel(rate: u32, companies: Companies) -> Channel<Quote> {
    Channel::state_named(match companies {
        Companies::Nine => format!("ticker/{rate}"),
        Companies::All => format!("ticker/{rate}/all"),
    })
}

/// The prices of one company's stock, in dollars, after all of its trades so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// The company's name.
    pub company: String,
    /// The last price.
    pub price: f64,
    /// The first price.
    pub open: f64,
    /// The lowest price.
    pub low: f64,
    /// The highest price.
    pub high: f64,
    /// How many trades the company has had in this channel. Trades that follow each other quickly share a message.
    pub seq: u64,
    /// When the last trade happened.
    pub time: f64,
}

/// A message from the server. The client sends nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The first message of a connection.
    Snapshot(Snapshot),
    /// The trades of a step of the feed.
    Updates(Updates),
}

/// All prices at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Names a run of sequence numbers. They start again with another epoch.
    pub epoch: String,
    /// The last update that the snapshot includes.
    pub seq: u64,
    /// When the server made it.
    pub server_time: f64,
    /// Updates per second, on average.
    pub rate: f64,
    /// One entry per company of the selection.
    pub stocks: Vec<Stock>,
}

/// The prices of one company's stock, in dollars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// The short name, like `NVDA`.
    pub symbol: String,
    /// The company's name.
    pub company: String,
    /// The last price.
    pub price: f64,
    /// The first price.
    pub open: f64,
    /// The lowest price.
    pub low: f64,
    /// The highest price.
    pub high: f64,
}

/// What happened in a step of the feed. The server writes this text by hand, since it encodes each trade once for all streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Updates {
    /// When the server made it.
    pub server_time: f64,
    /// At least one, in order.
    pub updates: Vec<Update>,
}

/// A trade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// One more than the update before it, within an epoch.
    pub seq: u64,
    /// The company's [`Stock::symbol`].
    pub symbol: String,
    /// The price, in dollars.
    pub price: f64,
    /// When the trade happened.
    pub time: f64,
}

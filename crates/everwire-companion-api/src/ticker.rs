//! `/ticker`: stock prices, as a snapshot and numbered updates.

use serde::{Deserialize, Serialize};

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
    /// Updates a second, on average.
    pub rate: f64,
    /// One entry a company of the selection.
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

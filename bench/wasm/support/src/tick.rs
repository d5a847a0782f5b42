use serde::Deserialize;

/// A message of the companion server's `/ticker`, as an application types it.
#[derive(Debug, Deserialize)]
pub struct Tick {
    /// When it was sent, in ms since the Unix epoch.
    pub server_time: f64,
    /// One or more changes of price.
    pub updates: Vec<Update>,
}

/// A change of price.
#[derive(Debug, Deserialize)]
pub struct Update {
    /// Which it is in the stream.
    pub seq: u64,
    /// Of what.
    pub symbol: String,
    /// The new price.
    pub price: f64,
    /// Since when, in ms since the Unix epoch.
    pub time: f64,
}

impl Tick {
    /// The sum of the prices, which requires reading the message.
    pub fn sum(&self) -> f64 {
        self.updates.iter().map(|update| update.price).sum()
    }
}

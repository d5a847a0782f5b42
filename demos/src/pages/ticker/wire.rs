//! What the ticker's endpoint sends.

use serde::Deserialize;

/// A message of `/ticker`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum News {
    Snapshot(Snapshot),
    Updates(Updates),
}

/// Everything at one moment; the first message of a connection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Snapshot {
    /// Names the run of sequence numbers. Another epoch: the server or its stream started anew.
    pub(super) epoch: String,
    /// The last update that is part of it.
    pub(super) seq: u64,
    /// Milliseconds since the Unix epoch by the server's clock.
    pub(super) server_time: f64,
    pub(super) stocks: Vec<Stock>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Stock {
    pub(super) symbol: String,
    pub(super) company: String,
    pub(super) price: f64,
    pub(super) open: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What happened in a step of the feed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Updates {
    pub(super) server_time: f64,
    pub(super) updates: Vec<Update>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Update {
    pub(super) seq: u64,
    pub(super) symbol: String,
    pub(super) price: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_and_updates_are_read_as_the_server_writes_them() {
        let snapshot = r#"{"type":"snapshot","epoch":"a1","seq":7,"server_time":1.5,"rate":20.0,
            "stocks":[{"symbol":"NVDA","company":"NVIDIA Corporation","price":2.0,"open":1.0,"low":1.0,"high":2.0}]}"#;
        let Ok(News::Snapshot(snapshot)) = serde_json::from_str(snapshot) else { panic!("no snapshot") };
        assert_eq!((snapshot.seq, snapshot.stocks[0].symbol.as_str()), (7, "NVDA"));

        let updates =
            r#"{"type":"updates","server_time":2.5,"updates":[{"seq":8,"symbol":"NVDA","price":2.5,"time":2.4}]}"#;
        let Ok(News::Updates(updates)) = serde_json::from_str(updates) else { panic!("no updates") };
        assert_eq!(updates.updates, [Update { seq: 8, symbol: "NVDA".into(), price: 2.5 }]);
    }
}

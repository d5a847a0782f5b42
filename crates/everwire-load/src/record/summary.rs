use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::percentiles::Percentiles;

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The program and its arguments.
    pub command: String,
    /// The settings of the run.
    pub setting: Setting,
    /// How the connections came up.
    pub opening: Opening,
    /// For how long messages were sent that count.
    pub load_s: f64,
    /// Answers and deliveries a second while messages were sent. What arrived after that does not count: a server that cannot
    /// keep up shows here.
    pub messages_per_second: f64,
    /// Pings and their answers.
    pub round_trips: RoundTrips,
    /// What was published and whom it reached; `None` where there were no subscribers.
    pub deliveries: Option<Deliveries>,
    /// Connections that were lost after they had been open.
    pub disconnects: u64,
    /// Connections that were opened again.
    pub reconnects: u64,
    /// Attempts to connect that failed.
    pub failed_dials: u64,
    /// Why connections were lost and attempts failed, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// Messages received that were neither an answer nor a delivery.
    pub unexpected: u64,
    /// The server's processes; `None` where they are not known.
    pub server: Option<ServerUse>,
    /// The load generator itself.
    pub load: LoadUse,
    /// Whether a signal has ended the run before its time.
    #[serde(default)]
    pub interrupted: bool,
    /// The limits of the command line that were not kept to, each in a sentence.
    #[serde(default)]
    pub missed: Vec<String>,
    /// What has kept the run from going on to its end.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The settings of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Where to.
    pub url: String,
    /// In which dialect.
    pub dialect: String,
    /// How many connections, without the publishers.
    pub connections: u32,
    /// How many of them subscribe.
    pub subscribers: u32,
    /// How many publish.
    pub publishers: u32,
    /// How long between two messages of a connection, in words.
    pub ping_period: String,
    /// The same in seconds, on average.
    pub ping_period_s: f64,
    /// How many bytes of payload in a message.
    pub payload_bytes: usize,
    /// Whether messages were binary instead of text.
    #[serde(default)]
    pub binary: bool,
    /// For how long messages were sent before they counted, in seconds.
    #[serde(default)]
    pub warm_up_s: f64,
    /// How many processes the clients were spread over.
    pub processes: usize,
    /// How many threads each of them had.
    #[serde(default = "one")]
    pub threads: usize,
}

/// How the connections came up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// How many were open when sending began, publishers included.
    pub opened: u64,
    /// How long that took.
    pub seconds: f64,
    /// From the start of an attempt to an open connection, of the first of each client that succeeded.
    pub handshake: Option<Percentiles>,
}

/// Pings and their answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// Pings that came due, each of which was sent or waited to be sent.
    pub sent: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that were not answered by the end.
    pub lost: u64,
    /// Those of the lost that still waited for a connection at the end.
    pub unsent: u64,
    /// Messages, published ones included, that were never sent although there was a connection: so much waited to be taken by the
    /// server that there was no room for more.
    #[serde(default)]
    pub overflowed: u64,
    /// Answers to what had been answered before.
    pub duplicates: u64,
    /// From the time that a ping was due to its answer.
    pub round_trip: Option<Percentiles>,
    /// From the time that a ping was due to when it was sent: what of the round trip is the load generator's own doing.
    pub lag: Option<Percentiles>,
}

/// What was published and whom it reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Messages that were published.
    pub published: u64,
    /// How many deliveries that makes: the messages times the subscribers that were there when sending began.
    pub expected: u64,
    /// Deliveries, the first of each message to each of these subscribers; one that came later is not counted.
    pub delivered: u64,
    /// Those that did not happen by the end.
    pub lost: u64,
    /// Deliveries of what had been delivered before.
    pub duplicates: u64,
    /// From the time that a message was due to its arrival at a subscriber.
    pub one_way: Option<Percentiles>,
}

/// What the server's processes took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerUse {
    /// How many processes there were.
    pub processes: usize,
    /// Processor time while messages were sent, in per cent of one core.
    pub cpu_percent: f64,
    /// The same in the second in which it was most.
    pub cpu_percent_max: f64,
    /// Processor time for a message that went in and came out while messages were sent, in microseconds.
    pub cpu_us_per_message: Option<f64>,
    /// Resident memory before the first connection.
    pub memory_before_bytes: u64,
    /// Resident memory when all connections were open and nothing had been sent.
    pub memory_open_bytes: u64,
    /// The most resident memory.
    pub memory_max_bytes: u64,
}

/// What the load generator itself took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadUse {
    /// Processor time while messages were sent, in per cent of one core, all processes together.
    pub cpu_percent: f64,
    /// The most resident memory, all processes together.
    pub memory_max_bytes: u64,
}

/// A process has had one thread where nothing is said of it.
fn one() -> usize {
    1
}

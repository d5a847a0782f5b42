//! The result of a run as data: the records of `--json`, which other programs read, and the latency distributions in them.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The shortest part of a second for which a rate is computed: in a shorter one, a single clock tick of the system would show as
/// a high rate.
pub(crate) const MIN_RATE_WINDOW: Duration = Duration::from_millis(400);

/// The longest recorded time, in microseconds: ten minutes. Longer ones count as this.
const MAX_MICROS: u64 = 600_000_000;
/// Significant digits of a recorded value, so that a percentile is within 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;

/// One line of `--json`; its `type` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// Written once per second.
    Second(Box<Second>),
    /// The last record.
    Summary(Box<Summary>),
}

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// When it ended, in seconds since the first connection attempt.
    pub at_s: f64,
    /// Its actual length.
    pub lasted_s: f64,
    /// The phase at its end.
    pub phase: Phase,
    /// Open connections at its end.
    pub connected: u64,
    /// Pings that were due and sent.
    pub sent: u64,
    /// Pings that were answered.
    pub answered: u64,
    /// Messages that were published.
    pub published: u64,
    /// Deliveries of published messages, one per subscriber.
    pub delivered: u64,
    /// Round trips of the pings that were answered in this second.
    pub round_trip: Option<Percentiles>,
    /// One-way times of the deliveries in this second.
    pub delivery: Option<Percentiles>,
    /// CPU time of the server's processes, in per cent of one core.
    pub server_cpu_percent: Option<f64>,
    /// Resident memory of the server's processes at its end.
    pub server_memory_bytes: Option<u64>,
    /// CPU time of the load generator, in per cent of one core.
    pub load_cpu_percent: Option<f64>,
}

/// The phase of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connections are being opened; nothing is sent yet.
    #[default]
    Opening,
    /// Messages are sent to warm the server up. They are not counted, in this second or a later one.
    WarmUp,
    /// Messages are sent and counted.
    Load,
    /// Sending has ended; late answers may still arrive.
    Grace,
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The program and its arguments.
    pub command: String,
    /// The settings of the run.
    pub setting: Setting,
    /// How the connections opened.
    pub opening: Opening,
    /// How long messages were sent that count.
    pub load_s: f64,
    /// Answers and deliveries per second while messages were sent. Later arrivals do not count, so this shows a server that cannot
    /// keep up.
    pub messages_per_second: f64,
    /// Pings and their answers.
    pub round_trips: RoundTrips,
    /// Published messages and their deliveries; `None` without subscribers.
    pub deliveries: Option<Deliveries>,
    /// Open connections that were lost.
    pub disconnects: u64,
    /// Connections that were opened again.
    pub reconnects: u64,
    /// Connection attempts that failed.
    pub failed_dials: u64,
    /// Why connections were lost and attempts failed, with the number of times.
    pub reasons: BTreeMap<String, u64>,
    /// Received messages that were neither an answer nor a delivery.
    pub unexpected: u64,
    /// What the server's processes used; `None` if they are not known.
    pub server: Option<ServerUse>,
    /// What the load generator used.
    pub load: LoadUse,
    /// Whether a signal ended the run early.
    #[serde(default)]
    pub interrupted: bool,
    /// The limits of the command line that the result misses, one sentence each.
    #[serde(default)]
    pub missed: Vec<String>,
    /// Why the run did not complete.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The settings of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The server's address, without credentials.
    pub url: String,
    /// The dialect, as on the command line.
    pub dialect: String,
    /// The number of connections, without the publishers.
    pub connections: u32,
    /// How many of them subscribe.
    pub subscribers: u32,
    /// The number of publishers.
    pub publishers: u32,
    /// The time between two messages of a connection, as on the command line.
    pub ping_period: String,
    /// Its mean, in seconds.
    pub ping_period_s: f64,
    /// The payload of a message, in bytes.
    pub payload_bytes: usize,
    /// Whether messages were binary instead of text.
    #[serde(default)]
    pub binary: bool,
    /// How long messages were sent before they counted, in seconds.
    #[serde(default)]
    pub warm_up_s: f64,
    /// The number of worker processes.
    pub processes: usize,
    /// Threads per worker process.
    #[serde(default = "one_thread")]
    pub threads: usize,
}

/// How the connections opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Connections that were open when sending began, including the publishers.
    pub opened: u64,
    /// How long that took.
    pub seconds: f64,
    /// From the start of an attempt to the open connection, for the first successful attempt of each client.
    pub handshake: Option<Percentiles>,
}

/// Pings and their answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// Pings that came due, whether sent or still waiting to be sent.
    pub sent: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that were not answered by the end.
    pub lost: u64,
    /// Lost pings that were still waiting for a connection at the end.
    pub unsent: u64,
    /// Messages, including published ones, that an open connection had no room for, because the server read too slowly.
    #[serde(default)]
    pub overflowed: u64,
    /// Repeated answers.
    pub duplicates: u64,
    /// From the time that a ping was due to its answer.
    pub round_trip: Option<Percentiles>,
    /// From the time that a ping was due to its sending: the load generator's own part of the round trip.
    pub lag: Option<Percentiles>,
}

/// Published messages and their deliveries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Messages that were published.
    pub published: u64,
    /// Expected deliveries: the messages times the subscribers that were connected when sending began.
    pub expected: u64,
    /// First deliveries of each message to each of these subscribers. Subscribers that connected later do not count.
    pub delivered: u64,
    /// Expected deliveries that did not happen by the end.
    pub lost: u64,
    /// Repeated deliveries.
    pub duplicates: u64,
    /// From the time that a message was due to its arrival at a subscriber.
    pub one_way: Option<Percentiles>,
}

/// What the server's processes used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerUse {
    /// The number of processes.
    pub processes: usize,
    /// CPU time while messages were sent, in per cent of one core.
    pub cpu_percent: f64,
    /// The same in the busiest second.
    pub cpu_percent_max: f64,
    /// CPU time per answer or delivery while messages were sent, in microseconds.
    pub cpu_us_per_message: Option<f64>,
    /// Resident memory before the first connection.
    pub memory_before_bytes: u64,
    /// Resident memory with all connections open, before the first message.
    pub memory_open_bytes: u64,
    /// The highest resident memory.
    pub memory_max_bytes: u64,
}

/// What the load generator used, over all its processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadUse {
    /// CPU time while messages were sent, in per cent of one core.
    pub cpu_percent: f64,
    /// The highest resident memory.
    pub memory_max_bytes: u64,
}

/// Summaries from before the setting existed are of single-threaded processes.
fn one_thread() -> usize {
    1
}

/// A distribution of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The number of times.
    pub count: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The 99.9th percentile.
    pub p999_ms: f64,
    /// The longest time.
    pub max_ms: f64,
}

/// A distribution of times, as an HDR histogram in microseconds. Unlike percentiles, histograms of several processes can be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// An empty histogram, which grows with the recorded values.
    pub fn new() -> Self {
        let mut histogram = hdrhistogram::Histogram::new(SIGNIFICANT_DIGITS).expect("the precision is valid");
        histogram.auto(true);
        Self(histogram)
    }

    /// Adds one time.
    pub fn record(&mut self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(MAX_MICROS), 1);
    }

    /// Adds the times of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for value in other.0.iter_recorded() {
            self.add(value.value_iterated_to(), value.count_at_value());
        }
    }

    /// The number of recorded times.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The percentiles; `None` if no time was recorded.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let at = |percent| self.0.value_at_percentile(percent) as f64 / 1e3;
        (self.count() > 0).then(|| Percentiles {
            count: self.count(),
            mean_ms: self.0.mean() / 1e3,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            p999_ms: at(99.9),
            max_ms: self.0.max() as f64 / 1e3,
        })
    }

    fn add(&mut self, micros: u64, count: u64) {
        // An auto-resizing histogram fails only if memory runs out, and the bound limits it to some 200 kB.
        let _ = self.0.record_n(micros.min(MAX_MICROS), count);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// As pairs of a value in microseconds and its count.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut histogram = Self::new();
        for (micros, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            histogram.add(micros, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        millis.into_iter().for_each(|time| histogram.record(Duration::from_millis(time)));
        histogram
    }

    #[test]
    fn merging_gives_the_percentiles_of_all_values_together() {
        let mut merged = of((1..=500).map(|n| n * 2));
        merged.merge(&of((1..=500).map(|n| n * 2 - 1)));
        let found = merged.percentiles().unwrap();
        assert_eq!(found.count, 1000);
        for (found, exact) in
            [(found.p50_ms, 500.0), (found.p99_ms, 990.0), (found.p999_ms, 999.0), (found.max_ms, 1000.0)]
        {
            assert!((found / exact - 1.0).abs() < 0.002, "{found} instead of {exact}");
        }
    }

    #[test]
    fn a_histogram_keeps_its_percentiles_as_json() {
        let sent = of([1, 1, 7, 30_000]);
        let received: Histogram = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        assert_eq!(received.percentiles(), sent.percentiles());
    }

    #[test]
    fn a_time_over_the_maximum_counts_as_the_maximum() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::MAX);
        assert!((histogram.percentiles().unwrap().max_ms / 600_000.0 - 1.0).abs() < 0.001);
    }

    #[test]
    fn an_empty_histogram_has_no_percentiles() {
        assert_eq!(Histogram::new().percentiles(), None);
    }
}

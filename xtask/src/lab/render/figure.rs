//! The figures of a run that are published.

use everwire_load::{Percentiles, Summary};

/// Of one run.
pub(super) type Figure = fn(&Summary) -> Option<f64>;

/// Of one run, to be added to those of others.
pub(super) type Count = fn(&Summary) -> u64;

/// Processor time of the server, in per cent of a core.
pub(super) fn cpu(summary: &Summary) -> Option<f64> {
    summary.server.as_ref().map(|server| server.cpu_percent)
}

/// The most memory of the server, in bytes.
pub(super) fn memory(summary: &Summary) -> Option<f64> {
    summary.server.as_ref().map(|server| server.memory_max_bytes as f64)
}

/// Answers a second.
pub(super) fn rate(summary: &Summary) -> Option<f64> {
    Some(summary.messages_per_second)
}

/// Half of the round trips took no longer, in milliseconds.
pub(super) fn p50(summary: &Summary) -> Option<f64> {
    round_trip(summary).map(|times| times.p50_ms)
}

/// All round trips but one in a hundred took no longer, in milliseconds.
pub(super) fn p99(summary: &Summary) -> Option<f64> {
    round_trip(summary).map(|times| times.p99_ms)
}

/// The longest round trip, in milliseconds.
pub(super) fn longest(summary: &Summary) -> Option<f64> {
    round_trip(summary).map(|times| times.max_ms)
}

/// All messages but one in a hundred were sent no later than that, in milliseconds: the load generator's own doing.
pub(super) fn late(summary: &Summary) -> Option<f64> {
    summary.round_trips.lag.map(|times| times.p99_ms)
}

fn round_trip(summary: &Summary) -> Option<Percentiles> {
    summary.round_trips.round_trip
}

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::percentiles::Percentiles;

/// A part of a second that is shorter is too short to tell a rate.
pub(crate) const SHORTEST: Duration = Duration::from_millis(400);

/// What happened within a second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// When it ended, in seconds since the first connection was opened.
    pub at_s: f64,
    /// How long it really was.
    pub lasted_s: f64,
    /// What was going on at its end.
    pub phase: Phase,
    /// Connections that were open at its end.
    pub connected: u64,
    /// Pings that were due and sent.
    pub sent: u64,
    /// Pings that were answered.
    pub answered: u64,
    /// Messages that were published.
    pub published: u64,
    /// Published messages that reached a subscriber, each counted once for each subscriber.
    pub delivered: u64,
    /// The round trips of the pings that were answered in this second.
    pub round_trip: Option<Percentiles>,
    /// The one-way times of what reached subscribers in this second.
    pub delivery: Option<Percentiles>,
    /// The processor time that the server's processes took, in per cent of one core.
    pub server_cpu_percent: Option<f64>,
    /// The memory that the server's processes had resident at its end.
    pub server_memory_bytes: Option<u64>,
    /// The processor time that the load generator itself took, in per cent of one core.
    pub load_cpu_percent: Option<f64>,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connections are opened; nothing is sent yet.
    #[default]
    Opening,
    /// Messages are sent to warm the server up. They are counted nowhere, in this second or a later one.
    WarmUp,
    /// Messages are sent.
    Load,
    /// Nothing more is sent, and what is still out may arrive.
    Grace,
}

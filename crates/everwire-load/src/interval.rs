use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Histogram;
use crate::reason::harmless;

/// How many different reasons are counted separately; the rest count as one.
const REASONS: usize = 30;

/// The report of a worker process: what it has counted since the last one, and the current gauges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interval {
    pub(crate) now: Gauges,
    pub(crate) counts: Counts,
}

/// The current state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gauges {
    /// Clients that have been connected or have failed to.
    pub(crate) settled: u64,
    pub(crate) connected: u64,
    /// Subscribers that were connected when sending began, and should receive all that is published.
    pub(crate) expecting: u64,
    /// Clients that have something left to send.
    pub(crate) sending: u64,
    /// Pings that came due and wait for a connection.
    pub(crate) unsent: u64,
}

/// What has happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) opened: u64,
    pub(crate) disconnects: u64,
    pub(crate) reconnects: u64,
    pub(crate) failed_dials: u64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) answered_again: u64,
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) delivered_again: u64,
    /// Messages that the socket had no room for.
    pub(crate) overflowed: u64,
    pub(crate) unexpected: u64,
    /// The cause of the first connection that closed because a message was too large.
    pub(crate) too_large: Option<String>,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) handshake: Histogram,
    pub(crate) round_trip: Histogram,
    pub(crate) one_way: Histogram,
    pub(crate) lag: Histogram,
}

impl Interval {
    /// Adds the report of another process for the same time.
    pub(crate) fn join(&mut self, other: &Self) {
        let Gauges { settled, connected, expecting, sending, unsent } = other.now;
        self.now.settled += settled;
        self.now.connected += connected;
        self.now.expecting += expecting;
        self.now.sending += sending;
        self.now.unsent += unsent;
        self.counts.add(&other.counts);
    }

    /// Adds a later report of the same processes.
    pub(crate) fn follow(&mut self, later: &Self) {
        self.now = later.now;
        self.counts.add(&later.counts);
    }
}

impl Counts {
    /// Counts the reason of a failure, which may be text of the server.
    pub(crate) fn reason(&mut self, reason: &str) {
        self.reasons(harmless(reason), 1);
    }

    /// Records that a message was too large, with the cause.
    pub(crate) fn too_large(&mut self, reason: &str) {
        self.too_large.get_or_insert_with(|| harmless(reason));
    }

    fn reasons(&mut self, reason: String, times: u64) {
        let is_known = self.reasons.contains_key(&reason) || self.reasons.len() < REASONS;
        let reason = if is_known { reason } else { "other reasons".to_owned() };
        *self.reasons.entry(reason).or_default() += times;
    }

    /// Messages that came back or arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.answered + self.delivered
    }

    fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.disconnects += other.disconnects;
        self.reconnects += other.reconnects;
        self.failed_dials += other.failed_dials;
        self.sent += other.sent;
        self.answered += other.answered;
        self.answered_again += other.answered_again;
        self.published += other.published;
        self.delivered += other.delivered;
        self.delivered_again += other.delivered_again;
        self.overflowed += other.overflowed;
        self.unexpected += other.unexpected;
        self.too_large = self.too_large.take().or_else(|| other.too_large.clone());
        for (reason, times) in &other.reasons {
            self.reasons(reason.clone(), *times);
        }
        self.handshake.merge(&other.handshake);
        self.round_trip.merge(&other.round_trip);
        self.one_way.merge(&other.one_way);
        self.lag.merge(&other.lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_over_the_limit_are_counted_together() {
        let mut counts = Counts::default();
        (0..100).for_each(|number| counts.reason(&format!("reason\n{number}")));
        assert_eq!((counts.reasons.len(), counts.reasons["other reasons"]), (REASONS + 1, 70));
        assert!(counts.reasons.contains_key("reason�7"));
    }
}

use core::time::Duration;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::dialect::{Dialect, Purpose};
use crate::units::Period;

/// What a run is to do, the same for all processes that take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Drawn for each run.
    pub(crate) run: u32,
    /// Where those connect that ping.
    pub(crate) url: Url,
    /// Where those connect that publish and subscribe.
    pub(crate) subscribe_url: Url,
    pub(crate) dialect: Dialect,
    /// Connections that ping or subscribe.
    pub(crate) connections: u32,
    /// How many of them subscribe.
    pub(crate) subscribers: u32,
    /// Connections that publish, in addition to the others.
    pub(crate) publishers: u32,
    /// New connections a second, all processes together.
    pub(crate) rate: f64,
    pub(crate) ping_period: Period,
    pub(crate) publish_period: Period,
    /// Bytes.
    pub(crate) payload: usize,
    /// Whether messages are binary instead of text.
    pub(crate) binary: bool,
    /// What to offer, the most wanted first.
    pub(crate) subprotocols: Vec<String>,
    /// Additional headers of the requests that open connections.
    pub(crate) headers: Vec<(String, String)>,
    /// The roots for `wss://`, as PEM; `None` for the default.
    pub(crate) root_certificates: Option<String>,
    /// For how long messages are sent before they count.
    pub(crate) warm_up: Duration,
    /// For how long messages are sent that count.
    pub(crate) duration: Duration,
    /// For how long answers are waited for after that.
    pub(crate) grace: Duration,
    pub(crate) processes: u32,
    /// Threads of each process.
    pub(crate) threads: usize,
    /// Makes the times of the messages the same from run to run.
    pub(crate) seed: u64,
    /// The client's own addresses, taken in turn; empty for the system's choice.
    pub(crate) source_addresses: Vec<IpAddr>,
}

/// One connection's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) purpose: Purpose,
}

impl Plan {
    /// All connections.
    pub(crate) fn total(&self) -> u32 {
        self.connections + self.publishers
    }

    /// The connections of one of the processes, which take them in turn, so that all have the same mixture.
    pub(crate) fn parts_of(&self, process: u32) -> impl Iterator<Item = Part> + '_ {
        (process..self.total()).step_by(self.processes as usize).map(|number| self.part(number))
    }

    /// When a connection is opened, after the first one.
    pub(crate) fn opens_at(&self, number: u32) -> Duration {
        Duration::from_secs_f64(f64::from(number) / self.rate)
    }

    pub(crate) fn source_address(&self, number: u32) -> Option<IpAddr> {
        let index = (number as usize).checked_rem(self.source_addresses.len())?;
        self.source_addresses.get(index).copied()
    }

    /// Subscribers are spread evenly among the others; the publishers come last.
    fn part(&self, number: u32) -> Part {
        let subscribers_below =
            |number: u32| u64::from(number) * u64::from(self.subscribers) / u64::from(self.connections.max(1));
        let purpose = if number >= self.connections {
            Purpose::Publish
        } else if subscribers_below(number + 1) > subscribers_below(number) {
            Purpose::Subscribe
        } else {
            Purpose::Ping
        };
        Part { number, purpose }
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::tests::plan;

    use super::*;

    fn count(parts: &[Part], purpose: Purpose) -> usize {
        parts.iter().filter(|part| part.purpose == purpose).count()
    }

    #[test]
    fn the_processes_share_all_connections_and_each_has_its_part_of_the_subscribers() {
        let flags = ["--connections", "1001", "--subscribers", "0.3", "--publishers", "2", "--processes", "3"];
        let plan = plan(&flags).unwrap();
        let shares: Vec<Vec<Part>> = (0..3).map(|process| plan.parts_of(process).collect()).collect();
        for share in &shares {
            assert!((98..=102).contains(&count(share, Purpose::Subscribe)), "{}", count(share, Purpose::Subscribe));
        }
        let mut all = shares.concat();
        all.sort_by_key(|part| part.number);
        assert!(all.iter().map(|part| part.number).eq(0..1003));
        assert_eq!(count(&all, Purpose::Subscribe), 300);
        assert_eq!(count(&all, Purpose::Publish), 2);
    }

    #[test]
    fn connections_are_opened_at_the_rate_asked_for() {
        let plan = plan(&["--connections", "100", "--rate", "50/s"]).unwrap();
        assert_eq!(plan.opens_at(0), Duration::ZERO);
        assert_eq!(plan.opens_at(99), Duration::from_millis(1980));
        let slowest = super::Plan { rate: crate::units::SLOWEST, connections: 10_000_000, ..plan };
        assert_eq!(slowest.opens_at(10_000_000), Duration::from_secs(3600) * 10_000_000);
    }
}

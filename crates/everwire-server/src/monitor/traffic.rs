use everwire_companion_api::monitor::{EndpointTraffic, WorkerTraffic};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::machine::tenths;
use crate::Everwire;
use crate::endpoints::Endpoint;
use crate::metrics::{Counter, EndpointMetrics, Metrics};

/// The server's counters as they were read last, from which follows what happens in a second.
pub(super) struct Traffic {
    read_at: Instant,
    endpoints: Vec<Totals>,
    workers: Vec<Totals>,
}

/// What the server did since the reading before.
pub(super) struct Reading {
    pub(super) endpoints: Vec<EndpointTraffic>,
    pub(super) workers: Vec<WorkerTraffic>,
}

/// Counts that only grow.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Traffic {
    /// Begins to count.
    pub(super) fn start(everwire: &Everwire, now: Instant) -> Self {
        let metrics = everwire.metrics();
        Self {
            read_at: now,
            endpoints: Endpoint::ALL.map(|endpoint| Totals::of_endpoint(metrics.of(endpoint))).into(),
            workers: (0..workers()).map(|index| Totals::of_worker(metrics, index)).collect(),
        }
    }

    /// Reads the counters.
    pub(super) fn read(&mut self, everwire: &Everwire, now: Instant) -> Reading {
        let metrics = everwire.metrics();
        let seconds = (now - self.read_at).as_secs_f64();
        self.read_at = now;
        let endpoints = Endpoint::ALL.into_iter().zip(&mut self.endpoints).map(|(endpoint, totals)| {
            let of = metrics.of(endpoint);
            let connections = of.connections();
            let rates = totals.advance(Totals::of_endpoint(of), seconds);
            let Rates { messages_in, messages_out, bytes_in, bytes_out } = rates;
            EndpointTraffic {
                path: endpoint.path().to_owned(),
                connections,
                messages_in,
                messages_out,
                bytes_in,
                bytes_out,
            }
        });
        let endpoints = endpoints.collect();
        let loads = everwire.registry().worker_loads(self.workers.len());
        let workers = loads.into_iter().zip(&mut self.workers).enumerate().map(|(index, (load, totals))| {
            let rates = totals.advance(Totals::of_worker(metrics, index), seconds);
            WorkerTraffic {
                connections: load.connections,
                messages_in: rates.messages_in,
                messages_out: rates.messages_out,
                queued: load.queued,
                largest_queue: load.largest_queue,
            }
        });
        Reading { endpoints, workers: workers.collect() }
    }
}

/// How many workers are told apart: the runtime's, as far as the counters have places for them.
fn workers() -> usize {
    Handle::current().metrics().num_workers().min(Counter::places())
}

impl Totals {
    fn of_endpoint(of: &EndpointMetrics) -> Self {
        Self {
            messages_in: of.messages_in.value(),
            messages_out: of.messages_out.value(),
            bytes_in: of.bytes_in.value(),
            bytes_out: of.bytes_out.value(),
        }
    }

    fn of_worker(metrics: &Metrics, index: usize) -> Self {
        let mut totals = Self::default();
        for of in Endpoint::ALL.map(|endpoint| metrics.of(endpoint)) {
            totals.messages_in += of.messages_in.by_worker(index);
            totals.messages_out += of.messages_out.by_worker(index);
            totals.bytes_in += of.bytes_in.by_worker(index);
            totals.bytes_out += of.bytes_out.by_worker(index);
        }
        totals
    }

    /// Takes in what was counted after so many seconds, and says how much that was in one.
    fn advance(&mut self, after: Self, seconds: f64) -> Rates {
        let before = std::mem::replace(self, after);
        let rate = |before: u64, after: u64| {
            if seconds > 0.0 { tenths(after.saturating_sub(before) as f64 / seconds) } else { 0.0 }
        };
        Rates {
            messages_in: rate(before.messages_in, after.messages_in),
            messages_out: rate(before.messages_out, after.messages_out),
            bytes_in: rate(before.bytes_in, after.bytes_in),
            bytes_out: rate(before.bytes_out, after.bytes_out),
        }
    }
}

/// Counts in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    messages_in: f64,
    messages_out: f64,
    bytes_in: f64,
    bytes_out: f64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn a_rate_is_over_the_time_that_really_went_by() {
        let everwire = Everwire::new(Config::default());
        let (echo, sum) = (everwire.metrics().of(Endpoint::Echo), everwire.metrics().of(Endpoint::Sum));
        let start = Instant::now();
        echo.messages_in.add(1_000);
        let mut traffic = Traffic::start(&everwire, start);
        echo.messages_in.add(300);
        echo.bytes_out.add(90);
        sum.messages_in.add(3);
        let reading = traffic.read(&everwire, start + Duration::from_millis(1_500));
        let told = &reading.endpoints[Endpoint::Echo as usize];
        assert_eq!((told.messages_in, told.messages_out, told.bytes_out), (200.0, 0.0, 60.0));
        assert_eq!(reading.workers.iter().map(|worker| worker.messages_in).sum::<f64>(), 202.0);

        let idle = traffic.read(&everwire, start + Duration::from_secs(3));
        assert_eq!(idle.endpoints[Endpoint::Echo as usize].messages_in, 0.0);
    }

    #[test]
    fn two_readings_at_once_divide_by_nothing() {
        let mut totals = Totals::default();
        assert_eq!(totals.advance(Totals { messages_in: 9, ..totals }, 0.0).messages_in, 0.0);
    }
}

use everwire_companion_api::monitor::{EndpointTraffic, WorkerTraffic};
use everwire_server::{Everwire, Totals, WorkerLoad};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::machine::tenths;

/// The counters of the server at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrafficCounters {
    /// The name of each endpoint, its open connections and totals.
    endpoints: Vec<(String, u64, Totals)>,
    workers: Vec<(WorkerLoad, Totals)>,
}

/// The last reading of the server's totals, which rates are computed from.
pub(crate) struct TrafficMeter {
    read_at: Instant,
    endpoints: Vec<Totals>,
    workers: Vec<Totals>,
}

/// Rates of the server since the reading before.
pub(crate) struct TrafficRates {
    pub(crate) endpoints: Vec<EndpointTraffic>,
    pub(crate) workers: Vec<WorkerTraffic>,
}

impl TrafficCounters {
    /// Reads the counters.
    pub(crate) fn read(everwire: &Everwire) -> Self {
        let endpoints = everwire.endpoints();
        // As many as the counters distinguish.
        let workers = Handle::current().metrics().num_workers().min(everwire.counted_workers());
        let of_worker = |index| {
            endpoints.iter().fold(Totals::default(), |mut sum, endpoint| {
                let totals = endpoint.worker_totals(index);
                sum.messages_in += totals.messages_in;
                sum.messages_out += totals.messages_out;
                sum.bytes_in += totals.bytes_in;
                sum.bytes_out += totals.bytes_out;
                sum
            })
        };
        let loads = everwire.worker_loads(workers).into_iter().enumerate();
        Self {
            workers: loads.map(|(index, load)| (load, of_worker(index))).collect(),
            endpoints: endpoints.iter().map(|of| (of.name().to_owned(), of.connections(), of.totals())).collect(),
        }
    }
}

impl TrafficMeter {
    /// Takes the first reading.
    pub(crate) fn start(counts: TrafficCounters, now: Instant) -> Self {
        Self {
            read_at: now,
            endpoints: counts.endpoints.into_iter().map(|(_, _, totals)| totals).collect(),
            workers: counts.workers.into_iter().map(|(_, totals)| totals).collect(),
        }
    }

    /// Reads the counters and computes rates.
    pub(crate) fn read(&mut self, counts: TrafficCounters, now: Instant) -> TrafficRates {
        let seconds = (now - self.read_at).as_secs_f64();
        self.read_at = now;
        let endpoints = counts.endpoints.into_iter().zip(&mut self.endpoints);
        let endpoints = endpoints.map(|((path, connections, totals), before)| {
            let Rates { messages_in, messages_out, bytes_in, bytes_out } = advance(before, totals, seconds);
            EndpointTraffic { path, connections, messages_in, messages_out, bytes_in, bytes_out }
        });
        let workers = counts.workers.into_iter().zip(&mut self.workers).map(|((load, totals), before)| {
            let rates = advance(before, totals, seconds);
            WorkerTraffic {
                connections: load.connections,
                messages_in: rates.messages_in,
                messages_out: rates.messages_out,
                queued: load.queued,
                largest_queue: load.largest_queue,
            }
        });
        TrafficRates { endpoints: endpoints.collect(), workers: workers.collect() }
    }
}

/// Replaces the totals by those after so many seconds. Returns the rates.
fn advance(totals: &mut Totals, after: Totals, seconds: f64) -> Rates {
    let before = std::mem::replace(totals, after);
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

/// Counts per second.
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

    fn totals(messages_in: u64, bytes_out: u64) -> Totals {
        let mut totals = Totals::default();
        (totals.messages_in, totals.bytes_out) = (messages_in, bytes_out);
        totals
    }

    fn counts(messages_in: u64, bytes_out: u64) -> TrafficCounters {
        let totals = totals(messages_in, bytes_out);
        TrafficCounters {
            endpoints: vec![("/echo".to_owned(), 1, totals)],
            workers: vec![(WorkerLoad::default(), totals), (WorkerLoad::default(), totals)],
        }
    }

    #[test]
    fn a_rate_is_computed_over_the_time_that_passed() {
        let start = Instant::now();
        let mut traffic = TrafficMeter::start(counts(1_000, 0), start);
        let reading = traffic.read(counts(1_300, 90), start + Duration::from_millis(1_500));
        let echo = &reading.endpoints[0];
        assert_eq!((echo.connections, echo.messages_in, echo.messages_out, echo.bytes_out), (1, 200.0, 0.0, 60.0));
        assert_eq!(reading.workers.iter().map(|worker| worker.messages_in).sum::<f64>(), 400.0);

        let idle = traffic.read(counts(1_300, 90), start + Duration::from_secs(3));
        assert_eq!(idle.endpoints[0].messages_in, 0.0);
    }

    #[test]
    fn two_readings_at_once_do_not_divide_by_zero() {
        assert_eq!(advance(&mut totals(0, 0), totals(9, 0), 0.0).messages_in, 0.0);
    }
}

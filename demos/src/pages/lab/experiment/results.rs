use everwire_companion_api::lab::Usage;

use super::Plan;
use crate::pages::lab::numbers::{Csv, Sorted, Summary};
use crate::pages::lab::transport::Transport;

/// What came of an experiment, so far or in the end.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pages::lab) struct Results {
    pub(in crate::pages::lab) plan: Plan,
    /// Under which conditions: the polling period, the network.
    pub(in crate::pages::lab) conditions: String,
    of: [Of; 5],
}

/// What came of it for one transport.
#[derive(Clone, Debug, Default, PartialEq)]
struct Of {
    /// Round trips in milliseconds, call after call and set after set; not a number for a call that was not answered.
    round_trips: Vec<f64>,
    /// Those that are numbers, kept in order since they are shown all the time.
    sorted: Sorted,
    used: Usage,
}

impl Results {
    pub(in crate::pages::lab) fn new(plan: Plan, conditions: String) -> Self {
        Self { plan, conditions, of: Default::default() }
    }

    pub(in crate::pages::lab) fn record(&mut self, transport: Transport, round_trip: Option<f64>) {
        let of = &mut self.of[transport as usize];
        of.round_trips.push(round_trip.unwrap_or(f64::NAN));
        round_trip.iter().for_each(|time| of.sorted.insert(*time));
    }

    /// Adds what the calls of a set used.
    pub(in crate::pages::lab) fn used(&mut self, transport: Transport, used: Usage) {
        self.of[transport as usize].used += used;
    }

    /// How many calls were made.
    pub(in crate::pages::lab) fn made(&self) -> usize {
        self.of.iter().map(|of| of.round_trips.len()).sum()
    }

    pub(in crate::pages::lab) fn is_complete(&self) -> bool {
        self.made() == self.plan.total()
    }

    pub(in crate::pages::lab) fn round_trips(&self, transport: Transport) -> &[f64] {
        &self.of[transport as usize].round_trips
    }

    /// The round trips of the calls that were answered.
    pub(in crate::pages::lab) fn sorted(&self, transport: Transport) -> &Sorted {
        &self.of[transport as usize].sorted
    }

    pub(in crate::pages::lab) fn summary(&self, transport: Transport) -> Option<Summary> {
        Summary::of(self.sorted(transport))
    }

    pub(in crate::pages::lab) fn unanswered(&self, transport: Transport) -> usize {
        self.round_trips(transport).len() - self.sorted(transport).len()
    }

    pub(in crate::pages::lab) fn usage(&self, transport: Transport) -> &Usage {
        &self.of[transport as usize].used
    }

    /// A row for each call.
    pub(in crate::pages::lab) fn samples_csv(&self) -> String {
        let mut csv = Csv::default();
        csv.row(["transport", "set", "call", "round_trip_ms"]);
        for transport in &self.plan.transports {
            for (index, time) in self.round_trips(*transport).iter().enumerate() {
                let (set, call) = (index / self.plan.calls + 1, index % self.plan.calls + 1);
                let time = if time.is_nan() { String::new() } else { format!("{time:.3}") };
                csv.row([transport.name(), &set.to_string(), &call.to_string(), &time]);
            }
        }
        csv.into_text()
    }

    /// A row for each transport.
    pub(in crate::pages::lab) fn summary_csv(&self) -> String {
        let mut csv = Csv::default();
        csv.row([
            "transport",
            "conditions",
            "calls",
            "unanswered",
            "mean_ms",
            "sd_ms",
            "p50_ms",
            "p99_ms",
            "min_ms",
            "max_ms",
            "requests",
            "overhead_bytes",
            "overhead_bytes_per_call",
        ]);
        for transport in &self.plan.transports {
            let answered = self.sorted(*transport).len();
            let mut row = vec![transport.name().to_owned(), self.conditions.clone(), answered.to_string()];
            row.push(self.unanswered(*transport).to_string());
            let figures = self.summary(*transport).map_or([f64::NAN; 6], |summary| {
                let Summary { mean, deviation, p50, p99, min, max, .. } = summary;
                [mean, deviation, p50, p99, min, max]
            });
            row.extend(figures.map(|ms| if ms.is_finite() { format!("{ms:.3}") } else { String::new() }));
            let used = self.usage(*transport);
            row.extend([used.requests.to_string(), used.overhead().to_string()]);
            row.push(self.overhead_of_a_call(*transport).map_or_else(String::new, |bytes| format!("{bytes:.1}")));
            csv.row(row);
        }
        csv.into_text()
    }

    /// Bytes of overhead for a question and its answer.
    pub(in crate::pages::lab) fn overhead_of_a_call(&self, transport: Transport) -> Option<f64> {
        self.usage(transport).overhead_per_message()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let plan = Plan { calls: 2, sets: 1, transports: vec![Transport::Polling, Transport::WebSocket] };
        let mut results = Results::new(plan, "polled every 500 ms, delay 20 ms".to_owned());
        results.record(Transport::Polling, Some(250.5));
        results.record(Transport::Polling, None);
        results.record(Transport::WebSocket, Some(1.0));
        results.record(Transport::WebSocket, Some(3.0));
        results.used(Transport::WebSocket, Usage { requests: 1, read: 36, written: 32, messages: 2, payload: 52 });
        results
    }

    #[test]
    fn every_call_is_a_row_and_one_without_an_answer_has_no_time() {
        let rows: Vec<String> = results().samples_csv().lines().map(str::to_owned).collect();
        assert_eq!(
            rows,
            [
                "transport,set,call,round_trip_ms",
                "Polling,1,1,250.500",
                "Polling,1,2,",
                "WebSocket,1,1,1.000",
                "WebSocket,1,2,3.000"
            ]
        );
    }

    #[test]
    fn the_summary_says_under_which_conditions() {
        let csv = results().summary_csv();
        let last = csv.lines().last().unwrap();
        let expected =
            "WebSocket,\"polled every 500 ms, delay 20 ms\",2,0,2.000,1.414,1.000,3.000,1.000,3.000,1,16,8.0";
        assert_eq!(last, expected);
        assert!(csv.lines().nth(1).unwrap().contains(",1,1,250.500,"));
    }

    #[test]
    fn a_transport_that_never_answered_is_told_with_its_calls() {
        let plan = Plan { calls: 2, sets: 1, transports: vec![Transport::Events, Transport::WebSocket] };
        let mut results = Results::new(plan, "as they are".to_owned());
        results.record(Transport::Events, None);
        results.record(Transport::Events, None);
        results.record(Transport::WebSocket, Some(1.0));
        let csv = results.summary_csv();
        let rows: Vec<&str> = csv.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "Server-sent events,as they are,0,2,,,,,,,0,0,",
                "WebSocket,as they are,1,0,1.000,,1.000,1.000,1.000,1.000,0,0,"
            ]
        );
    }

    #[test]
    fn it_is_complete_when_every_call_was_made() {
        let mut results = results();
        assert!(results.is_complete());
        results.plan.sets = 2;
        assert_eq!((results.made(), results.is_complete()), (4, false));
    }
}

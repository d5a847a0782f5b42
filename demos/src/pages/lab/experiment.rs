//! Sets of calls: the same number of calls over each transport in turn, set by set.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use everwire::SocketHandle;
use everwire_companion_api::lab::{Item, Usage};
use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_util::future::{Either, join, select};
use futures_util::{StreamExt, pin_mut};
use gloo_timers::future::TimeoutFuture;

use super::export::Csv;
use super::feed::{fetch_accounts, now, random_name};
use super::reader::{Reader, ReaderEvent, ReaderOptions, post};
use super::settings::{Network, Transport};
use super::statistics::{Sorted, Summary};

/// The calls to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Calls per set.
    pub(super) calls: usize,
    /// Sets per transport.
    pub(super) sets: usize,
    pub(super) transports: Vec<Transport>,
}

impl Plan {
    pub(super) const CALLS: [usize; 5] = [1, 10, 30, 100, 1000];
    pub(super) const DEFAULT_CALLS: usize = 10;
    pub(super) const SETS: [usize; 5] = [10, 20, 30, 50, 100];

    pub(super) fn total(&self) -> usize {
        self.calls * self.sets * self.transports.len()
    }

    /// The order of the transports in a set. Each set begins with another one, so that every transport meets the same conditions of the
    /// machine.
    pub(super) fn order(&self, set: usize) -> Vec<Transport> {
        let mut order = self.transports.clone();
        if !order.is_empty() {
            let first = set % order.len();
            order.rotate_left(first);
        }
        order
    }
}

/// The results of an experiment, which may still be running.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Results {
    pub(super) plan: Plan,
    /// A description of the polling interval and the network.
    pub(super) conditions: String,
    by_transport: [TransportResults; 5],
}

/// The results of one transport.
#[derive(Clone, Debug, Default, PartialEq)]
struct TransportResults {
    /// Round trips in milliseconds, in the order of the calls; NaN for a call without an answer.
    round_trips: Vec<f64>,
    /// The same without NaN, kept in order since they are shown all the time.
    sorted: Sorted,
    usage: Usage,
}

impl Results {
    pub(super) fn new(plan: Plan, conditions: String) -> Self {
        Self { plan, conditions, by_transport: Default::default() }
    }

    pub(super) fn record(&mut self, transport: Transport, round_trip: Option<f64>) {
        let results = &mut self.by_transport[transport as usize];
        results.round_trips.push(round_trip.unwrap_or(f64::NAN));
        round_trip.iter().for_each(|time| results.sorted.insert(*time));
    }

    /// Adds the bytes of a set.
    pub(super) fn add_usage(&mut self, transport: Transport, usage: Usage) {
        self.by_transport[transport as usize].usage += usage;
    }

    /// The number of calls that were made.
    pub(super) fn made(&self) -> usize {
        self.by_transport.iter().map(|results| results.round_trips.len()).sum()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.made() == self.plan.total()
    }

    pub(super) fn round_trips(&self, transport: Transport) -> &[f64] {
        &self.by_transport[transport as usize].round_trips
    }

    /// The round trips of the answered calls.
    pub(super) fn sorted(&self, transport: Transport) -> &Sorted {
        &self.by_transport[transport as usize].sorted
    }

    pub(super) fn summary(&self, transport: Transport) -> Option<Summary> {
        Summary::of(self.sorted(transport))
    }

    pub(super) fn unanswered(&self, transport: Transport) -> usize {
        self.round_trips(transport).len() - self.sorted(transport).len()
    }

    pub(super) fn usage(&self, transport: Transport) -> &Usage {
        &self.by_transport[transport as usize].usage
    }

    /// A row for each call.
    pub(super) fn samples_csv(&self) -> String {
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
    pub(super) fn summary_csv(&self) -> String {
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
            let usage = self.usage(*transport);
            row.extend([usage.requests.to_string(), usage.overhead().to_string()]);
            row.push(self.overhead_per_call(*transport).map_or_else(String::new, |bytes| format!("{bytes:.1}")));
            csv.row(row);
        }
        csv.into_text()
    }

    /// Bytes of overhead per call, request and answer together.
    pub(super) fn overhead_per_call(&self, transport: Transport) -> Option<f64> {
        self.usage(transport).overhead_per_message()
    }
}

/// How long an answer may take, in milliseconds.
const TIMEOUT: u32 = 20_000;

/// Where and how calls are made.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    /// The URL of the server: `ws://127.0.0.1:9001`.
    pub(super) base: String,
    pub(super) network: Network,
    /// Milliseconds between two polls.
    pub(super) period: u32,
}

/// Makes the calls of a plan. Dropping the future stops it at once.
pub(super) async fn run(plan: Plan, environment: Environment, results: Rc<RefCell<Results>>) {
    let name = random_name();
    for set in 0..plan.sets {
        for transport in plan.order(set) {
            let Some(mut caller) = Caller::connect(environment.options(&name, transport, set)).await else {
                (0..plan.calls).for_each(|_| results.borrow_mut().record(transport, None));
                continue;
            };
            let before = caller.usage().await;
            for number in 0..plan.calls {
                caller.desynchronize().await;
                // Unique over all sets, so that a late answer is not taken for that of another call.
                let round_trip = caller.call((set * plan.calls + number) as u64).await;
                results.borrow_mut().record(transport, round_trip);
            }
            if let (Some(before), Some(after)) = (before, caller.usage().await) {
                results.borrow_mut().add_usage(transport, after.since(&before));
            }
        }
    }
}

impl Environment {
    /// All sets of a transport share one log of answers, since the server limits the number of logs. Each set has an account of its own, so
    /// that late bytes of a set, such as those that close its connection, are not counted for the next.
    fn options(&self, run: &str, transport: Transport, set: usize) -> ReaderOptions {
        let name = format!("{run}-{}", transport.key());
        ReaderOptions {
            transport,
            base: self.base.clone(),
            query: format!("call={name}{}", self.network.parameter()),
            account: format!("{name}-{set}"),
            period: self.period,
        }
    }
}

/// A connected transport that makes calls.
struct Caller {
    options: ReaderOptions,
    socket: Option<SocketHandle>,
    events: UnboundedReceiver<ReaderEvent>,
    _reader: Reader,
}

impl Caller {
    /// `None` if the server does not answer in time.
    async fn connect(options: ReaderOptions) -> Option<Self> {
        let (sender, events) = unbounded();
        // Sending fails only when the caller was dropped, and the reader with it.
        let reader = Reader::open(options.clone(), Rc::new(move |event| drop(sender.unbounded_send(event))));
        let mut caller = Self { options, socket: reader.socket.clone(), events, _reader: reader };
        let is_ready = |event: &ReaderEvent| matches!(event, ReaderEvent::Open | ReaderEvent::Item(Item::Start { .. }));
        caller.wait_for(is_ready).await.then_some(caller)
    }

    /// Waits for a random part of the polling interval. A call right after an answer, which arrives with a poll, would always wait for a
    /// whole interval; calls of users come at any time.
    async fn desynchronize(&self) {
        if self.options.transport == Transport::Polling {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most an interval")]
            let delay = (js_sys::Math::random() * f64::from(self.options.period)) as u32;
            TimeoutFuture::new(delay).await;
        }
    }

    /// Makes a call and returns its round trip in milliseconds; `None` without an answer.
    async fn call(&mut self, number: u64) -> Option<f64> {
        let request = format!("{{\"call\":{number}}}");
        let start = now();
        let url = self.options.http("echo");
        let socket = self.socket.clone();
        let send = with_timeout(async move {
            match socket {
                Some(socket) => socket.send(request).is_ok(),
                None => post(&url, &request).await.is_ok(),
            }
        });
        let answer = async {
            let is_answer =
                |event: &ReaderEvent| matches!(event, ReaderEvent::Item(Item::Call { call }) if *call == number);
            self.wait_for(is_answer).await.then(|| now() - start)
        };
        // The answer may arrive before the response to the POST request. The bytes of both belong to the call, so it waits for both.
        join(send, answer).await.1
    }

    /// `None` if the server does not answer in time.
    async fn usage(&self) -> Option<Usage> {
        let account = self.options.account.as_str();
        with_timeout(fetch_accounts(&self.options.base, std::iter::once(account))).await?.get(account).copied()
    }

    async fn wait_for(&mut self, is_match: impl Fn(&ReaderEvent) -> bool) -> bool {
        let found = async {
            while let Some(event) = self.events.next().await {
                if is_match(&event) {
                    return true;
                }
            }
            false
        };
        with_timeout(found).await.unwrap_or(false)
    }
}

/// `None` on timeout, after which the future is dropped.
async fn with_timeout<T>(work: impl Future<Output = T>) -> Option<T> {
    pin_mut!(work);
    match select(work, TimeoutFuture::new(TIMEOUT)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_is_at_each_position_equally_often() {
        let plan = Plan { calls: 1, sets: 10, transports: Transport::ALL.to_vec() };
        for place in 0..5 {
            let mut there: Vec<_> = (0..plan.sets).map(|set| plan.order(set)[place]).collect();
            there.sort();
            there.dedup();
            assert_eq!(there.len(), 5, "place {place}");
        }
        assert_eq!(plan.total(), 50);
    }

    fn results() -> Results {
        let plan = Plan { calls: 2, sets: 1, transports: vec![Transport::Polling, Transport::WebSocket] };
        let mut results = Results::new(plan, "polled every 500 ms, delay 20 ms".to_owned());
        results.record(Transport::Polling, Some(250.5));
        results.record(Transport::Polling, None);
        results.record(Transport::WebSocket, Some(1.0));
        results.record(Transport::WebSocket, Some(3.0));
        results.add_usage(Transport::WebSocket, Usage { requests: 1, read: 36, written: 32, messages: 2, payload: 52 });
        results
    }

    #[test]
    fn every_call_has_a_row_and_one_without_an_answer_has_no_time() {
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
    fn the_summary_names_the_conditions() {
        let csv = results().summary_csv();
        let last = csv.lines().last().unwrap();
        let expected =
            "WebSocket,\"polled every 500 ms, delay 20 ms\",2,0,2.000,1.414,1.000,3.000,1.000,3.000,1,16,8.0";
        assert_eq!(last, expected);
        assert!(csv.lines().nth(1).unwrap().contains(",1,1,250.500,"));
    }

    #[test]
    fn the_summary_has_a_row_for_a_transport_that_never_answered() {
        let plan = Plan { calls: 2, sets: 1, transports: vec![Transport::Events, Transport::WebSocket] };
        let mut results = Results::new(plan, "no faults".to_owned());
        results.record(Transport::Events, None);
        results.record(Transport::Events, None);
        results.record(Transport::WebSocket, Some(1.0));
        let csv = results.summary_csv();
        let rows: Vec<&str> = csv.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "Server-sent events,no faults,0,2,,,,,,,0,0,",
                "WebSocket,no faults,1,0,1.000,,1.000,1.000,1.000,1.000,0,0,"
            ]
        );
    }

    #[test]
    fn an_experiment_is_complete_when_every_call_was_made() {
        let mut results = results();
        assert!(results.is_complete());
        results.plan.sets = 2;
        assert_eq!((results.made(), results.is_complete()), (4, false));
    }

    #[test]
    fn all_sets_of_a_transport_share_a_log_and_each_has_its_own_account() {
        let environment = Environment { base: String::new(), network: Network::default(), period: 100 };
        let of = |run, transport, set| {
            let options = environment.options(run, transport, set);
            (options.query, options.account)
        };
        let (one, other) =
            (of("1fffffffffffff", Transport::LongPolling, 0), of("1fffffffffffff", Transport::LongPolling, 99));
        assert_eq!(one.0, other.0);
        assert_ne!(one.1, other.1);
        assert_ne!(of("a", Transport::Polling, 0).0, of("a", Transport::Events, 0).0);
        assert_ne!(of("a", Transport::Polling, 0).0, of("b", Transport::Polling, 0).0);
        assert!(other.1.len() <= 40, "the server accepts names of up to 40 letters, digits and hyphens");
    }
}

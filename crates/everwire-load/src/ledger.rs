use std::time::Instant;

use crate::interval::Interval;
use crate::plan::Plan;
use crate::record::{Deliveries, LoadUse, Opening, Phase, RoundTrips, SHORTEST, Second, ServerUse, Setting, Summary};
use crate::server::Use;

/// Sums up what the workers tell: second by second, and in all.
#[derive(Debug)]
pub(crate) struct Ledger {
    started: Instant,
    total: Interval,
    second: Interval,
    seconds: Vec<Second>,
    server: Usage,
    load: Usage,
    cut_at: Instant,
    at_start: Option<Start>,
    at_begin: Option<Begin>,
    at_end: End,
}

/// How things stood when sending began, be it to warm up.
#[derive(Clone, Copy, Debug)]
struct Start {
    at: Instant,
    connected: u64,
    /// What the server's processes had resident.
    memory: Option<u64>,
}

/// How things stood when the load began: when messages began to count.
#[derive(Clone, Copy, Debug)]
struct Begin {
    at: Instant,
    server: Option<Use>,
    load: Option<Use>,
}

/// How things stood when the load ended; what arrives later is not the load's throughput.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    load_s: f64,
    arrived: u64,
    server: Option<Use>,
    load: Option<Use>,
}

/// What some processes used at the times that count.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    first: Option<Use>,
    last: Option<Use>,
    cpu_max: f64,
    memory_max: u64,
}

impl Ledger {
    /// With what the server's and the program's own processes used before anything was done.
    pub(crate) fn new(now: Instant, server: Option<Use>, load: Option<Use>) -> Self {
        Self {
            started: now,
            total: Interval::default(),
            second: Interval::default(),
            seconds: Vec::new(),
            server: Usage::start(server),
            load: Usage::start(load),
            cut_at: now,
            at_start: None,
            at_begin: None,
            at_end: End::default(),
        }
    }

    pub(crate) fn add(&mut self, report: &Interval) {
        self.total.follow(report);
        self.second.follow(report);
    }

    pub(crate) fn total(&self) -> &Interval {
        &self.total
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// Since when the current second goes on.
    pub(crate) fn cut_at(&self) -> Instant {
        self.cut_at
    }

    /// Ends a second.
    pub(crate) fn cut(&mut self, now: Instant, phase: Phase, server: Option<Use>, load: Option<Use>) -> &Second {
        let Interval { now: gauges, counts } = core::mem::take(&mut self.second);
        let second = Second {
            at_s: (now - self.started).as_secs_f64(),
            lasted_s: (now - self.cut_at).as_secs_f64(),
            phase,
            connected: gauges.connected,
            sent: counts.sent,
            answered: counts.answered,
            published: counts.published,
            delivered: counts.delivered,
            round_trip: counts.round_trip.percentiles(),
            delivery: counts.one_way.percentiles(),
            server_cpu_percent: self.server.next(server, phase),
            server_memory_bytes: server.map(|server| server.memory),
            load_cpu_percent: self.load.next(load, phase),
        };
        self.cut_at = now;
        self.seconds.push(second);
        self.seconds.last().expect("one was added just now")
    }

    /// Messages are sent from now on.
    pub(crate) fn start(&mut self, at: Instant) {
        let (connected, memory) = (self.total.now.connected, self.server.last.map(|server| server.memory));
        self.at_start = Some(Start { at, connected, memory });
    }

    /// Messages count from now on.
    pub(crate) fn begin(&mut self, at: Instant) {
        self.at_begin = Some(Begin { at, server: self.server.last, load: self.load.last });
    }

    /// The load has ended.
    pub(crate) fn end(&mut self, at: Instant) {
        let load_s = self.at_begin.map_or(0.0, |begin| (at - begin.at).as_secs_f64());
        let arrived = self.total.counts.arrived();
        self.at_end = End { load_s, arrived, server: self.server.last, load: self.load.last };
    }

    /// Whether everything was sent and has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.total.now.sending == 0 && self.outstanding() == 0
    }

    /// Pings and deliveries that have not arrived so far.
    fn outstanding(&self) -> u64 {
        let counts = &self.total.counts;
        counts.sent.saturating_sub(counts.answered) + self.expected().saturating_sub(counts.delivered)
    }

    pub(crate) fn summary(&self, command: String, plan: &Plan, server_processes: usize) -> Summary {
        let Interval { now, counts } = &self.total;
        let (start, End { load_s, arrived, .. }) = (self.at_start, self.at_end);
        let deliveries = (plan.subscribers > 0).then(|| Deliveries {
            published: counts.published,
            expected: self.expected(),
            delivered: counts.delivered,
            lost: self.expected().saturating_sub(counts.delivered),
            duplicates: counts.delivered_again,
            one_way: counts.one_way.percentiles(),
        });
        Summary {
            command,
            setting: Setting::of(plan),
            opening: Opening {
                opened: start.map_or(now.connected, |start| start.connected),
                seconds: (start.map_or(self.cut_at, |start| start.at) - self.started).as_secs_f64(),
                handshake: counts.handshake.percentiles(),
            },
            load_s,
            messages_per_second: if load_s > 0.0 { arrived as f64 / load_s } else { 0.0 },
            round_trips: RoundTrips {
                sent: counts.sent,
                answered: counts.answered,
                lost: counts.sent.saturating_sub(counts.answered),
                unsent: now.unsent,
                overflowed: counts.overflowed,
                duplicates: counts.answered_again,
                round_trip: counts.round_trip.percentiles(),
                lag: counts.lag.percentiles(),
            },
            deliveries,
            disconnects: counts.disconnects,
            reconnects: counts.reconnects,
            failed_dials: counts.failed_dials,
            reasons: counts.reasons.clone(),
            unexpected: counts.unexpected,
            server: self.server_use(server_processes),
            load: LoadUse {
                cpu_percent: self.at_begin.and_then(|begin| percent(begin.load, self.at_end.load)).unwrap_or_default(),
                memory_max_bytes: self.load.memory_max,
            },
            interrupted: false,
            missed: Vec::new(),
            problem: None,
        }
    }

    /// Whoever was there when sending began should receive everything that is published.
    fn expected(&self) -> u64 {
        self.total.counts.published * self.total.now.expecting
    }

    fn server_use(&self, processes: usize) -> Option<ServerUse> {
        let (start, first) = (self.at_start?, self.server.first?);
        let (begin, end) = (self.at_begin?.server?, self.at_end.server?);
        let micros = end.cpu.saturating_sub(begin.cpu) as f64 / 1e3;
        let arrived = self.at_end.arrived;
        Some(ServerUse {
            processes,
            cpu_percent: end.cpu_percent_since(&begin),
            cpu_percent_max: self.server.cpu_max.max(end.cpu_percent_since(&begin)),
            cpu_us_per_message: (arrived > 0).then(|| micros / arrived as f64),
            memory_before_bytes: first.memory,
            memory_open_bytes: start.memory?,
            memory_max_bytes: self.server.memory_max,
        })
    }
}

impl Usage {
    fn start(first: Option<Use>) -> Self {
        Self { first, last: first, memory_max: first.map_or(0, |first| first.memory), ..Self::default() }
    }

    /// Takes note of what is used now. Per cent of a core since the last time.
    fn next(&mut self, now: Option<Use>, phase: Phase) -> Option<f64> {
        let (now, last) = (now?, self.last.replace(now?)?);
        self.memory_max = self.memory_max.max(now.memory);
        let percent = now.cpu_percent_since(&last);
        if phase == Phase::Load && now.at - last.at >= SHORTEST {
            self.cpu_max = self.cpu_max.max(percent);
        }
        Some(percent)
    }
}

/// Per cent of a core from one time to another.
fn percent(from: Option<Use>, to: Option<Use>) -> Option<f64> {
    Some(to?.cpu_percent_since(&from?))
}

impl Setting {
    fn of(plan: &Plan) -> Self {
        Self {
            url: plan.url.clone(),
            dialect: plan.dialect.to_string(),
            connections: plan.connections,
            subscribers: plan.subscribers,
            publishers: plan.publishers,
            ping_period: plan.ping_period.to_string(),
            ping_period_s: plan.ping_period.mean().as_secs_f64(),
            payload_bytes: plan.payload,
            binary: plan.binary,
            warm_up_s: plan.warm_up.as_secs_f64(),
            processes: plan.processes as usize,
            threads: plan.threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use crate::cli::tests::plan;

    use super::*;

    fn used(at: Instant, cpu_ms: u64, memory: u64) -> Option<Use> {
        Some(Use { at, cpu: cpu_ms * 1_000_000, memory })
    }

    fn report(change: impl FnOnce(&mut Interval)) -> Interval {
        let mut interval = Interval::default();
        change(&mut interval);
        interval
    }

    #[test]
    fn what_was_sent_and_not_answered_is_lost_and_the_server_is_measured_while_messages_are_sent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ledger = Ledger::new(start, used(start, 1000, 10), None);
        ledger.add(&report(|one| (one.now.connected, one.counts.opened) = (50, 50)));
        // Opening took a whole second of processor time, which does not count.
        ledger.cut(at(2), Phase::Opening, used(at(2), 2000, 30), None);
        ledger.start(at(2));
        ledger.begin(at(2));
        ledger.add(&report(|one| {
            (one.now.connected, one.counts.sent, one.counts.answered) = (50, 100, 60);
            one.counts.round_trip.record(Duration::from_millis(3));
        }));
        ledger.cut(at(3), Phase::Load, used(at(3), 2200, 50), None);
        ledger.add(&report(|one| (one.now.connected, one.counts.sent, one.counts.answered) = (49, 0, 36)));
        ledger.cut(at(4), Phase::Load, used(at(4), 2300, 40), None);
        ledger.end(at(4));
        assert_eq!(ledger.outstanding(), 4);
        assert!(!ledger.is_complete());
        ledger.add(&report(|one| (one.now.connected, one.now.sending, one.counts.answered) = (49, 1, 3)));
        assert!(!ledger.is_complete());

        let summary = ledger.summary("everwire-load".into(), &plan(&[]).unwrap(), 1);
        assert_eq!((summary.round_trips.sent, summary.round_trips.answered, summary.round_trips.lost), (100, 99, 1));
        assert_eq!((summary.load_s, summary.messages_per_second), (2.0, 48.0));
        assert_eq!((summary.opening.opened, summary.opening.seconds), (50, 2.0));
        assert!(summary.deliveries.is_none());
        let server = summary.server.unwrap();
        assert_eq!((server.cpu_percent, server.cpu_percent_max), (15.0, 20.0));
        assert_eq!((server.memory_before_bytes, server.memory_open_bytes, server.memory_max_bytes), (10, 30, 50));
        assert_eq!(server.cpu_us_per_message, Some(300_000.0 / 96.0));
        assert_eq!(ledger.seconds().iter().map(|second| second.answered).collect::<Vec<_>>(), [0, 60, 36]);
    }

    #[test]
    fn what_the_server_takes_to_warm_up_is_not_what_it_takes_for_the_load() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ledger = Ledger::new(start, used(start, 0, 10), None);
        ledger.add(&report(|one| one.now.connected = 50));
        ledger.cut(at(1), Phase::Opening, used(at(1), 100, 30), None);
        ledger.start(at(1));
        ledger.cut(at(6), Phase::WarmUp, used(at(6), 4100, 80), None);
        ledger.begin(at(6));
        ledger.add(&report(|one| (one.now.connected, one.counts.sent, one.counts.answered) = (50, 10, 10)));
        ledger.cut(at(8), Phase::Load, used(at(8), 4300, 70), None);
        ledger.end(at(8));
        let summary = ledger.summary(String::new(), &plan(&["--warm-up", "5s"]).unwrap(), 1);
        assert_eq!((summary.opening.seconds, summary.load_s, summary.setting.warm_up_s), (1.0, 2.0, 5.0));
        assert_eq!(summary.messages_per_second, 5.0);
        let server = summary.server.unwrap();
        assert_eq!((server.cpu_percent, server.cpu_percent_max, server.memory_open_bytes), (10.0, 10.0, 30));
        assert_eq!(server.cpu_us_per_message, Some(20_000.0));
    }

    #[test]
    fn a_moment_at_the_end_of_the_load_tells_no_greatest_use() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut ledger = Ledger::new(start, used(start, 0, 10), None);
        ledger.begin(start);
        ledger.cut(at(1000), Phase::Load, used(at(1000), 200, 10), None);
        // A whole clock tick of the system falls into it.
        ledger.cut(at(1010), Phase::Load, used(at(1010), 210, 10), None);
        ledger.start(start);
        ledger.end(at(1010));
        let server = ledger.summary(String::new(), &plan(&[]).unwrap(), 1).server.unwrap();
        assert!((20.0..21.0).contains(&server.cpu_percent_max), "{server:?}");
    }

    #[test]
    fn every_subscriber_of_the_start_should_receive_all_that_is_published() {
        let start = Instant::now();
        let mut ledger = Ledger::new(start, None, None);
        ledger.add(&report(|one| (one.now.connected, one.now.expecting) = (11, 10)));
        ledger.start(start);
        ledger.begin(start);
        // One of ten is lost on the way, and misses the second message.
        ledger.add(&report(|one| (one.now.expecting, one.counts.published, one.counts.delivered) = (10, 2, 19)));
        ledger.end(start + Duration::from_secs(1));
        let summary = ledger.summary(String::new(), &plan(&["--subscribers", "10%"]).unwrap(), 0);
        let deliveries = summary.deliveries.unwrap();
        assert_eq!((deliveries.expected, deliveries.delivered, deliveries.lost), (20, 19, 1));
        assert!(summary.server.is_none());
    }
}

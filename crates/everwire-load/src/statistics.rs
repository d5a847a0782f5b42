use std::time::Instant;

use crate::dialect::address::shown;
use crate::interval::Interval;
use crate::plan::Plan;
use crate::record::{Deliveries, LoadUse, Opening, Phase, RoundTrips, SHORTEST, Second, ServerUse, Setting, Summary};
use crate::server::Use;

/// Sums up the reports of the workers: second by second, and in total.
#[derive(Debug)]
pub(crate) struct Statistics {
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

/// The state when sending began, the warm-up included.
#[derive(Clone, Copy, Debug)]
struct Start {
    at: Instant,
    connected: u64,
    /// What the server's processes had resident.
    memory: Option<u64>,
}

/// The state when the load began, from when on messages count.
#[derive(Clone, Copy, Debug)]
struct Begin {
    at: Instant,
    server: Option<Use>,
    load: Option<Use>,
}

/// The state when the load ended; later answers do not count as throughput.
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

impl Statistics {
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

    /// Subscribers that were connected when sending began should receive everything that is published.
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
            url: shown(&plan.url).into(),
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
mod tests;

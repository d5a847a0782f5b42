//! Counters: what the clients of a worker process count together, the report of a worker, and the sums over all workers, per second
//! and in total.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::dialect::without_credentials;
use crate::machine::ResourceUsage;
use crate::plan::Plan;
use crate::record::{
    Deliveries, Histogram, LoadUse, MIN_RATE_WINDOW, Opening, Phase, RoundTrips, Second, ServerUse, Setting, Summary,
};

/// The number of different reasons that are counted separately; the rest counts as one.
const MAX_REASONS: usize = 30;
/// The longest reason that is shown in full, in characters.
const MAX_REASON_LENGTH: usize = 200;

/// The counters that the clients of a worker process share.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters(Mutex<WorkerReport>);

/// The report of a worker process: the current gauges, and the counts since the last report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkerReport {
    pub(crate) gauges: Gauges,
    pub(crate) counts: Counts,
}

/// The current state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gauges {
    /// Clients that have connected or failed to connect at least once.
    pub(crate) settled: u64,
    pub(crate) connected: u64,
    /// Subscribers that were connected when sending began, and should receive everything that is published.
    pub(crate) expecting: u64,
    /// Clients that have something left to send.
    pub(crate) sending: u64,
    /// Messages that came due and are waiting for a connection.
    pub(crate) unsent: u64,
}

/// Events.
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
    /// Messages that the outbox of an open connection had no room for.
    pub(crate) overflowed: u64,
    pub(crate) unexpected: u64,
    /// The cause of the first disconnect because a message was too large.
    pub(crate) too_large: Option<String>,
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) handshake: Histogram,
    pub(crate) round_trip: Histogram,
    pub(crate) one_way: Histogram,
    pub(crate) lag: Histogram,
}

impl WorkerCounters {
    pub(crate) fn update(&self, update: impl FnOnce(&mut Gauges, &mut Counts)) {
        let mut report = self.lock();
        let WorkerReport { gauges, counts } = &mut *report;
        update(gauges, counts);
    }

    /// Takes the counts since the last call, and the current gauges.
    pub(crate) fn take(&self) -> WorkerReport {
        let mut report = self.lock();
        let taken = WorkerReport { gauges: report.gauges, counts: core::mem::take(&mut report.counts) };
        drop(report);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, WorkerReport> {
        // After a panic in an update the counters may lack an event, which is better than no result.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkerReport {
    /// Adds the report of another process for the same period.
    pub(crate) fn add_worker(&mut self, other: &Self) {
        let Gauges { settled, connected, expecting, sending, unsent } = other.gauges;
        self.gauges.settled += settled;
        self.gauges.connected += connected;
        self.gauges.expecting += expecting;
        self.gauges.sending += sending;
        self.gauges.unsent += unsent;
        self.counts.add(&other.counts);
    }

    /// Adds a later report of the same processes.
    pub(crate) fn add_later(&mut self, later: &Self) {
        self.gauges = later.gauges;
        self.counts.add(&later.counts);
    }
}

impl Counts {
    /// Counts the reason of a failure, which may be text of the server.
    pub(crate) fn add_reason(&mut self, reason: &str) {
        self.add_reasons(printable(reason), 1);
    }

    /// Records the cause of a disconnect because a message was too large.
    pub(crate) fn too_large(&mut self, reason: &str) {
        self.too_large.get_or_insert_with(|| printable(reason));
    }

    fn add_reasons(&mut self, reason: String, times: u64) {
        let is_known = self.reasons.contains_key(&reason) || self.reasons.len() < MAX_REASONS;
        let reason = if is_known { reason } else { "other reasons".to_owned() };
        *self.reasons.entry(reason).or_default() += times;
    }

    /// Answers and deliveries.
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
            self.add_reasons(reason.clone(), *times);
        }
        self.handshake.merge(&other.handshake);
        self.round_trip.merge(&other.round_trip);
        self.one_way.merge(&other.one_way);
        self.lag.merge(&other.lag);
    }
}

/// Makes text of the server safe to print: it cannot move the cursor, reverse the writing direction or fill the screen.
fn printable(text: &str) -> String {
    let replace = |c: char| if c.is_control() || changes_layout(c) { char::REPLACEMENT_CHARACTER } else { c };
    let mut printable: String = text.chars().take(MAX_REASON_LENGTH).map(replace).collect();
    if text.chars().nth(MAX_REASON_LENGTH).is_some() {
        printable.push('…');
    }
    printable
}

/// Bidirectional formatting characters, and line and paragraph separators.
fn changes_layout(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The sums of the worker reports, per second and in total, with the resource usage of the server and the load generator.
#[derive(Debug)]
pub(crate) struct Statistics {
    started: Instant,
    total: WorkerReport,
    second: WorkerReport,
    seconds: Vec<Second>,
    server: UsageHistory,
    load: UsageHistory,
    /// When the current second began.
    second_began: Instant,
    send_start: Option<SendStart>,
    load_start: Option<LoadStart>,
    load_end: LoadEnd,
}

/// The state when sending began, the warm-up included.
#[derive(Clone, Copy, Debug)]
struct SendStart {
    at: Instant,
    connected: u64,
    /// The resident memory of the server.
    memory: Option<u64>,
}

/// The state when the load began, after the warm-up.
#[derive(Clone, Copy, Debug)]
struct LoadStart {
    at: Instant,
    server: Option<ResourceUsage>,
    load: Option<ResourceUsage>,
}

/// The state when the load ended; later answers do not count as throughput.
#[derive(Clone, Copy, Debug, Default)]
struct LoadEnd {
    load_s: f64,
    arrived: u64,
    server: Option<ResourceUsage>,
    load: Option<ResourceUsage>,
}

/// The resource usage of some processes over a run.
#[derive(Clone, Copy, Debug, Default)]
struct UsageHistory {
    first: Option<ResourceUsage>,
    last: Option<ResourceUsage>,
    cpu_max: f64,
    memory_max: u64,
}

impl Statistics {
    /// `server` and `load` are the usage before the first connection.
    pub(crate) fn new(now: Instant, server: Option<ResourceUsage>, load: Option<ResourceUsage>) -> Self {
        Self {
            started: now,
            total: WorkerReport::default(),
            second: WorkerReport::default(),
            seconds: Vec::new(),
            server: UsageHistory::new(server),
            load: UsageHistory::new(load),
            second_began: now,
            send_start: None,
            load_start: None,
            load_end: LoadEnd::default(),
        }
    }

    pub(crate) fn add(&mut self, report: &WorkerReport) {
        self.total.add_later(report);
        self.second.add_later(report);
    }

    pub(crate) fn total(&self) -> &WorkerReport {
        &self.total
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// When the current second began.
    pub(crate) fn second_began(&self) -> Instant {
        self.second_began
    }

    /// Ends the current second, with the usage up to now.
    pub(crate) fn end_second(
        &mut self,
        now: Instant,
        phase: Phase,
        server: Option<ResourceUsage>,
        load: Option<ResourceUsage>,
    ) -> &Second {
        let WorkerReport { gauges, counts } = core::mem::take(&mut self.second);
        let second = Second {
            at_s: (now - self.started).as_secs_f64(),
            lasted_s: (now - self.second_began).as_secs_f64(),
            phase,
            connected: gauges.connected,
            sent: counts.sent,
            answered: counts.answered,
            published: counts.published,
            delivered: counts.delivered,
            round_trip: counts.round_trip.percentiles(),
            delivery: counts.one_way.percentiles(),
            server_cpu_percent: self.server.add(server, phase),
            server_memory_bytes: server.map(|server| server.memory),
            load_cpu_percent: self.load.add(load, phase),
        };
        self.second_began = now;
        self.seconds.push(second);
        self.seconds.last().expect("one was added just now")
    }

    /// Sending begins, with the warm-up if there is one.
    pub(crate) fn start_sending(&mut self, at: Instant) {
        let (connected, memory) = (self.total.gauges.connected, self.server.last.map(|server| server.memory));
        self.send_start = Some(SendStart { at, connected, memory });
    }

    /// The load begins: messages count.
    pub(crate) fn start_load(&mut self, at: Instant) {
        self.load_start = Some(LoadStart { at, server: self.server.last, load: self.load.last });
    }

    /// The load ends.
    pub(crate) fn end_load(&mut self, at: Instant) {
        let load_s = self.load_start.map_or(0.0, |start| (at - start.at).as_secs_f64());
        let arrived = self.total.counts.arrived();
        self.load_end = LoadEnd { load_s, arrived, server: self.server.last, load: self.load.last };
    }

    /// Whether everything was sent and has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.total.gauges.sending == 0 && self.outstanding() == 0
    }

    /// Pings and deliveries that have not arrived yet.
    fn outstanding(&self) -> u64 {
        let counts = &self.total.counts;
        counts.sent.saturating_sub(counts.answered) + self.expected().saturating_sub(counts.delivered)
    }

    pub(crate) fn summary(&self, command: String, plan: &Plan, server_processes: usize) -> Summary {
        let WorkerReport { gauges, counts } = &self.total;
        let (start, LoadEnd { load_s, arrived, .. }) = (self.send_start, self.load_end);
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
                opened: start.map_or(gauges.connected, |start| start.connected),
                seconds: (start.map_or(self.second_began, |start| start.at) - self.started).as_secs_f64(),
                handshake: counts.handshake.percentiles(),
            },
            load_s,
            messages_per_second: if load_s > 0.0 { arrived as f64 / load_s } else { 0.0 },
            round_trips: RoundTrips {
                sent: counts.sent,
                answered: counts.answered,
                lost: counts.sent.saturating_sub(counts.answered),
                unsent: gauges.unsent,
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
                cpu_percent: self
                    .load_start
                    .and_then(|start| cpu_percent(start.load, self.load_end.load))
                    .unwrap_or_default(),
                memory_max_bytes: self.load.memory_max,
            },
            interrupted: false,
            missed: Vec::new(),
            problem: None,
        }
    }

    /// The expected deliveries: subscribers that were connected when sending began should receive everything.
    fn expected(&self) -> u64 {
        self.total.counts.published * self.total.gauges.expecting
    }

    fn server_use(&self, processes: usize) -> Option<ServerUse> {
        let (send_start, first) = (self.send_start?, self.server.first?);
        let (start, end) = (self.load_start?.server?, self.load_end.server?);
        let micros = end.cpu.saturating_sub(start.cpu) as f64 / 1e3;
        let arrived = self.load_end.arrived;
        Some(ServerUse {
            processes,
            cpu_percent: end.cpu_percent_since(&start),
            cpu_percent_max: self.server.cpu_max.max(end.cpu_percent_since(&start)),
            cpu_us_per_message: (arrived > 0).then(|| micros / arrived as f64),
            memory_before_bytes: first.memory,
            memory_open_bytes: send_start.memory?,
            memory_max_bytes: self.server.memory_max,
        })
    }
}

impl UsageHistory {
    fn new(first: Option<ResourceUsage>) -> Self {
        Self { first, last: first, memory_max: first.map_or(0, |first| first.memory), ..Self::default() }
    }

    /// Adds a sample. Returns the CPU time since the last one, in per cent of a core.
    fn add(&mut self, now: Option<ResourceUsage>, phase: Phase) -> Option<f64> {
        let (now, last) = (now?, self.last.replace(now?)?);
        self.memory_max = self.memory_max.max(now.memory);
        let percent = now.cpu_percent_since(&last);
        if phase == Phase::Load && now.at - last.at >= MIN_RATE_WINDOW {
            self.cpu_max = self.cpu_max.max(percent);
        }
        Some(percent)
    }
}

/// CPU time from one sample to another, in per cent of a core.
fn cpu_percent(from: Option<ResourceUsage>, to: Option<ResourceUsage>) -> Option<f64> {
    Some(to?.cpu_percent_since(&from?))
}

impl Setting {
    fn of(plan: &Plan) -> Self {
        Self {
            url: without_credentials(&plan.url).into(),
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

    use super::*;
    use crate::cli::tests::plan;

    #[test]
    fn reasons_over_the_limit_are_counted_together() {
        let mut counts = Counts::default();
        (0..100).for_each(|number| counts.add_reason(&format!("reason\n{number}")));
        assert_eq!((counts.reasons.len(), counts.reasons["other reasons"]), (MAX_REASONS + 1, 70));
        assert!(counts.reasons.contains_key("reason�7"));
    }

    #[test]
    fn text_of_a_server_cannot_control_the_terminal() {
        assert_eq!(printable("\x1b[2Jno\r\nentry\u{9b}\u{202e}\u{7}"), "�[2Jno��entry���");
        assert_eq!(printable("1006: Zugriff verweigert – é"), "1006: Zugriff verweigert – é");
    }

    #[test]
    fn long_text_is_truncated() {
        assert_eq!(printable(&"é".repeat(MAX_REASON_LENGTH)), "é".repeat(MAX_REASON_LENGTH));
        assert_eq!(printable(&"é".repeat(10_000)), format!("{}…", "é".repeat(MAX_REASON_LENGTH)));
    }

    fn used(at: Instant, cpu_ms: u64, memory: u64) -> Option<ResourceUsage> {
        Some(ResourceUsage { at, cpu: cpu_ms * 1_000_000, memory })
    }

    fn report(change: impl FnOnce(&mut WorkerReport)) -> WorkerReport {
        let mut report = WorkerReport::default();
        change(&mut report);
        report
    }

    #[test]
    fn unanswered_pings_are_lost_and_the_server_is_measured_while_messages_are_sent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut statistics = Statistics::new(start, used(start, 1000, 10), None);
        statistics.add(&report(|one| (one.gauges.connected, one.counts.opened) = (50, 50)));
        // Opening took a whole second of processor time, which does not count.
        statistics.end_second(at(2), Phase::Opening, used(at(2), 2000, 30), None);
        statistics.start_sending(at(2));
        statistics.start_load(at(2));
        statistics.add(&report(|one| {
            (one.gauges.connected, one.counts.sent, one.counts.answered) = (50, 100, 60);
            one.counts.round_trip.record(Duration::from_millis(3));
        }));
        statistics.end_second(at(3), Phase::Load, used(at(3), 2200, 50), None);
        statistics.add(&report(|one| (one.gauges.connected, one.counts.sent, one.counts.answered) = (49, 0, 36)));
        statistics.end_second(at(4), Phase::Load, used(at(4), 2300, 40), None);
        statistics.end_load(at(4));
        assert_eq!(statistics.outstanding(), 4);
        assert!(!statistics.is_complete());
        statistics.add(&report(|one| (one.gauges.connected, one.gauges.sending, one.counts.answered) = (49, 1, 3)));
        assert!(!statistics.is_complete());

        let summary = statistics.summary("everwire-load".into(), &plan(&[]).unwrap(), 1);
        assert_eq!((summary.round_trips.sent, summary.round_trips.answered, summary.round_trips.lost), (100, 99, 1));
        assert_eq!((summary.load_s, summary.messages_per_second), (2.0, 48.0));
        assert_eq!((summary.opening.opened, summary.opening.seconds), (50, 2.0));
        assert!(summary.deliveries.is_none());
        let server = summary.server.unwrap();
        assert_eq!((server.cpu_percent, server.cpu_percent_max), (15.0, 20.0));
        assert_eq!((server.memory_before_bytes, server.memory_open_bytes, server.memory_max_bytes), (10, 30, 50));
        assert_eq!(server.cpu_us_per_message, Some(300_000.0 / 96.0));
        assert_eq!(statistics.seconds().iter().map(|second| second.answered).collect::<Vec<_>>(), [0, 60, 36]);
    }

    #[test]
    fn the_cpu_time_of_the_warm_up_does_not_count_for_the_load() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut statistics = Statistics::new(start, used(start, 0, 10), None);
        statistics.add(&report(|one| one.gauges.connected = 50));
        statistics.end_second(at(1), Phase::Opening, used(at(1), 100, 30), None);
        statistics.start_sending(at(1));
        statistics.end_second(at(6), Phase::WarmUp, used(at(6), 4100, 80), None);
        statistics.start_load(at(6));
        statistics.add(&report(|one| (one.gauges.connected, one.counts.sent, one.counts.answered) = (50, 10, 10)));
        statistics.end_second(at(8), Phase::Load, used(at(8), 4300, 70), None);
        statistics.end_load(at(8));
        let summary = statistics.summary(String::new(), &plan(&["--warm-up", "5s"]).unwrap(), 1);
        assert_eq!((summary.opening.seconds, summary.load_s, summary.setting.warm_up_s), (1.0, 2.0, 5.0));
        assert_eq!(summary.messages_per_second, 5.0);
        let server = summary.server.unwrap();
        assert_eq!((server.cpu_percent, server.cpu_percent_max, server.memory_open_bytes), (10.0, 10.0, 30));
        assert_eq!(server.cpu_us_per_message, Some(20_000.0));
    }

    #[test]
    fn a_moment_at_the_end_of_the_load_does_not_count_as_the_busiest_second() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut statistics = Statistics::new(start, used(start, 0, 10), None);
        statistics.start_load(start);
        statistics.end_second(at(1000), Phase::Load, used(at(1000), 200, 10), None);
        // It contains a whole clock tick of the system.
        statistics.end_second(at(1010), Phase::Load, used(at(1010), 210, 10), None);
        statistics.start_sending(start);
        statistics.end_load(at(1010));
        let server = statistics.summary(String::new(), &plan(&[]).unwrap(), 1).server.unwrap();
        assert!((20.0..21.0).contains(&server.cpu_percent_max), "{server:?}");
    }

    #[test]
    fn every_subscriber_of_the_start_should_receive_all_published_messages() {
        let start = Instant::now();
        let mut statistics = Statistics::new(start, None, None);
        statistics.add(&report(|one| (one.gauges.connected, one.gauges.expecting) = (11, 10)));
        statistics.start_sending(start);
        statistics.start_load(start);
        // One of ten disconnects and misses the second message.
        statistics.add(&report(|one| (one.gauges.expecting, one.counts.published, one.counts.delivered) = (10, 2, 19)));
        statistics.end_load(start + Duration::from_secs(1));
        let summary = statistics.summary(String::new(), &plan(&["--subscribers", "10%"]).unwrap(), 0);
        let deliveries = summary.deliveries.unwrap();
        assert_eq!((deliveries.expected, deliveries.delivered, deliveries.lost), (20, 19, 1));
        assert!(summary.server.is_none());
    }
}

//! What a run does: its plan, the role of each connection, and when each sends.

use core::time::Duration;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use crate::dialect::{Dialect, Role};
use crate::units::Period;

/// The plan of a run, which all its processes share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// A random number, which the payloads carry.
    pub(crate) run: u32,
    /// Where the connections that ping connect.
    pub(crate) url: Url,
    /// Where the publishers and subscribers connect.
    pub(crate) subscribe_url: Url,
    pub(crate) dialect: Dialect,
    /// Connections that ping or subscribe.
    pub(crate) connections: u32,
    /// How many of them subscribe.
    pub(crate) subscribers: u32,
    /// Connections that publish, in addition to the others.
    pub(crate) publishers: u32,
    /// New connections per second, over all processes.
    pub(crate) rate: f64,
    pub(crate) ping_period: Period,
    pub(crate) publish_period: Period,
    /// Bytes per message.
    pub(crate) payload: usize,
    /// Whether messages are binary instead of text.
    pub(crate) binary: bool,
    /// The offered subprotocols, the preferred one first.
    pub(crate) subprotocols: Vec<String>,
    /// Additional headers of the handshake requests.
    pub(crate) headers: Vec<(String, String)>,
    /// The roots for `wss://`, as PEM; `None` for the default.
    pub(crate) root_certificates: Option<String>,
    /// How long messages are sent before they count.
    pub(crate) warm_up: Duration,
    /// How long messages are sent that count.
    pub(crate) duration: Duration,
    /// How long to wait for late answers after that.
    pub(crate) grace: Duration,
    pub(crate) processes: u32,
    /// Threads per process.
    pub(crate) threads: usize,
    /// The seed of the send times, which are the same in each run with the same seed.
    pub(crate) seed: u64,
    /// The client's own addresses, which the connections use in turn; empty for the system's choice.
    pub(crate) source_addresses: Vec<IpAddr>,
}

/// One connection of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientPlan {
    pub(crate) number: u32,
    pub(crate) role: Role,
}

impl Plan {
    /// The number of connections, including the publishers.
    pub(crate) fn total(&self) -> u32 {
        self.connections + self.publishers
    }

    /// The connections of one process. The processes take them in turn, so that all have the same mix of roles.
    pub(crate) fn clients_of(&self, process: u32) -> impl Iterator<Item = ClientPlan> + '_ {
        (process..self.total()).step_by(self.processes as usize).map(|number| self.client(number))
    }

    /// When a connection is opened, after the start of the run.
    pub(crate) fn opens_at(&self, number: u32) -> Duration {
        Duration::from_secs_f64(f64::from(number) / self.rate)
    }

    pub(crate) fn source_address(&self, number: u32) -> Option<IpAddr> {
        let index = (number as usize).checked_rem(self.source_addresses.len())?;
        self.source_addresses.get(index).copied()
    }

    /// Subscribers are spread evenly among the others; the publishers come last.
    fn client(&self, number: u32) -> ClientPlan {
        let subscribers_below =
            |number: u32| u64::from(number) * u64::from(self.subscribers) / u64::from(self.connections.max(1));
        let role = if number >= self.connections {
            Role::Publisher
        } else if subscribers_below(number + 1) > subscribers_below(number) {
            Role::Subscriber
        } else {
            Role::Pinger
        };
        ClientPlan { number, role }
    }
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SendWindow<T> {
    pub(crate) start: T,
    /// Messages that are due earlier warm the server up.
    pub(crate) counted_from: T,
    /// Exclusive.
    pub(crate) end: T,
}

impl<T: Copy + core::ops::Add<Duration, Output = T>> SendWindow<T> {
    pub(crate) fn new(start: T, warm_up: Duration, duration: Duration) -> Self {
        let counted_from = start + warm_up;
        Self { start, counted_from, end: counted_from + duration }
    }
}

impl<T> SendWindow<T> {
    /// The same window on another clock.
    pub(crate) fn map<U>(self, mut convert: impl FnMut(T) -> U) -> SendWindow<U> {
        let Self { start, counted_from, end } = self;
        SendWindow { start: convert(start), counted_from: convert(counted_from), end: convert(end) }
    }
}

/// The send times of one connection. The first is random within one period, so that the connections do not send together.
///
/// The times are fixed beforehand and do not move when the server or this program is slow: a late message is sent late, and its
/// latency counts from the time that it was due. Otherwise a stalled server would receive fewer messages just when it is slow, and
/// its latency would look better than it is ("coordinated omission").
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    period: Period,
    random: fastrand::Rng,
    next: Instant,
    end: Instant,
}

impl Schedule {
    /// From `start` until before `end`.
    pub(crate) fn new(period: Period, start: Instant, end: Instant, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let next = start + period.sample(&mut random).mul_f64(random.f64());
        Self { period, random, next, end }
    }

    /// When the next message is due; `None` after the last one.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.next < self.end).then_some(self.next)
    }

    /// Moves to the next message.
    pub(crate) fn advance(&mut self) {
        self.next += self.period.sample(&mut self.random);
    }
}

/// The wall-clock time that all processes of a run agree on. It is read from the system once and advanced by the monotonic clock, so
/// that an adjustment of the system's clock does not change a measured time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at }
    }

    /// Microseconds from the Unix epoch to an instant.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        let since_epoch = match at.checked_duration_since(self.started) {
            Some(later) => self.started_at + later,
            None => self.started_at.saturating_sub(self.started - at),
        };
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }

    /// The instant at this many microseconds from the Unix epoch.
    pub(crate) fn instant(&self, micros: u64) -> Instant {
        let since_epoch = Duration::from_micros(micros);
        match since_epoch.checked_sub(self.started_at) {
            Some(later) => self.started + later,
            None => self.started.checked_sub(self.started_at - since_epoch).unwrap_or(self.started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::plan;
    use crate::units::MIN_RATE;

    fn count(clients: &[ClientPlan], role: Role) -> usize {
        clients.iter().filter(|client| client.role == role).count()
    }

    #[test]
    fn the_processes_share_all_connections_and_each_has_its_share_of_the_subscribers() {
        let flags = ["--connections", "1001", "--subscribers", "0.3", "--publishers", "2", "--processes", "3"];
        let plan = plan(&flags).unwrap();
        let shares: Vec<Vec<ClientPlan>> = (0..3).map(|process| plan.clients_of(process).collect()).collect();
        for share in &shares {
            assert!((98..=102).contains(&count(share, Role::Subscriber)), "{}", count(share, Role::Subscriber));
        }
        let mut all = shares.concat();
        all.sort_by_key(|client| client.number);
        assert!(all.iter().map(|client| client.number).eq(0..1003));
        assert_eq!(count(&all, Role::Subscriber), 300);
        assert_eq!(count(&all, Role::Publisher), 2);
    }

    #[test]
    fn connections_are_opened_at_the_requested_rate() {
        let plan = plan(&["--connections", "100", "--rate", "50/s"]).unwrap();
        assert_eq!(plan.opens_at(0), Duration::ZERO);
        assert_eq!(plan.opens_at(99), Duration::from_millis(1980));
        let slowest = Plan { rate: MIN_RATE, connections: 10_000_000, ..plan };
        assert_eq!(slowest.opens_at(10_000_000), Duration::from_secs(3600) * 10_000_000);
    }

    fn all(mut schedule: Schedule) -> Vec<Instant> {
        let due = || {
            let due = schedule.due()?;
            schedule.advance();
            Some(due)
        };
        std::iter::from_fn(due).collect()
    }

    #[test]
    fn a_fixed_period_does_not_drift_with_late_timers() {
        let (start, period) = (Instant::now(), Duration::from_millis(2500));
        let due = all(Schedule::new(Period { from: period, to: period }, start, start + 10 * period, 7));
        assert_eq!(due.len(), 10);
        assert!(due[0] - start < period);
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == period));
    }

    #[test]
    fn a_range_of_periods_is_sampled_uniformly() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let due = all(Schedule::new(Period { from: second, to: 5 * second }, start, start + 30_000 * second, 7));
        let gaps: Vec<Duration> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (second..=5 * second).contains(gap)));
        let mean = gaps.iter().sum::<Duration>() / gaps.len() as u32;
        assert!((2900..3100).contains(&mean.as_millis()), "{mean:?}");
    }

    #[test]
    fn connections_with_different_seeds_are_spread_over_the_first_period() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let first = |seed| Schedule::new(Period { from: second, to: second }, start, start + second, seed).due();
        let early = (0..1000).filter_map(first).filter(|due| *due < start + second / 2).count();
        assert!((400..600).contains(&early), "{early}");
    }

    #[test]
    fn a_time_is_the_same_there_and_back() {
        let clock = Clock::start();
        let now = clock.micros(Instant::now());
        for micros in [now - 5_000_000, now, now + 5_000_000] {
            assert_eq!(clock.micros(clock.instant(micros)), micros);
        }
    }
}

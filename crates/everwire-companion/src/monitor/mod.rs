//! What the machine and the server do, once a second: `/monitor`, and the channels of `everwire_companion_api::monitor`.
//!
//! # Layout
//! - this module: the endpoint, and the one task that samples for the endpoint and the channels; it reads processes only for a watcher
//! - `machine`: what the machine does, with the counters of `vmstat`
//! - `traffic`: what the server does

mod machine;
mod traffic;

pub(crate) use machine::{MachineSampler, tenths};
pub(crate) use traffic::{TrafficCounters, TrafficMeter};

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use everwire_companion_api::monitor::{Detail, KEPT, LATEST, Machine, POINTS, Point, STATUS, ServerMessage, Status};
use everwire_server::broker::Retention;
use everwire_server::channels::{ChannelError, ChannelOptions};
use everwire_server::{Connection, Everwire, Group, Handler, Membership, Message};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::companion::Companion;
use crate::protocol::UpgradeRequest;
use crate::protocol::{SendJson, json};
use machine::MachineUsage;

/// The close code for a client while the monitor is off, after HTTP's 403. A client should not reconnect.
const CLOSE_CODE_OFF: u16 = 4403;
const OFF_MESSAGE: &str =
    "The monitor is off, since it exposes information about the machine; start the server with --monitor.";

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(1);

/// The time to the first sample. Usage can only be measured over a period, and the first watcher should not wait long.
const FIRST_SAMPLE_AFTER: Duration = Duration::from_millis(300);

/// The samples and their watchers.
#[derive(Debug)]
pub(crate) struct Monitor {
    group: Group<History>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { group: Group::new(History::default()) }
    }
}

impl Monitor {
    /// Starts the sampler, unless it runs.
    pub(crate) fn start(&self, companion: &Companion) {
        if self.group.with_state(History::start) {
            let (group, sampled) = (self.group.clone(), companion.clone());
            companion.spawn(async move { sample(&group, &sampled).await });
        }
    }

    /// Sends a new watcher the history and all samples from now on.
    fn watch(&self, companion: &Companion, connection: &Connection) -> Membership<History> {
        let membership = self.group.join(connection, |history, _| [history.welcome()]);
        // It runs already, unless an application has mounted the routes without running a server, or it has failed.
        self.start(companion);
        membership
    }
}

/// Samples for as long as the server runs, so that the history has no gap.
pub(crate) fn start(companion: &Companion) {
    if companion.config().monitor {
        companion.monitor().start(companion);
    }
}

/// The retention of the points: what a page shows that is opened later.
pub(crate) fn points_options() -> ChannelOptions {
    let mut options = ChannelOptions::default();
    options.retention = Retention::stream().with_count(KEPT.into()).with_age(Duration::from_secs(KEPT.into()));
    options
}

/// The retention of the tables: the latest value.
pub(crate) fn status_options() -> ChannelOptions {
    let mut options = ChannelOptions::state();
    options.retention = options.retention.with_count(1);
    options
}

/// Accepts a handshake with `/monitor`.
///
/// Browsers do not report the reason of a refused handshake to the page. So while the monitor is off, a connection is accepted, sent
/// the reason, and closed.
pub(crate) async fn open(
    State(companion): State<Companion>,
    UpgradeRequest { upgrade, .. }: UpgradeRequest,
) -> Response {
    if !companion.config().monitor {
        return upgrade.accept(|connection| {
            connection.send_error(OFF_MESSAGE);
            connection.close(CLOSE_CODE_OFF, "the monitor is off");
            DisabledHandler
        });
    }
    upgrade.accept(move |connection| {
        let membership = companion.monitor().watch(&companion, connection);
        MonitorHandler { membership }
    })
}

/// One watcher.
struct MonitorHandler {
    membership: Membership<History>,
}

impl Handler for MonitorHandler {
    fn on_message(&mut self, _: Message) {
        self.membership.connection().send_error("the monitor only sends; it has no parameters");
    }
}

/// The handler of a connection while the monitor is off.
struct DisabledHandler;

impl Handler for DisabledHandler {
    fn on_message(&mut self, _: Message) {}
}

/// Samples the machine and the server, for the watchers of the endpoint and for the channels.
async fn sample(group: &Group<History>, companion: &Companion) {
    // Reading hundreds of small files takes milliseconds, which would block a worker.
    let Ok(mut machine) = spawn_blocking(MachineSampler::open).await else { return group.with_state(History::end) };
    let mut traffic = TrafficMeter::start(TrafficCounters::read(companion.everwire()), Instant::now());
    let subscribers = companion.everwire().watch_subscribers(&STATUS).expect("a valid name");
    let mut ticks = interval_at(Instant::now() + FIRST_SAMPLE_AFTER, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let has_subscribers = *subscribers.borrow() > 0;
        let is_watched = has_subscribers || group.members() > 0;
        let read = spawn_blocking(move || {
            let reading = machine.read(is_watched);
            (machine, reading)
        });
        let Ok((back, reading)) = read.await else { return group.with_state(History::end) };
        machine = back;
        let traffic = traffic.read(TrafficCounters::read(companion.everwire()), Instant::now());
        let MachineUsage { cores, memory, swap, load, processes, vmstat } = reading;
        let point = Point {
            time: companion.config().clock.now_ms(),
            cores,
            memory,
            swap,
            load,
            connections: traffic.endpoints.iter().map(|endpoint| endpoint.connections).sum(),
            messages_in: traffic.endpoints.iter().map(|endpoint| endpoint.messages_in).sum(),
            messages_out: traffic.endpoints.iter().map(|endpoint| endpoint.messages_out).sum(),
            queued: traffic.workers.iter().map(|worker| worker.queued).sum(),
            largest_queue: traffic.workers.iter().map(|worker| worker.largest_queue).max().unwrap_or(0),
        };
        let detail = Detail { processes, vmstat, endpoints: traffic.endpoints, workers: traffic.workers };
        let status = Status { machine: machine.about().clone(), detail };
        publish(companion.everwire(), &point, has_subscribers.then_some(&status)).await;
        let Status { machine: about, detail } = status;
        // Encoded before the lock of the group is taken.
        let sample = ServerMessage::Sample { machine: about.clone(), point: point.clone(), detail: detail.clone() };
        let message = json(&sample);
        group.update(|history, _| {
            history.push(about, point, detail);
            Some(message)
        });
    }
}

/// Publishes a sample. A broker that fails costs this sample and not the sampler.
async fn publish(everwire: &Everwire, point: &Point, status: Option<&Status>) {
    let stored = async {
        everwire.publish(&POINTS, point).await?;
        if let Some(status) = status {
            everwire.set(&STATUS, LATEST, status).await?;
        }
        Ok::<_, ChannelError>(())
    };
    if let Err(error) = stored.await {
        tracing::warn!(%error, "a sample of the monitor was not published");
    }
}

/// The recent samples, for new watchers. They are kept while the sampler runs.
#[derive(Debug, Default)]
struct History {
    is_sampled: bool,
    machine: Option<Machine>,
    points: VecDeque<Point>,
    detail: Option<Detail>,
}

impl History {
    /// Returns whether the caller must start the sampler.
    fn start(&mut self) -> bool {
        !std::mem::replace(&mut self.is_sampled, true)
    }

    /// Clears the history: the sampler ends.
    fn end(&mut self) {
        *self = Self::default();
    }

    /// The first message for a new watcher.
    fn welcome(&self) -> Message {
        let history = self.points.iter().cloned().collect();
        json(&ServerMessage::Welcome { machine: self.machine.clone(), history, detail: self.detail.clone() })
    }

    /// Adds a sample.
    fn push(&mut self, machine: Machine, point: Point, detail: Detail) {
        if self.points.len() == KEPT as usize {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.machine = Some(machine);
        self.detail = Some(detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time: f64) -> Point {
        Point {
            time,
            cores: vec![50.0],
            memory: 1,
            swap: 0,
            load: None,
            connections: 0,
            messages_in: 0.0,
            messages_out: 0.0,
            queued: 0,
            largest_queue: 0,
        }
    }

    fn machine() -> Machine {
        Machine { system: "Test".to_owned(), cores: 1, memory: 2, swap: 0, server_pid: 1 }
    }

    fn detail() -> Detail {
        Detail { processes: None, vmstat: None, endpoints: Vec::new(), workers: Vec::new() }
    }

    fn welcome(history: &History) -> serde_json::Value {
        let Message::Text(text) = history.welcome() else { panic!("no text") };
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn five_minutes_are_kept_and_not_more() {
        let mut history = History::default();
        for second in 0..1_000 {
            history.push(machine(), point(f64::from(second) * 1e3), detail());
        }
        let welcome = welcome(&history);
        let points = welcome["history"].as_array().unwrap();
        assert_eq!(
            (points.len(), &points[0]["time"], &points[299]["time"]),
            (300, &700_000.0.into(), &999_000.0.into())
        );
    }

    #[test]
    fn values_that_a_system_does_not_have_are_left_out() {
        let mut history = History::default();
        history.push(machine(), point(0.0), detail());
        let welcome = welcome(&history);
        assert!(welcome["history"][0].get("load").is_none(), "{welcome}");
        assert!(welcome["detail"].get("vmstat").is_none(), "{welcome}");
    }

    #[test]
    fn a_second_start_starts_no_second_sampler_until_the_first_has_ended() {
        let mut history = History::default();
        assert_eq!([history.start(), history.start()], [true, false]);
        history.end();
        assert!(history.start());
    }
}

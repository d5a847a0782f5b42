use std::time::Duration;

use everwire_companion_api::monitor::{Detail, Point, STATUS, ServerMessage, Status};
use everwire_server::Group;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::history::History;
use super::machine::{Machine, Reading};
use super::traffic::{Counts, Traffic};
use crate::channels;
use crate::companion::Companion;
use crate::protocol::json;

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(1);

/// The time to the first sample. Usage can only be measured over a period, and the first watcher should not wait long.
const FIRST: Duration = Duration::from_millis(300);

/// Samples the machine and the server, for the watchers of the endpoint and for the channels.
pub(super) async fn sample(group: &Group<History>, companion: &Companion) {
    // Reading hundreds of small files takes milliseconds, which would block a worker.
    let Ok(mut machine) = spawn_blocking(Machine::open).await else { return group.with_state(History::end) };
    let mut traffic = Traffic::start(Counts::read(companion.everwire()), Instant::now());
    let subscribers = companion.everwire().watch_subscribers(&STATUS).expect("a valid name");
    let mut ticks = interval_at(Instant::now() + FIRST, PERIOD);
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
        let traffic = traffic.read(Counts::read(companion.everwire()), Instant::now());
        let Reading { cores, memory, swap, load, processes, vmstat } = reading;
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
        channels::publish_sample(companion.everwire(), &point, has_subscribers.then_some(&status)).await;
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

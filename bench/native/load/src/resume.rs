//! The measurements of resumed sessions: one client after the other, and all at once while another channel stays in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};

use crate::connection::{Clients, Connection, PendingHandshake, Start};
use crate::dialect::Opening;
use crate::server::{ServerProcess, counters, wait_for_counter};
use crate::{Target, millis, quantile};

/// The number of messages that are published at a time.
const BATCH: u64 = 50;
/// Clients of the storm that connect at a time: fewer than the server's listener queues.
const CONNECTS: usize = 2_000;
/// How long the other channel is measured before the storm.
const CALM: Duration = Duration::from_secs(1);
/// The interval of messages on the other channel.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);
/// The limit of unacknowledged publishes of the probe; the session has 64 credits.
const MAX_UNACKNOWLEDGED: usize = 60;

/// A client whose connection is lost misses messages, and resumes its session.
pub(crate) fn measure_resume(target: &Target, missed: u64, rounds: usize) -> Result<Value> {
    let mut publisher = Publisher { clients: Clients::connect(target, 1, Start::Subscribed)?, next: 0 };
    // The warm-up.
    resume(target, &mut publisher, missed)?;
    let times = (0..rounds).map(|_| resume(target, &mut publisher, missed)).collect::<Result<Vec<_>>>();
    let mut times = times?;
    times.sort_unstable();
    Ok(json!({
        "missed": missed,
        "p50_ms": millis(quantile(&times, 0.5)),
        "max_ms": millis(quantile(&times, 1.0)),
    }))
}

/// Returns the time from connecting to the last missed message.
fn resume(target: &Target, publisher: &mut Publisher, missed: u64) -> Result<Duration> {
    let channel = target.channel(0);
    let mut subscriber = Connection::open(target, channel.clone(), Opening::Subscribe { channel: channel.clone() })?;
    // Socket.IO recovers only clients that have received a message.
    publisher.publish(1)?;
    receive_until(&mut subscriber, publisher.next)?;
    let state = subscriber.inbox.resume_state().clone();
    drop(subscriber);

    let next = publisher.next;
    while publisher.next < next + missed {
        publisher.publish(BATCH.min(next + missed - publisher.next))?;
    }
    let start = Instant::now();
    let mut subscriber = Connection::open(target, channel.clone(), Opening::Resume { channel, state, next })?;
    receive_until(&mut subscriber, publisher.next)?;
    Ok(start.elapsed())
}

fn receive_until(subscriber: &mut Connection, next: u64) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while subscriber.inbox.next() != Some(next) {
        subscriber.receive(&mut buffer).context("some messages are missing")?;
        ensure!(
            subscriber.inbox.next().is_none_or(|received| received <= next),
            "there are more messages than were published"
        );
    }
    Ok(())
}

struct Publisher {
    clients: Clients,
    /// The number of the next message.
    next: u64,
}

impl Publisher {
    /// Publishes messages, and waits until its own copies have arrived.
    fn publish(&mut self, count: u64) -> Result<()> {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        self.clients.connections[0].send(numbers)?;
        let next = self.next;
        self.clients.receive(|connection, _| Ok(connection.inbox.next() == Some(next)))
    }
}

/// All clients are cut, miss messages, and resume at once. Also measures the latency of another channel before and during this.
pub(crate) fn measure_storm(target: &Target, missed: u64) -> Result<Value> {
    let lost = disconnect_all(target, missed)?;
    let calm = Probe::start(target)?;
    thread::sleep(CALM);
    let calm = calm.stop()?;

    let probe = Probe::start(target)?;
    // The probe runs on the same processor as this thread, which must not delay it.
    rustix::process::nice(15)?;
    let calls = counters(target.address, "/calls")?;
    let before = target.server().cpu_time()?;
    let own = ServerProcess::own().cpu_time()?;
    let start = Instant::now();
    let (mut times, clients) = resume_all(target, &lost, missed)?;
    let time = start.elapsed();
    let spent = target.server().cpu_time()? - before;
    let own = ServerProcess::own().cpu_time()? - own;
    let probed = probe.stop()?;
    // Only now, since closing this many connections is another storm.
    drop(clients);
    let calls_after = counters(target.address, "/calls")?;
    let called = |name: &str| calls_after.get(name).zip(calls.get(name)).map(|(after, before)| after - before);
    times.sort_unstable();
    Ok(json!({
        "seconds": time.as_secs_f64(),
        "us": spent.as_secs_f64() * 1e6 / times.len() as f64,
        "load_busy": own.as_secs_f64() / time.as_secs_f64(),
        "reads": called("reads").context("reads are not counted")?,
        "histories": called("histories").context("histories are not counted")?,
        "p50_ms": millis(quantile(&times, 0.5)),
        "max_ms": millis(quantile(&times, 1.0)),
        "probe_p99_ms": millis(quantile(&probed, 0.99)),
        "probe_max_ms": millis(quantile(&probed, 1.0)),
        "calm_p99_ms": millis(quantile(&calm, 0.99)),
        "calm_max_ms": millis(quantile(&calm, 1.0)),
    }))
}

/// Subscribes all clients, closes their connections, and publishes to their channels. Returns how each resumes.
fn disconnect_all(target: &Target, missed: u64) -> Result<Vec<Opening>> {
    let clients = Clients::connect(target, target.connections, Start::Subscribed)?;
    let lost = clients.connections.iter().enumerate().map(|(number, connection)| {
        let state = connection.inbox.resume_state().clone();
        Opening::Resume { channel: target.channel(number), state, next: 0 }
    });
    let lost = lost.collect();
    drop(clients);
    wait_for_counter(target.address, "/sessions", "detached", target.connections as u64)?;

    let mut publishers = Clients::connect(target, target.channels, Start::Attached)?;
    for first in (0..missed as usize).step_by(BATCH as usize) {
        let count = (BATCH as usize).min(missed as usize - first);
        let mut unacknowledged = count * target.channels;
        for connection in &mut publishers.connections {
            connection.send_acknowledged(count)?;
        }
        publishers.receive(|connection, _| {
            unacknowledged -= connection.take_acknowledged().len();
            Ok(unacknowledged == 0)
        })?;
    }
    Ok(lost)
}

/// Returns the time of each client from connecting to its last missed message, and the clients.
fn resume_all(target: &Target, lost: &[Opening], missed: u64) -> Result<(Vec<Duration>, Clients)> {
    let mut clients = Clients::new()?;
    let mut times = Vec::new();
    let mut received = |connection: &mut Connection, count: usize| {
        if count > 0 && connection.inbox.next() == Some(missed) {
            times.push(connection.opened.elapsed());
        }
        Ok(times.len() == lost.len())
    };
    for openings in lost.chunks(CONNECTS) {
        let pending = openings.iter().map(|opening| PendingHandshake::start(target, String::new(), opening.clone()));
        for handshake in pending.collect::<Result<Vec<_>>>()? {
            clients.add(handshake.finish()?)?;
        }
        clients.receive_ready(&mut received)?;
    }
    clients.receive(&mut received)?;
    Ok((times, clients))
}

/// Publishes to a channel of its own in another thread, and measures the latency of each message.
struct Probe {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Duration>>>,
}

impl Probe {
    fn start(target: &Target) -> Result<Self> {
        let channel = || "probe".to_owned();
        let publisher = Connection::open(target, channel(), Opening::Attach)?;
        let subscriber = Connection::open(target, channel(), Opening::Subscribe { channel: channel() })?;
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || probe([publisher, subscriber], &is_over)
        });
        Ok(Self { is_over, thread })
    }

    /// Returns the latencies in ascending order.
    fn stop(self) -> Result<Vec<Duration>> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().map_err(|_| anyhow!("the probe has panicked"))??;
        ensure!(!times.is_empty(), "the other channel had no messages");
        times.sort_unstable();
        Ok(times)
    }
}

fn probe(connections: [Connection; 2], is_over: &AtomicBool) -> Result<Vec<Duration>> {
    let mut clients = Clients::new()?;
    connections.into_iter().try_for_each(|connection| clients.add(connection))?;
    let (mut sent, mut times) = (Vec::<Instant>::new(), Vec::new());
    let mut due = Instant::now();
    while !is_over.load(Ordering::Relaxed) || times.len() < sent.len() {
        let now = Instant::now();
        let acknowledged = clients.connections[0].inbox.acknowledged() as usize;
        if now >= due && sent.len() - acknowledged < MAX_UNACKNOWLEDGED && !is_over.load(Ordering::Relaxed) {
            sent.push(now);
            clients.connections[0].send([sent.len() as u64 - 1])?;
            due = now + PROBE_INTERVAL;
        }
        clients.receive_ready_within(due.saturating_duration_since(Instant::now()), |_, count| {
            times.extend(sent.iter().skip(times.len()).take(count).map(Instant::elapsed));
            Ok(false)
        })?;
    }
    Ok(times)
}

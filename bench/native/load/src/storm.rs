//! All clients resume at once, while another channel goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};

use crate::Target;
use crate::clients::{Clients, Start};
use crate::connection::{Connection, PendingHandshake};
use crate::counters;
use crate::dialect::Opening;
use crate::server::Server;
use crate::statistics::{millis, quantile};

/// Messages that are published at a time.
const AT_A_TIME: usize = 50;
/// Clients that connect at a time: fewer than the server's listener queues.
const CONNECTS: usize = 2_000;
/// How long the other channel is watched before the storm.
const CALM: Duration = Duration::from_secs(1);
/// Between two messages of the other channel.
const INTERVAL: Duration = Duration::from_millis(5);
/// Publishes without an answer at most; the session has 64 credits.
const UNANSWERED: usize = 60;

pub(crate) fn measure(target: &Target, missed: u64) -> Result<Value> {
    let lost = lose(target, missed)?;
    let calm = Probe::start(target)?;
    thread::sleep(CALM);
    let calm = calm.stop()?;

    let probe = Probe::start(target)?;
    // The probe shares a processor with this thread, which must not delay it.
    rustix::process::nice(15)?;
    let calls = counters::get(target.address, "/calls")?;
    let before = target.server().processor_time()?;
    let own = Server::own().processor_time()?;
    let start = Instant::now();
    let (mut times, clients) = resume(target, &lost, missed)?;
    let time = start.elapsed();
    let spent = target.server().processor_time()? - before;
    let own = Server::own().processor_time()? - own;
    let probed = probe.stop()?;
    // Until now, since the end of so many connections is another storm.
    drop(clients);
    let calls_after = counters::get(target.address, "/calls")?;
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

/// Subscribes all clients, cuts their connections, and publishes to their channels. Returns how each resumes.
fn lose(target: &Target, missed: u64) -> Result<Vec<Opening>> {
    let clients = Clients::connect(target, target.connections, Start::Subscribed)?;
    let lost = clients.connections.iter().enumerate().map(|(number, connection)| {
        let resumable = connection.inbox.resumable().clone();
        Opening::Resume { channel: target.channel(number), resumable, next: 0 }
    });
    let lost = lost.collect();
    drop(clients);
    counters::wait_for(target.address, "/sessions", "detached", target.connections as u64)?;

    let mut publishers = Clients::connect(target, target.channels, Start::Attached)?;
    for first in (0..missed as usize).step_by(AT_A_TIME) {
        let count = AT_A_TIME.min(missed as usize - first);
        let mut unanswered = count * target.channels;
        for connection in &mut publishers.connections {
            connection.send_acknowledged(count)?;
        }
        publishers.receive(|connection, _| {
            unanswered -= connection.take_answered().len();
            Ok(unanswered == 0)
        })?;
    }
    Ok(lost)
}

/// Returns how long each client takes from connecting until the last message that it missed, and the clients.
fn resume(target: &Target, lost: &[Opening], missed: u64) -> Result<(Vec<Duration>, Clients)> {
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

/// Publishes to a channel of its own, and measures how long each message takes to its subscriber.
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

    /// Returns how long the messages took.
    fn stop(self) -> Result<Vec<Duration>> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().map_err(|_| anyhow!("the probe has panicked"))??;
        ensure!(!times.is_empty(), "the other channel had no message");
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
        let answered = clients.connections[0].inbox.acknowledged() as usize;
        if now >= due && sent.len() - answered < UNANSWERED && !is_over.load(Ordering::Relaxed) {
            sent.push(now);
            clients.connections[0].send([sent.len() as u64 - 1])?;
            due = now + INTERVAL;
        }
        clients.receive_ready_within(due.saturating_duration_since(Instant::now()), |_, count| {
            times.extend(sent.iter().skip(times.len()).take(count).map(Instant::elapsed));
            Ok(false)
        })?;
    }
    Ok(times)
}

//! The measurements of steady traffic and of idle connections: fan-out, echo, acknowledged publishes, memory.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::connection::{Clients, Start};
use crate::dialect::Dialect;
use crate::server::{ServerProcess, wait_for_counter};
use crate::{Target, millis, quantile};

/// The duration of a warm-up, as a share of the measurement.
const WARM_UP: f64 = 0.25;
/// Time limit from the answer to the handshakes until all connections are subscribed.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(20);
/// The interval of messages until every connection has received one.
const PROBE: Duration = Duration::from_millis(20);
/// Idle connections before the memory is read first, so that what the server sets up once does not count.
const FIRST_IDLE: usize = 50;
/// Idle connections that are opened before they send their messages.
const IDLE_BATCH: usize = 250;
/// How long the memory must stay unchanged, and how often it is read until it does.
const SETTLED: Duration = Duration::from_millis(100);
const MAX_SAMPLES: usize = 20;

/// One connection publishes, and all receive every message.
pub(crate) fn measure_fanout(target: &Target, in_flight: &[usize]) -> Result<Value> {
    let mut fanout = Fanout { clients: Clients::connect(target, target.connections, Start::Subscribed)?, next: 0 };
    fanout.wait_for_subscribers()?;
    let mut results = Vec::new();
    for &count in in_flight {
        fanout.run(count, target.seconds.mul_f64(WARM_UP))?;
        let before = target.server().cpu_time()?;
        let own = ServerProcess::own().cpu_time()?;
        let (messages, time) = fanout.run(count, target.seconds)?;
        let spent = target.server().cpu_time()? - before;
        let own = ServerProcess::own().cpu_time()? - own;
        let deliveries = messages * target.connections;
        results.push(json!({
            "in_flight": count,
            "deliveries": deliveries,
            "us": spent.as_secs_f64() * 1e6 / deliveries as f64,
            "rate": deliveries as f64 / time.as_secs_f64(),
            "busy": spent.as_secs_f64() / time.as_secs_f64(),
            "load_busy": own.as_secs_f64() / time.as_secs_f64(),
        }));
    }
    fanout.check_that_nothing_follows()?;
    Ok(results.into())
}

struct Fanout {
    clients: Clients,
    /// The number of the next message.
    next: u64,
}

impl Fanout {
    /// Publishes until each connection has received a message, since a server may answer a handshake before it subscribes the
    /// connection.
    fn wait_for_subscribers(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut missing = self.clients.connections.len();
        while missing > 0 {
            ensure!(start.elapsed() < SUBSCRIBE_TIMEOUT, "{missing} connections receive no published messages");
            self.publish(1)?;
            let probed = Instant::now();
            while probed.elapsed() < PROBE {
                self.clients.receive_ready(|_, _| Ok(false))?;
            }
            missing = self.clients.connections.iter().filter(|connection| connection.inbox.next().is_none()).count();
        }
        // Each connection must still receive all messages up to the last.
        while self.clients.connections.iter().any(|connection| connection.inbox.next() != Some(self.next)) {
            ensure!(start.elapsed() < SUBSCRIBE_TIMEOUT, "a message was lost");
            self.clients.receive_ready(|_, _| Ok(false))?;
        }
        Ok(())
    }

    /// Publishes this many messages at a time. Returns their number, and the duration.
    fn run(&mut self, at_a_time: usize, time: Duration) -> Result<(usize, Duration)> {
        let start = Instant::now();
        let mut messages = 0;
        while start.elapsed() < time {
            let numbers = self.publish(at_a_time)?;
            let mut missing = at_a_time * self.clients.connections.len();
            self.clients.receive(|connection, count| {
                let early = connection.inbox.next().is_some_and(|next| next > numbers.end);
                ensure!(!early, "a message came before it was published");
                missing = missing.checked_sub(count).context("there are more messages than were published")?;
                Ok(missing == 0)
            })?;
            messages += at_a_time;
        }
        Ok((messages, start.elapsed()))
    }

    fn publish(&mut self, count: usize) -> Result<Range<u64>> {
        let numbers = self.next..self.next + count as u64;
        self.next = numbers.end;
        self.clients.connections[0].send(numbers.clone())?;
        Ok(numbers)
    }

    /// Checks that no repeated message arrives late.
    fn check_that_nothing_follows(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < PROBE {
            self.clients.receive_ready(|_, count| {
                ensure!(count == 0, "there are more messages than were published");
                Ok(false)
            })?;
        }
        Ok(())
    }
}

/// Each connection sends several messages at a time, and the next ones when they are back.
pub(crate) fn measure_echo(target: &Target, in_flight: usize) -> Result<Value> {
    let mut clients = Clients::connect(target, target.connections, Start::Attached)?;
    run_echo(&mut clients, in_flight as u64, target.seconds.mul_f64(WARM_UP))?;
    let before = target.server().cpu_time()?;
    let (messages, time) = run_echo(&mut clients, in_flight as u64, target.seconds)?;
    let spent = target.server().cpu_time()? - before;
    Ok(json!({
        "messages": messages,
        "us": spent.as_secs_f64() * 1e6 / messages as f64,
        "rate": messages as f64 / time.as_secs_f64(),
        "busy": spent.as_secs_f64() / time.as_secs_f64(),
    }))
}

/// Returns the number of messages that came back, and the duration.
fn run_echo(clients: &mut Clients, at_a_time: u64, time: Duration) -> Result<(usize, Duration)> {
    let start = Instant::now();
    for connection in &mut clients.connections {
        let next = connection.inbox.next().unwrap_or(0);
        connection.send(next..next + at_a_time)?;
    }
    let mut messages = 0;
    let mut busy = clients.connections.len();
    clients.receive(|connection, count| {
        messages += count;
        // All messages are back whenever the next number is a multiple.
        let next = connection.inbox.next().unwrap_or(0);
        if count > 0 && next % at_a_time == 0 {
            if start.elapsed() < time {
                connection.send(next..next + at_a_time)?;
            } else {
                busy -= 1;
            }
        }
        Ok(busy == 0)
    })?;
    for connection in &clients.connections {
        ensure!(connection.inbox.next().is_some_and(|next| next % at_a_time == 0), "a message came twice");
    }
    Ok((messages, start.elapsed()))
}

/// Connections publish, each with some publishes that are not acknowledged yet.
pub(crate) fn measure_publish(target: &Target, in_flight: usize) -> Result<Value> {
    let mut clients = Clients::connect(target, target.connections, Start::Attached)?;
    let per_connection = (in_flight / target.connections).max(1);
    run_publish(&mut clients, per_connection, target.seconds.mul_f64(WARM_UP))?;
    let (before, own) = (target.server().cpu_time()?, ServerProcess::own().cpu_time()?);
    let (mut times, time) = run_publish(&mut clients, per_connection, target.seconds)?;
    let spent = target.server().cpu_time()? - before;
    let own = ServerProcess::own().cpu_time()? - own;
    times.sort_unstable();
    Ok(json!({
        "publishes": times.len(),
        "rate": times.len() as f64 / time.as_secs_f64(),
        "us": spent.as_secs_f64() * 1e6 / times.len() as f64,
        "p50_ms": millis(quantile(&times, 0.5)),
        "p99_ms": millis(quantile(&times, 0.99)),
        "max_ms": millis(quantile(&times, 1.0)),
        "load_busy": own.as_secs_f64() / time.as_secs_f64(),
    }))
}

/// Returns the time of each publish, and the duration.
fn run_publish(clients: &mut Clients, per_connection: usize, time: Duration) -> Result<(Vec<Duration>, Duration)> {
    let start = Instant::now();
    for connection in &mut clients.connections {
        connection.send_acknowledged(per_connection)?;
    }
    let mut times = Vec::new();
    let mut unacknowledged = per_connection * clients.connections.len();
    clients.receive(|connection, _| {
        let now = Instant::now();
        let acknowledged = connection.take_acknowledged();
        unacknowledged -= acknowledged.len();
        times.extend(acknowledged.iter().map(|sent| now - *sent));
        if start.elapsed() < time && !acknowledged.is_empty() {
            connection.send_acknowledged(acknowledged.len())?;
            unacknowledged += acknowledged.len();
        }
        Ok(unacknowledged == 0)
    })?;
    Ok((times, start.elapsed()))
}

/// What an idle client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// A connection.
    Connected(Start),
    /// A session whose connection has closed.
    Detached,
}

/// Each connection gets one message back and then does nothing; or gets a session, and then does nothing or closes.
pub(crate) fn measure_idle(target: &Target, idle: Idle) -> Result<Value> {
    let start = if let Idle::Connected(start) = idle { start } else { Start::Attached };
    // The connections of a batch reuse the memory of the first one, so that only sessions make it grow.
    let first = if idle == Idle::Detached { IDLE_BATCH } else { FIRST_IDLE };
    let mut clients = Clients::connect(target, first, start)?;
    exchange(&mut clients, target.dialect, 0)?;
    if idle == Idle::Detached {
        detach(&mut clients, target, first)?;
    }
    let before = settled_memory(target)?;
    for done in (0..target.connections).step_by(IDLE_BATCH) {
        let start_index = clients.connections.len();
        let count = IDLE_BATCH.min(target.connections - done);
        clients.grow(target, count, start)?;
        exchange(&mut clients, target.dialect, start_index)?;
        if idle == Idle::Detached {
            detach(&mut clients, target, first + done + count)?;
        }
    }
    let after = settled_memory(target)?;
    let growth = after as f64 - before as f64;
    Ok(json!({ "connections": target.connections, "bytes": growth / target.connections as f64 }))
}

/// Sends one message on each connection from this one on. Sessions have exchanged messages already, for their handshake.
fn exchange(clients: &mut Clients, dialect: Dialect, start: usize) -> Result<()> {
    if dialect == Dialect::Everwire {
        return Ok(());
    }
    let connections = &mut clients.connections[start..];
    let mut missing = connections.len();
    for connection in connections {
        connection.send([0])?;
    }
    clients.receive(|_, count| {
        missing -= count;
        Ok(missing == 0)
    })
}

/// Closes all connections, and waits until this many sessions are detached.
fn detach(clients: &mut Clients, target: &Target, sessions: usize) -> Result<()> {
    *clients = Clients::new()?;
    wait_for_counter(target.address, "/sessions", "detached", sessions as u64)
}

/// The memory of the server once it no longer changes.
fn settled_memory(target: &Target) -> Result<u64> {
    let mut last = target.server().resident_memory()?;
    for _ in 0..MAX_SAMPLES {
        thread::sleep(SETTLED);
        let now = target.server().resident_memory()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

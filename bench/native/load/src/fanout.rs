//! One connection publishes, all get every message.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Target;
use crate::clients::{Clients, Start};
use crate::server::Server;

/// Time limit from the answer to the handshakes until all connections are subscribed.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The interval of messages until every connection has received one.
const PROBE: Duration = Duration::from_millis(20);
/// The duration of the warm-up, as a share of the measurement.
const WARM_UP: f64 = 0.25;

pub(crate) fn measure(target: &Target, in_flight: &[usize]) -> Result<Value> {
    let mut fanout = Fanout { clients: Clients::connect(target, target.connections, Start::Subscribed)?, next: 0 };
    fanout.wait_for_subscribers()?;
    let mut results = Vec::new();
    for &count in in_flight {
        fanout.run(count, target.seconds.mul_f64(WARM_UP))?;
        let before = target.server().processor_time()?;
        let own = Server::own().processor_time()?;
        let (messages, time) = fanout.run(count, target.seconds)?;
        let spent = target.server().processor_time()? - before;
        let own = Server::own().processor_time()? - own;
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
    /// Publishes until each connection has received a message: a server may answer a handshake before it subscribes the connection.
    fn wait_for_subscribers(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut missing = self.clients.connections.len();
        while missing > 0 {
            ensure!(start.elapsed() < TIMEOUT, "{missing} connections get nothing of what is published");
            self.publish(1)?;
            let probed = Instant::now();
            while probed.elapsed() < PROBE {
                self.clients.receive_ready(|_, _| Ok(false))?;
            }
            missing = self.clients.connections.iter().filter(|connection| connection.inbox.next().is_none()).count();
        }
        // Each connection must still receive all messages up to the last.
        while self.clients.connections.iter().any(|connection| connection.inbox.next() != Some(self.next)) {
            ensure!(start.elapsed() < TIMEOUT, "a message was lost");
            self.clients.receive_ready(|_, _| Ok(false))?;
        }
        Ok(())
    }

    /// Publishes this many messages at a time. Returns the total, and how long it took.
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

    /// Checks for a repeated message that comes late.
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

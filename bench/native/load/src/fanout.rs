//! One connection publishes, all get every message.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Target;
use crate::crowd::Crowd;

/// How long it may take from the answer to a handshake until one is a subscriber.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a message is published until everybody has got one.
const PROBE: Duration = Duration::from_millis(20);
/// How long it is published before that counts, as a part of what counts.
const WARM_UP: f64 = 0.25;

pub(crate) fn measure(target: &Target, in_flight: &[usize]) -> Result<Value> {
    let mut fanout = Fanout { crowd: Crowd::connect(target, target.connections)?, next: 0 };
    fanout.wait_for_subscribers()?;
    let mut results = Vec::new();
    for &count in in_flight {
        fanout.run(count, target.seconds.mul_f64(WARM_UP))?;
        let before = target.server().processor_time()?;
        let (messages, time) = fanout.run(count, target.seconds)?;
        let spent = target.server().processor_time()? - before;
        let deliveries = messages * target.connections;
        results.push(json!({
            "in_flight": count,
            "deliveries": deliveries,
            "us": spent.as_secs_f64() * 1e6 / deliveries as f64,
            "rate": deliveries as f64 / time.as_secs_f64(),
            "busy": spent.as_secs_f64() / time.as_secs_f64(),
        }));
    }
    fanout.check_that_nothing_follows()?;
    Ok(results.into())
}

struct Fanout {
    crowd: Crowd,
    /// The number of the next message.
    next: u64,
}

impl Fanout {
    /// A server may answer a handshake before the connection gets what is published: publishes until each got something.
    fn wait_for_subscribers(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut missing = self.crowd.connections.len();
        while missing > 0 {
            ensure!(start.elapsed() < PATIENCE, "{missing} connections get nothing of what is published");
            self.publish(1)?;
            let probed = Instant::now();
            while probed.elapsed() < PROBE {
                self.crowd.receive_ready(|_, _| Ok(false))?;
            }
            missing = self.crowd.connections.iter().filter(|connection| connection.inbox.next().is_none()).count();
        }
        // What is still on its way: each has to come to the last message.
        while self.crowd.connections.iter().any(|connection| connection.inbox.next() != Some(self.next)) {
            ensure!(start.elapsed() < PATIENCE, "a message was lost");
            self.crowd.receive_ready(|_, _| Ok(false))?;
        }
        Ok(())
    }

    /// Publishes so many at a time. Returns how many in all, and how long it took.
    fn run(&mut self, at_a_time: usize, time: Duration) -> Result<(usize, Duration)> {
        let start = Instant::now();
        let mut messages = 0;
        while start.elapsed() < time {
            let numbers = self.publish(at_a_time)?;
            let mut missing = at_a_time * self.crowd.connections.len();
            self.crowd.receive(|connection, count| {
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
        self.crowd.connections[0].send(numbers.clone())?;
        Ok(numbers)
    }

    /// A repeated message could come late.
    fn check_that_nothing_follows(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < PROBE {
            self.crowd.receive_ready(|_, count| {
                ensure!(count == 0, "there are more messages than were published");
                Ok(false)
            })?;
        }
        Ok(())
    }
}

//! A client whose connection is lost misses messages, and resumes its session.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Target;
use crate::clients::{Clients, Start};
use crate::connection::Connection;
use crate::dialect::Opening;
use crate::statistics::{millis, quantile};

/// Messages that are published at a time.
const AT_A_TIME: u64 = 50;

pub(crate) fn measure(target: &Target, missed: u64, rounds: usize) -> Result<Value> {
    let mut publisher = Publisher { clients: Clients::connect(target, 1, Start::Subscribed)?, next: 0 };
    // Warms up.
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

/// Returns the time from connecting until the last of the missed messages is there.
fn resume(target: &Target, publisher: &mut Publisher, missed: u64) -> Result<Duration> {
    let channel = target.channel(0);
    let mut subscriber = Connection::open(target, channel.clone(), Opening::Subscribe { channel: channel.clone() })?;
    // Socket.IO recovers only a client that has received something.
    publisher.publish(1)?;
    receive_until(&mut subscriber, publisher.next)?;
    let resumable = subscriber.inbox.resumable().clone();
    drop(subscriber);

    let next = publisher.next;
    while publisher.next < next + missed {
        publisher.publish(AT_A_TIME.min(next + missed - publisher.next))?;
    }
    let start = Instant::now();
    let mut subscriber = Connection::open(target, channel.clone(), Opening::Resume { channel, resumable, next })?;
    receive_until(&mut subscriber, publisher.next)?;
    Ok(start.elapsed())
}

fn receive_until(subscriber: &mut Connection, next: u64) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while subscriber.inbox.next() != Some(next) {
        subscriber.receive(&mut buffer).context("not all messages came")?;
        ensure!(
            subscriber.inbox.next().is_none_or(|received| received <= next),
            "more messages came than were published"
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
    /// Returns when it has received its own copies.
    fn publish(&mut self, count: u64) -> Result<()> {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        self.clients.connections[0].send(numbers)?;
        let next = self.next;
        self.clients.receive(|connection, _| Ok(connection.inbox.next() == Some(next)))
    }
}

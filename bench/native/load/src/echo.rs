//! Each connection sends several messages at a time, and the next when they are back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::Target;
use crate::clients::{Clients, Start};

/// The duration of the warm-up, as a share of the measurement.
const WARM_UP: f64 = 0.25;

pub(crate) fn measure(target: &Target, in_flight: usize) -> Result<Value> {
    let mut clients = Clients::connect(target, target.connections, Start::Attached)?;
    run(&mut clients, in_flight as u64, target.seconds.mul_f64(WARM_UP))?;
    let before = target.server().processor_time()?;
    let (messages, time) = run(&mut clients, in_flight as u64, target.seconds)?;
    let spent = target.server().processor_time()? - before;
    Ok(json!({
        "messages": messages,
        "us": spent.as_secs_f64() * 1e6 / messages as f64,
        "rate": messages as f64 / time.as_secs_f64(),
        "busy": spent.as_secs_f64() / time.as_secs_f64(),
    }))
}

/// Returns the number of messages that came back, and how long it took.
fn run(clients: &mut Clients, at_a_time: u64, time: Duration) -> Result<(usize, Duration)> {
    let start = Instant::now();
    for connection in &mut clients.connections {
        let next = connection.inbox.next().unwrap_or(0);
        connection.send(next..next + at_a_time)?;
    }
    let mut messages = 0;
    let mut busy = clients.connections.len();
    clients.receive(|connection, count| {
        messages += count;
        // The number is a multiple each time all of them are back.
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

//! Each connection sends messages at a time, and more when these are back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::Target;
use crate::crowd::Crowd;

/// How long it runs before that counts, as a part of what counts.
const WARM_UP: f64 = 0.25;

pub(crate) fn measure(target: &Target, in_flight: usize) -> Result<Value> {
    let mut crowd = Crowd::connect(target, target.connections)?;
    run(&mut crowd, in_flight as u64, target.seconds.mul_f64(WARM_UP))?;
    let before = target.server().processor_time()?;
    let (messages, time) = run(&mut crowd, in_flight as u64, target.seconds)?;
    let spent = target.server().processor_time()? - before;
    Ok(json!({
        "messages": messages,
        "us": spent.as_secs_f64() * 1e6 / messages as f64,
        "rate": messages as f64 / time.as_secs_f64(),
        "busy": spent.as_secs_f64() / time.as_secs_f64(),
    }))
}

/// Returns how many messages came back, and how long it took.
fn run(crowd: &mut Crowd, at_a_time: u64, time: Duration) -> Result<(usize, Duration)> {
    let start = Instant::now();
    for connection in &mut crowd.connections {
        let next = connection.inbox.next().unwrap_or(0);
        connection.send(next..next + at_a_time)?;
    }
    let mut messages = 0;
    let mut busy = crowd.connections.len();
    crowd.receive(|connection, count| {
        messages += count;
        // Each time all of them are back, the number is one of these.
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
    for connection in &crowd.connections {
        ensure!(connection.inbox.next().is_some_and(|next| next % at_a_time == 0), "a message came twice");
    }
    Ok((messages, start.elapsed()))
}

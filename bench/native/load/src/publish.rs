//! Connections publish, each with some publishes that are not acknowledged: how many a second, and how long each takes.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::Target;
use crate::clients::{Clients, Start};
use crate::server::Server;
use crate::statistics::{millis, quantile};

/// The duration of the warm-up, as a share of the measurement.
const WARM_UP: f64 = 0.25;

pub(crate) fn measure(target: &Target, in_flight: usize) -> Result<Value> {
    let mut clients = Clients::connect(target, target.connections, Start::Attached)?;
    let of_each = (in_flight / target.connections).max(1);
    run(&mut clients, of_each, target.seconds.mul_f64(WARM_UP))?;
    let (before, own) = (target.server().processor_time()?, Server::own().processor_time()?);
    let (mut times, time) = run(&mut clients, of_each, target.seconds)?;
    let spent = target.server().processor_time()? - before;
    let own = Server::own().processor_time()? - own;
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

/// Returns how long each publish took, and how long all of them.
fn run(clients: &mut Clients, of_each: usize, time: Duration) -> Result<(Vec<Duration>, Duration)> {
    let start = Instant::now();
    for connection in &mut clients.connections {
        connection.send_acknowledged(of_each)?;
    }
    let mut times = Vec::new();
    let mut unanswered = of_each * clients.connections.len();
    clients.receive(|connection, _| {
        let now = Instant::now();
        let answered = connection.take_answered();
        unanswered -= answered.len();
        times.extend(answered.iter().map(|sent| now - *sent));
        if start.elapsed() < time && !answered.is_empty() {
            connection.send_acknowledged(answered.len())?;
            unanswered += answered.len();
        }
        Ok(unanswered == 0)
    })?;
    Ok((times, start.elapsed()))
}

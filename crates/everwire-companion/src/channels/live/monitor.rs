use std::time::Duration;

use everwire_companion_api::live::{MONITOR, MachineSample, Sample};
use everwire_server::Channel;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::publisher::{Publisher, ticks};
use crate::companion::Companion;
use crate::monitor::{MachineSampler, TrafficCounters, TrafficMeter, tenths};

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(1);

/// Publishes what the server does, and with `--monitor` also what its machine does.
#[derive(Debug)]
pub(super) struct MonitorPublisher;

impl Publisher for MonitorPublisher {
    type Item = Sample;

    const CHANNEL: Channel<Sample> = MONITOR;

    async fn run(&mut self, companion: &Companion) {
        let everwire = companion.everwire();
        // Reading hundreds of small files takes milliseconds, which would block a worker.
        let mut machine =
            if companion.config().monitor { spawn_blocking(MachineSampler::open).await.ok() } else { None };
        let mut traffic = TrafficMeter::start(TrafficCounters::read(everwire), Instant::now());
        let mut ticks = ticks(PERIOD);
        ticks.reset();
        loop {
            ticks.tick().await;
            let mut sample = Sample { machine: None, connections: 0, messages_in: 0.0, messages_out: 0.0 };
            if let Some(opened) = machine.take()
                && let Ok((opened, read)) = spawn_blocking(move || read(opened)).await
            {
                (machine, sample.machine) = (Some(opened), Some(read));
            }
            for endpoint in traffic.read(TrafficCounters::read(everwire), Instant::now()).endpoints {
                sample.connections += endpoint.connections;
                sample.messages_in += endpoint.messages_in;
                sample.messages_out += endpoint.messages_out;
            }
            // The broker reports what it does not store, and the next sample comes soon.
            let _ = everwire.publish(&MONITOR, &sample).await;
        }
    }
}

fn read(mut machine: MachineSampler) -> (MachineSampler, MachineSample) {
    let reading = machine.read(false);
    let cores = reading.cores.len().max(1) as f64;
    let sample = MachineSample {
        processor: tenths(reading.cores.iter().sum::<f64>() / cores),
        memory: reading.memory,
        memory_size: machine.about().memory,
    };
    (machine, sample)
}

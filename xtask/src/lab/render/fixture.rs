//! Results for tests.

use everwire_load::{Opening, Percentiles, RoundTrips, ServerUse, Setting, Summary};

use crate::lab::experiment::Experiment;
use crate::lab::machine;
use crate::lab::shape::Shape;
use crate::lab::store::Measured;
use crate::lab::trial::{Head, Outcome, Told};

/// An experiment on the machine for tests.
pub(super) fn measured(experiment: Experiment, told: Vec<Told>) -> (Experiment, Measured) {
    (experiment, Measured { machine: machine::fixture(), told })
}

/// A run of Everwire without a flaw, as [`summary`] tells it. The step is called by its number.
pub(super) fn run(step: usize, run: u32, x: f64, cpu_percent: f64, p99_ms: f64) -> Told {
    let head = Head {
        experiment: Experiment::Workers,
        run,
        step,
        label: x.to_string(),
        x,
        contender: "everwire".into(),
        shape: Shape { workers: 2, threads: None },
        server_command: "serve".into(),
        load_command: format!("load {x}"),
    };
    Told { head, outcome: Ok(Outcome { seconds: Vec::new(), summary: summary(cpu_percent, p99_ms) }) }
}

/// The median of the round trips is a tenth of the 99th percentile.
pub(super) fn summary(cpu_percent: f64, p99_ms: f64) -> Summary {
    let times = Percentiles {
        count: 100,
        mean_ms: 1.0,
        p50_ms: p99_ms / 10.0,
        p90_ms: p99_ms / 2.0,
        p99_ms,
        p999_ms: p99_ms * 2.0,
        max_ms: p99_ms * 3.0,
    };
    Summary {
        setting: Setting {
            connections: 25_000,
            ping_period: "2.5s".into(),
            payload_bytes: 64,
            warm_up_s: 3.0,
            ..Setting::default()
        },
        opening: Opening { opened: 25_000, seconds: 25.0, handshake: None },
        load_s: 30.0,
        messages_per_second: 10_000.0,
        round_trips: RoundTrips {
            sent: 300_000,
            answered: 300_000,
            round_trip: Some(times),
            lag: Some(Percentiles { p99_ms: 1.5, ..times }),
            ..RoundTrips::default()
        },
        server: Some(ServerUse { processes: 3, cpu_percent, memory_max_bytes: 100 << 20, ..ServerUse::default() }),
        ..Summary::default()
    }
}

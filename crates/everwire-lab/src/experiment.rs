//! What is varied in each experiment, and the load of each of its steps.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::text::count;

/// A question about every server, in the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Experiment {
    /// 25,000 connections
    Most,
    /// One against two worker processes
    Workers,
    /// How often each connection sends
    PingPeriod,
    /// How many connections there are
    Connections,
    /// How large the messages are
    MessageSize,
}

/// One setting of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Its name in tables and charts.
    pub(crate) label: String,
    /// The varied quantity as a number, which grows from step to step.
    pub(crate) x: f64,
    /// How many processes the server has.
    pub(crate) workers: Workers,
    /// How many threads each of them has, if the server has such an option. `None` leaves the choice to the server.
    pub(crate) threads: Option<u32>,
    pub(crate) load: Load,
}

/// How many processes a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    Exactly(u32),
    /// As many as hold the connections within the limit on open files.
    AsNeeded,
}

/// The options of the load generator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// New connections per second.
    pub(crate) rate: u32,
    /// In milliseconds.
    pub(crate) period: u32,
    /// In bytes.
    pub(crate) payload: u32,
    /// How long to send messages that do not count, in seconds: until Node.js has compiled what runs often.
    pub(crate) warm_up: u32,
    /// In seconds.
    pub(crate) duration: u32,
}

impl Experiment {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::PingPeriod => "ping-period",
            Self::Connections => "connections",
            Self::MessageSize => "message-size",
            Self::Most => "most",
        }
    }

    /// How often the experiment runs if `requested` runs were. The one with 25,000 connections has a single step and takes long.
    pub(crate) fn runs(self, requested: u32) -> u32 {
        if self == Self::Most { 1 } else { requested }
    }

    /// The settings, from the least load to the greatest.
    pub(crate) fn steps(self, is_quick: bool) -> Vec<Step> {
        let steps = match self {
            Self::Workers => workers(),
            Self::PingPeriod => ping_period(),
            Self::Connections => connections(),
            Self::MessageSize => message_size(),
            Self::Most => most(),
        };
        if is_quick { shortened(self, steps) } else { steps }
    }
}

/// The load that the others are variations of.
const USUAL: Load = Load { connections: 1000, rate: 1000, period: 1000, payload: 64, warm_up: 3, duration: 5 };

/// One thread per process: a process that already uses several cores gains nothing from a second one.
fn workers() -> Vec<Step> {
    let load = Load { period: 100, ..USUAL };
    [(1, "1 process"), (2, "2 processes")]
        .map(|(count, label)| Step {
            label: label.to_owned(),
            x: f64::from(count),
            workers: Workers::Exactly(count),
            threads: Some(1),
            load: load.clone(),
        })
        .to_vec()
}

fn ping_period() -> Vec<Step> {
    [(5000, "5 s"), (2000, "2 s"), (1000, "1 s"), (500, "0.5 s"), (200, "0.2 s")]
        .map(|(period, label)| step(label, 1000.0 / f64::from(period), Load { period, ..USUAL }))
        .to_vec()
}

fn connections() -> Vec<Step> {
    [(1000, "1,000"), (2500, "2,500"), (5000, "5,000"), (10_000, "10,000")]
        .map(|(connections, label)| step(label, f64::from(connections), Load { connections, period: 2500, ..USUAL }))
        .to_vec()
}

fn message_size() -> Vec<Step> {
    [(64, "64 B"), (1 << 10, "1 KiB"), (8 << 10, "8 KiB"), (64 << 10, "64 KiB")]
        .map(|(payload, label)| step(label, f64::from(payload), Load { payload, ..USUAL }))
        .to_vec()
}

fn most() -> Vec<Step> {
    let load = Load { connections: 25_000, period: 2500, duration: 30, ..USUAL };
    vec![Step { workers: Workers::AsNeeded, ..step("25,000", 25_000.0, load) }]
}

fn step(label: &str, x: f64, load: Load) -> Step {
    Step { label: label.to_owned(), x, workers: Workers::Exactly(1), threads: None, load }
}

/// The first and the last step, for seconds, with a tenth of the connections where there are many.
fn shortened(experiment: Experiment, mut steps: Vec<Step>) -> Vec<Step> {
    if steps.len() > 2 {
        steps.drain(1..steps.len() - 1);
    }
    for step in &mut steps {
        (step.load.warm_up, step.load.duration) = (1, 2);
        if experiment == Experiment::Most || experiment == Experiment::Connections {
            step.load.connections /= 10;
            step.x /= 10.0;
            step.label = count(step.load.connections.into());
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all four servers; each takes about a second to start and to stop.
    fn minutes(is_quick: bool, runs: u32) -> u32 {
        let seconds = |load: Load| load.connections / load.rate + load.warm_up + load.duration + 2;
        let all = Experiment::value_variants().iter().map(|experiment| {
            let steps = experiment.steps(is_quick).into_iter();
            steps.map(|step| seconds(step.load)).sum::<u32>() * experiment.runs(runs)
        });
        (all.sum::<u32>() * 4).div_ceil(60)
    }

    #[test]
    fn the_whole_takes_at_most_40_minutes_and_in_short_4() {
        assert!(minutes(false, 3) <= 40, "{}", minutes(false, 3));
        assert!(minutes(true, 1) <= 4, "{}", minutes(true, 1));
    }

    #[test]
    fn the_varied_quantity_grows_from_step_to_step() {
        for experiment in Experiment::value_variants() {
            for is_quick in [false, true] {
                let steps = experiment.steps(is_quick);
                assert!(steps.windows(2).all(|pair| pair[0].x < pair[1].x), "{experiment:?}");
            }
        }
    }
}

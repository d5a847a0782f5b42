use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::text::count;

/// What is asked of every server, in the order of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Experiment {
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
pub(super) struct Step {
    /// What it is called in tables and charts.
    pub(super) label: String,
    /// What is varied, as a number: what grows from step to step.
    pub(super) x: f64,
    /// How many processes the server has.
    pub(super) workers: Workers,
    /// How many threads each of them has, of a server that can be told. It has as many as it likes with `None`.
    pub(super) threads: Option<u32>,
    pub(super) load: Load,
}

/// How many processes a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workers {
    Exactly(u32),
    /// As many as it takes to hold the connections, by the limit on open files.
    AsNeeded,
}

/// What the load generator is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) connections: u32,
    /// New connections a second.
    pub(super) rate: u32,
    /// In milliseconds.
    pub(super) period: u32,
    /// In bytes.
    pub(super) payload: u32,
    /// For how long messages are sent that do not count, in seconds: until Node.js has compiled what runs often.
    pub(super) warm_up: u32,
    /// In seconds.
    pub(super) duration: u32,
}

impl Experiment {
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::PingPeriod => "ping-period",
            Self::Connections => "connections",
            Self::MessageSize => "message-size",
            Self::Most => "most",
        }
    }

    /// How often it is made, where each is to be made so often. The greatest number of connections is not varied, and takes long.
    pub(super) fn runs(self, asked: u32) -> u32 {
        if self == Self::Most { 1 } else { asked }
    }

    /// The settings, from the least load to the greatest.
    pub(super) fn steps(self, is_quick: bool) -> Vec<Step> {
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

/// What two processes bring is seen where one of them does not use several cores already.
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

/// The first and the last step, for a moment, with a tenth of the connections where there are many.
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

    /// Of all four servers; each takes about a second to come up and to go.
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
    fn what_is_varied_grows_from_step_to_step() {
        for experiment in Experiment::value_variants() {
            for is_quick in [false, true] {
                let steps = experiment.steps(is_quick);
                assert!(steps.windows(2).all(|pair| pair[0].x < pair[1].x), "{experiment:?}");
            }
        }
    }
}

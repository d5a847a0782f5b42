use std::fs;
use std::path::Path;

use anyhow::Result;
use everwire_load::Summary;

use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::trial::{Outcome, Told};

/// Everything that was measured.
pub(super) struct Results(Vec<Told>);

/// A step of an experiment, as it is called.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) label: String,
    pub(super) x: f64,
}

impl Results {
    pub(super) fn read(data: &Path) -> Result<Self> {
        let mut told = Vec::new();
        for folder in fs::read_dir(data)?.flatten().filter(|entry| entry.path().is_dir()) {
            for file in fs::read_dir(folder.path())?.flatten() {
                if file.path().extension().is_some_and(|extension| extension == "jsonl") {
                    told.push(Told::read(&file.path())?);
                }
            }
        }
        Ok(Self(told))
    }

    #[cfg(test)]
    pub(super) fn of(told: Vec<Told>) -> Self {
        Self(told)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The steps of an experiment that were taken, in their order.
    pub(super) fn steps(&self, experiment: Experiment) -> Vec<Step> {
        let told = self.0.iter().filter(|told| told.head.experiment == experiment);
        let mut steps: Vec<Step> =
            told.map(|told| Step { number: told.head.step, label: told.head.label.clone(), x: told.head.x }).collect();
        steps.sort_by_key(|step| step.number);
        steps.dedup();
        steps
    }

    pub(super) fn told(&self, experiment: Experiment, step: usize, contender: &Contender) -> Option<&Told> {
        self.0.iter().find(|told| {
            let head = &told.head;
            head.experiment == experiment && head.step == step && head.contender == contender.id
        })
    }

    pub(super) fn outcome(&self, experiment: Experiment, step: usize, contender: &Contender) -> Option<&Outcome> {
        self.told(experiment, step, contender)?.outcome.as_ref().ok()
    }
}

/// Bytes of memory that each connection took.
pub(super) fn memory_each(summary: &Summary) -> Option<f64> {
    let server = summary.server.as_ref()?;
    let taken = server.memory_open_bytes.saturating_sub(server.memory_before_bytes);
    (summary.opening.opened > 0).then(|| taken as f64 / summary.opening.opened as f64)
}

/// Whether every connection came up and stayed, and every message was answered.
pub(super) fn is_flawless(summary: &Summary) -> bool {
    let is_complete = summary.opening.opened == u64::from(summary.setting.connections);
    is_complete && summary.round_trips.lost == 0 && summary.disconnects == 0
}

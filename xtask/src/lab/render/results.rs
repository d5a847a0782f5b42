use anyhow::Result;
use clap::ValueEnum;

use super::runs::Runs;
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::machine::Machine;
use crate::lab::store::{Measured, Store};
use crate::lab::trial::Told;

/// Everything that was measured, in the order of the document.
pub(super) struct Results(Vec<(Experiment, Measured)>);

/// A step of an experiment, as it is called.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) label: String,
    pub(super) x: f64,
}

impl Results {
    pub(super) fn read(store: &Store) -> Result<Self> {
        let mut all = Vec::new();
        for experiment in Experiment::value_variants() {
            all.extend(store.read(*experiment)?.map(|measured| (*experiment, measured)));
        }
        Ok(Self(all))
    }

    #[cfg(test)]
    pub(super) fn of(all: Vec<(Experiment, Measured)>) -> Self {
        Self(all)
    }

    pub(super) fn experiments(&self) -> impl Iterator<Item = Experiment> {
        self.0.iter().map(|(experiment, _)| *experiment)
    }

    /// On what each was measured.
    pub(super) fn machines(&self) -> impl Iterator<Item = (Experiment, &Machine)> {
        self.0.iter().map(|(experiment, measured)| (*experiment, &measured.machine))
    }

    /// The steps of an experiment that were taken, in their order.
    pub(super) fn steps(&self, experiment: Experiment) -> Vec<Step> {
        let heads = self.told(experiment).iter().map(|told| &told.head);
        let mut steps: Vec<Step> =
            heads.map(|head| Step { number: head.step, label: head.label.clone(), x: head.x }).collect();
        steps.sort_by_key(|step| step.number);
        steps.dedup();
        steps
    }

    pub(super) fn runs(&self, experiment: Experiment, step: &Step, contender: &Contender) -> Runs<'_> {
        let told = self.told(experiment).iter();
        Runs::new(told.filter(|told| told.head.step == step.number && told.head.contender == contender.id).collect())
    }

    fn told(&self, experiment: Experiment) -> &[Told] {
        let measured = self.0.iter().find(|(its, _)| *its == experiment);
        measured.map_or(&[], |(_, measured)| &measured.told)
    }
}

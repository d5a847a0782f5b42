use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::experiment::Experiment;
use super::machine::Machine;
use super::trial::Told;

/// What a folder of an experiment has beside the files of the trials.
const MACHINE: &str = "machine.json";

/// Where results are kept: a folder for each experiment.
pub(super) struct Store(PathBuf);

/// A measurement that goes on. What was measured before stays until [`Unfinished::complete`]; one that is interrupted leaves it.
pub(super) struct Unfinished<'a> {
    store: &'a Store,
    folder: PathBuf,
    experiments: &'a [Experiment],
}

/// What was measured of an experiment, and on what.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) machine: Machine,
    pub(super) told: Vec<Told>,
}

impl Store {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(super) fn begin<'a>(&'a self, experiments: &'a [Experiment], machine: &Machine) -> Result<Unfinished<'a>> {
        let unfinished = Unfinished { store: self, folder: self.0.join("unfinished"), experiments };
        remove(&unfinished.folder)?;
        for experiment in experiments {
            let folder = unfinished.folder(*experiment);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            fs::write(folder.join(MACHINE), serde_json::to_string_pretty(machine)?)?;
        }
        Ok(unfinished)
    }

    /// What is there of an experiment; nothing if it was not measured.
    pub(super) fn read(&self, experiment: Experiment) -> Result<Option<Measured>> {
        let folder = self.0.join(experiment.id());
        let machine = folder.join(MACHINE);
        if !machine.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&machine)?;
        let machine =
            serde_json::from_str(&text).with_context(|| format!("{} is broken; measure anew", machine.display()))?;
        let files = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
        files.sort();
        let told = files.iter().map(|path| Told::read(path)).collect::<Result<_>>()?;
        Ok(Some(Measured { machine, told }))
    }
}

impl Unfinished<'_> {
    pub(super) fn folder(&self, experiment: Experiment) -> PathBuf {
        self.folder.join(experiment.id())
    }

    /// Puts what was measured in the place of what was there before.
    pub(super) fn complete(self) -> Result<()> {
        for experiment in self.experiments {
            let kept = self.store.0.join(experiment.id());
            remove(&kept)?;
            fs::rename(self.folder(*experiment), &kept)
                .with_context(|| format!("cannot put the results into {}", kept.display()))?;
        }
        remove(&self.folder)
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::machine::fixture;

    #[test]
    fn a_measurement_that_is_interrupted_leaves_what_was_measured_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().to_owned());
        let (first, second) = (Machine { cores: 1, ..fixture() }, Machine { cores: 2, ..fixture() });
        let cores = |experiment| store.read(experiment).unwrap().map(|measured| measured.machine.cores);
        let (most, workers) = (Experiment::Most, Experiment::Workers);

        store.begin(&[most], &first).unwrap().complete().unwrap();
        assert_eq!((cores(most), cores(workers)), (Some(1), None));
        drop(store.begin(&[most, workers], &second).unwrap());
        assert_eq!((cores(most), cores(workers)), (Some(1), None));
        store.begin(&[most, workers], &second).unwrap().complete().unwrap();
        assert_eq!((cores(most), cores(workers)), (Some(2), Some(2)));
    }
}

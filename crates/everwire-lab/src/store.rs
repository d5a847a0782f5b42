//! Where results are kept: a folder for each experiment, with the files of its trials and the machine that they ran on.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::Workspace;
use crate::experiment::Experiment;
use crate::text::{count, list};
use crate::trial::TrialResult;

/// The file next to those of the trials.
const MACHINE: &str = "machine.json";

pub(crate) struct Store(PathBuf);

/// The results of a measurement that is still running. Earlier results stay until [`PendingResults::complete`], so that an interrupted
/// measurement leaves them.
pub(crate) struct PendingResults<'a> {
    store: &'a Store,
    folder: PathBuf,
    experiments: &'a [Experiment],
}

/// The results of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredResults {
    pub(crate) machine: Machine,
    pub(crate) trials: Vec<TrialResult>,
}

/// Where and when something was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// When the measurement began, in RFC 3339.
    pub(crate) date: String,
    /// Whether it only took seconds, with small loads.
    pub(crate) is_quick: bool,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    /// How many files a process may open.
    pub(crate) open_files: u64,
    /// Name and version.
    pub(crate) versions: Vec<(String, String)>,
}

impl Store {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(crate) fn begin<'a>(&'a self, experiments: &'a [Experiment], machine: &Machine) -> Result<PendingResults<'a>> {
        let pending = PendingResults { store: self, folder: self.0.join("unfinished"), experiments };
        remove(&pending.folder)?;
        for experiment in experiments {
            let folder = pending.folder(*experiment);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            fs::write(folder.join(MACHINE), serde_json::to_string_pretty(machine)?)?;
        }
        Ok(pending)
    }

    /// `None` if the experiment was never measured.
    pub(crate) fn read(&self, experiment: Experiment) -> Result<Option<StoredResults>> {
        let folder = self.0.join(experiment.id());
        let machine = folder.join(MACHINE);
        if !machine.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&machine)?;
        let malformed = || format!("{} cannot be read; measure again", machine.display());
        let machine = serde_json::from_str(&text).with_context(malformed)?;
        let files = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
        files.sort();
        let trials = files.iter().map(|path| TrialResult::read(path)).collect::<Result<_>>()?;
        Ok(Some(StoredResults { machine, trials }))
    }
}

impl PendingResults<'_> {
    pub(crate) fn folder(&self, experiment: Experiment) -> PathBuf {
        self.folder.join(experiment.id())
    }

    /// Replaces the earlier results.
    pub(crate) fn complete(self) -> Result<()> {
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

impl Machine {
    /// Describes this machine, and raises the limit on open files of this process and of those that it starts: some servers raise it
    /// themselves and some do not, and all are to have the same.
    pub(crate) fn describe(workspace: &Workspace, is_quick: bool) -> Result<Self> {
        let printed = |program: &str, args: &[&str]| {
            let output = workspace.command(program).args(args).output().ok().filter(|output| output.status.success());
            output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let mut versions = vec![
            ("everwire-companion, everwire-load".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("commit".to_owned(), printed("git", &["describe", "--always", "--dirty", "--exclude=*"])),
            ("rustc".to_owned(), printed("rustc", &["--version"]).replacen("rustc ", "", 1)),
            ("Node.js".to_owned(), printed("node", &["--version"])),
        ];
        for package in ["ws", "socket.io", "engine.io", "socketcluster-server"] {
            let file = workspace.root.join("node_modules").join(package).join("package.json");
            let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(file)?)?;
            versions.push((package.to_owned(), json["version"].as_str().unwrap_or("unknown").to_owned()));
        }
        Ok(Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            is_quick,
            cpu: proc_field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib().unwrap_or_default() / f64::from(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| std::env::consts::OS.to_owned(), |text| format!("Linux {}", text.trim())),
            open_files: rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit on open files")?,
            versions,
        })
    }

    pub(crate) fn day(&self) -> &str {
        self.date.split('T').next().unwrap_or(&self.date)
    }

    /// Processor, memory and system.
    pub(crate) fn hardware(&self) -> String {
        format!("{}, {} cores, {:.0} GiB, {}", self.cpu, self.cores, self.memory_gib, self.kernel)
    }

    /// How this measurement differs from another one, to be read after "measured"; `None` if the two are comparable.
    pub(crate) fn difference_from(&self, other: &Self) -> Option<String> {
        let mut parts = Vec::new();
        if self.day() != other.day() {
            parts.push(format!("on {}", self.day()));
        }
        if self.is_quick != other.is_quick {
            parts.push(if self.is_quick { "with `--quick`" } else { "without `--quick`" }.to_owned());
        }
        if self.hardware() != other.hardware() {
            parts.push(format!("on another machine ({})", self.hardware()));
        }
        if self.open_files != other.open_files {
            parts.push(format!("with at most {} open files", count(self.open_files)));
        }
        let versions = self.versions.iter().filter(|version| !other.versions.contains(version));
        parts.extend(versions.map(|(name, version)| format!("with {name} {version}")));
        (!parts.is_empty()).then(|| list(&parts))
    }
}

fn memory_kib() -> Option<f64> {
    proc_field("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()
}

/// The value of a `name: value` line.
fn proc_field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// A machine for tests.
#[cfg(test)]
pub(crate) fn fixture() -> Machine {
    Machine {
        date: "2026-01-02T03:04:05Z".to_owned(),
        is_quick: false,
        cpu: "a processor".to_owned(),
        cores: 2,
        memory_gib: 16.0,
        kernel: "Linux 6".to_owned(),
        open_files: 20_000,
        versions: vec![("Node.js".to_owned(), "24".to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_measurement_keeps_the_earlier_results() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().to_owned());
        let (first, second) = (Machine { cores: 1, ..fixture() }, Machine { cores: 2, ..fixture() });
        let cores = |experiment| store.read(experiment).unwrap().map(|results| results.machine.cores);
        let (most, workers) = (Experiment::Most, Experiment::Workers);

        store.begin(&[most], &first).unwrap().complete().unwrap();
        assert_eq!((cores(most), cores(workers)), (Some(1), None));
        drop(store.begin(&[most, workers], &second).unwrap());
        assert_eq!((cores(most), cores(workers)), (Some(1), None));
        store.begin(&[most, workers], &second).unwrap().complete().unwrap();
        assert_eq!((cores(most), cores(workers)), (Some(2), Some(2)));
    }
}

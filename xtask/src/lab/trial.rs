use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use everwire_load::{Record, Second, Summary};
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::experiment::{Experiment, Step, Workers};
use super::generator;
use super::machine::Machine;
use super::shape::Shape;
use super::text::one_line;
use crate::children;
use crate::workspace::Workspace;

/// Files that a server's process needs beside its connections.
const RESERVE: u64 = 200;

/// One step of an experiment against one server.
pub(super) struct Trial<'a> {
    head: Head,
    step: &'a Step,
    contender: Contender,
}

/// What a trial was: the first line of its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) experiment: Experiment,
    /// The number of the run, from 0.
    pub(super) run: u32,
    /// The number of the step, from 0.
    pub(super) step: usize,
    pub(super) label: String,
    pub(super) x: f64,
    pub(super) contender: String,
    pub(super) shape: Shape,
    /// The command lines as a person would type them.
    pub(super) server_command: String,
    pub(super) load_command: String,
}

/// A line of a trial's file: its head, then what `everwire-load` told, or why there is nothing to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Trial(Head),
    Failure { reason: String },
}

/// What is known of a trial that was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) head: Head,
    pub(super) outcome: Result<Outcome, String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) seconds: Vec<Second>,
    pub(super) summary: Summary,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        experiment: Experiment,
        run: u32,
        (number, step): (usize, &'a Step),
        contender: Contender,
        machine: &Machine,
    ) -> Self {
        let workers = match step.workers {
            Workers::Exactly(workers) => workers,
            Workers::AsNeeded => workers_for(step.load.connections, machine.open_files),
        };
        let shape = Shape { workers, threads: step.threads };
        let head = Head {
            experiment,
            run,
            step: number,
            label: step.label.clone(),
            x: step.x,
            contender: contender.id.to_owned(),
            shape,
            server_command: contender.shown(shape),
            load_command: generator::shown(&step.load, &contender),
        };
        Self { head, step, contender }
    }

    /// Starts the server, puts the load on it, and leaves a file in the folder. That the server fails is a result.
    pub(super) fn run(self, workspace: &Workspace, folder: &Path) -> Result<()> {
        let name = format!("{}-{}-{}", self.head.run, self.head.step, self.contender.id);
        let lines = folder.join(format!("{name}.load"));
        let measured = match self.contender.start(workspace, self.head.shape, &folder.join(format!("{name}.log"))) {
            Ok(server) => generator::run(workspace, &self.step.load, &self.contender, &server, &lines)?,
            Err(error) => Err(one_line(&error.to_string())),
        };
        ensure!(!children::is_ending(), "interrupted; what was measured before is kept");
        let told = match measured {
            Ok(()) => fs::read_to_string(lines)?,
            Err(reason) => {
                println!("{} is left out here: {reason}", self.contender.name);
                serde_json::to_string(&Line::Failure { reason })?
            }
        };
        let head = serde_json::to_string(&Line::Trial(self.head))?;
        Ok(fs::write(folder.join(format!("{name}.jsonl")), format!("{head}\n{told}"))?)
    }
}

impl Told {
    /// Reads the file of a trial.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)?;
        let mut lines = text.lines();
        let wrong = || format!("{} is not what a trial leaves; measure anew", path.display());
        let Line::Trial(head) = serde_json::from_str(lines.next().unwrap_or_default()).with_context(wrong)? else {
            anyhow::bail!(wrong());
        };
        let mut seconds = Vec::new();
        for line in lines {
            if let Ok(Line::Failure { reason }) = serde_json::from_str(line) {
                return Ok(Self { head, outcome: Err(reason) });
            }
            match serde_json::from_str(line).with_context(wrong)? {
                Record::Second(second) => seconds.push(*second),
                Record::Summary(summary) => {
                    return Ok(Self { head, outcome: Ok(Outcome { seconds, summary: *summary }) });
                }
            }
        }
        anyhow::bail!(wrong())
    }
}

fn workers_for(connections: u32, open_files: u64) -> u32 {
    let most = open_files.saturating_sub(RESERVE).max(1);
    u32::try_from(u64::from(connections).div_ceil(most)).unwrap_or(u32::MAX)
}

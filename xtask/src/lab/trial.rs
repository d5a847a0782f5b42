use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use everwire_load::{Record, Second, Summary};
use serde::{Deserialize, Serialize};

use super::contender::Contender;
use super::experiment::{Experiment, Load, Step, Workers};
use super::machine;
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
    /// The number of the step, from 0.
    pub(super) step: usize,
    pub(super) label: String,
    pub(super) x: f64,
    pub(super) contender: String,
    pub(super) workers: u32,
    /// The command lines, without the folders of the programs.
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
    pub(super) fn new(experiment: Experiment, number: usize, step: &'a Step, contender: Contender) -> Self {
        let head = Head {
            experiment,
            step: number,
            label: step.label.clone(),
            x: step.x,
            contender: contender.id.to_owned(),
            workers: match step.workers {
                Workers::Exactly(workers) => workers,
                Workers::AsNeeded => workers_for(step.load.connections),
            },
            server_command: String::new(),
            load_command: String::new(),
        };
        Self { head, step, contender }
    }

    /// Starts the server, puts the load on it, and leaves a file in the folder. That the server fails is a result.
    pub(super) fn run(mut self, workspace: &Workspace, folder: &Path) -> Result<()> {
        let name = format!("{}-{}", self.head.step, self.contender.id);
        let lines = folder.join(format!("{name}.load.jsonl"));
        let measured = self.measure(workspace, &folder.join(format!("{name}.log")), &lines);
        let mut file = File::create(folder.join(format!("{name}.jsonl")))?;
        writeln!(file, "{}", serde_json::to_string(&Line::Trial(self.head))?)?;
        match measured {
            Ok(()) => file.write_all(&fs::read(&lines)?)?,
            Err(error) => {
                let reason = error.to_string();
                println!("{} is left out here: {reason}", self.contender.name);
                writeln!(file, "{}", serde_json::to_string(&Line::Failure { reason })?)?;
            }
        }
        // It is there only where something was measured.
        let _ = fs::remove_file(lines);
        Ok(())
    }

    fn measure(&mut self, workspace: &Workspace, log: &Path, lines: &Path) -> Result<()> {
        let server = self.contender.start(workspace, self.head.workers, log)?;
        let url = server.url(&self.contender);
        let args = arguments(&self.step.load, &url, self.contender.dialect);
        self.head.server_command.clone_from(&server.command);
        self.head.load_command = format!("everwire-load {}", args.join(" "));
        let program = workspace.target()?.join("release/everwire-load");
        let load = workspace.command(&program.to_string_lossy()).args(args);
        let load = load.args(["--quiet", "--server-pid", &server.pids(), "--json"]).args([lines]);
        let (result, printed) = load.run_and_read()?;
        result.map_err(|error| match printed.lines().collect::<Vec<_>>().join(" ").trim() {
            "" => error,
            said => anyhow::anyhow!("{said}"),
        })
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

fn arguments(load: &Load, url: &str, dialect: &str) -> Vec<String> {
    let Load { connections, rate, period, payload, duration } = load;
    let mut args = vec![url.to_owned()];
    if dialect != "plain" {
        args.extend(["--dialect".to_owned(), dialect.to_owned()]);
    }
    let flags = format!(
        "--connections {connections} --rate {rate}/s --ping-period {period}ms --payload {payload} --duration {duration}s"
    );
    args.extend(flags.split(' ').map(str::to_owned));
    args
}

fn workers_for(connections: u32) -> u32 {
    let most = machine::open_files().saturating_sub(RESERVE).max(1);
    u32::try_from(u64::from(connections).div_ceil(most)).unwrap_or(u32::MAX)
}

//! A trial: the load of one step against one server, and the file that it leaves.

use std::fs::{self, File};
use std::path::Path;
use std::process::ExitStatus;

use anyhow::{Context, Result, bail};
use everwire_load::{Record, Second, Summary};
use serde::{Deserialize, Serialize};

use crate::Workspace;
use crate::experiment::{Experiment, Load, Step, Workers};
use crate::server::{Implementation, Processes, RunningServer};
use crate::store::Machine;
use crate::text::one_line;

/// Files that a server's process needs besides its connections.
const RESERVE: u64 = 200;

/// The exit code of a load generator that was interrupted and has shut down in order.
const INTERRUPTED: i32 = 130;

/// One step of an experiment against one server.
pub(crate) struct Trial<'a> {
    info: TrialInfo,
    step: &'a Step,
    implementation: Implementation,
}

/// What identifies a trial: the first line of its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrialInfo {
    pub(crate) experiment: Experiment,
    /// The number of the run, from 0.
    pub(crate) run: u32,
    /// The number of the step, from 0.
    pub(crate) step: usize,
    pub(crate) label: String,
    pub(crate) x: f64,
    /// The id of the server's implementation.
    pub(crate) implementation: String,
    pub(crate) processes: Processes,
    /// The command lines that repeat it by hand.
    pub(crate) server_command: String,
    pub(crate) load_command: String,
}

/// A line of a trial's file that this program writes; the others are [`Record`]s of `everwire-load`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Trial(TrialInfo),
    Failure { reason: String },
}

/// A trial as read from its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrialResult {
    pub(crate) info: TrialInfo,
    /// The error is the reason why there is no measurement.
    pub(crate) outcome: Result<Measurement, String>,
}

/// The output of the load generator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measurement {
    pub(crate) seconds: Vec<Second>,
    pub(crate) summary: Summary,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(
        experiment: Experiment,
        run: u32,
        (number, step): (usize, &'a Step),
        implementation: Implementation,
        machine: &Machine,
    ) -> Self {
        let workers = match step.workers {
            Workers::Exactly(workers) => workers,
            Workers::AsNeeded => workers_for(step.load.connections, machine.open_files),
        };
        let processes = Processes { workers, threads: step.threads };
        let info = TrialInfo {
            experiment,
            run,
            step: number,
            label: step.label.clone(),
            x: step.x,
            implementation: implementation.id.to_owned(),
            processes,
            server_command: implementation.command_lines(processes),
            load_command: load_command(&step.load, &implementation),
        };
        Self { info, step, implementation }
    }

    /// Starts the server, runs the load generator, and leaves a file in the folder. A server that fails is a result as well.
    pub(crate) fn run(self, workspace: &Workspace, folder: &Path) -> Result<()> {
        let name = format!("{}-{}-{}", self.info.run, self.info.step, self.implementation.id);
        let records = folder.join(format!("{name}.load"));
        let log = folder.join(format!("{name}.log"));
        let measured = match self.implementation.start(workspace, self.info.processes, &log) {
            Ok(server) => self.generate_load(workspace, &server, &records)?,
            Err(error) => Err(one_line(&error.to_string())),
        };
        let records = match measured {
            Ok(()) => fs::read_to_string(records)?,
            Err(reason) => {
                println!("{} is left out here: {reason}", self.implementation.name);
                serde_json::to_string(&Line::Failure { reason })?
            }
        };
        let info = serde_json::to_string(&Line::Trial(self.info))?;
        Ok(fs::write(folder.join(format!("{name}.jsonl")), format!("{info}\n{records}"))?)
    }

    /// Runs the load generator, which writes its records to a file. The inner error is the reason why there is no measurement; the
    /// outer one says nothing about the server.
    fn generate_load(
        &self,
        workspace: &Workspace,
        server: &RunningServer,
        records: &Path,
    ) -> Result<Result<(), String>> {
        let stderr = records.with_extension("stderr");
        let mut command = workspace.command(workspace.program("everwire-load"));
        command.args(load_arguments(&self.step.load, &self.implementation, Some(server.port())));
        command.args(["--quiet", "--server-pid", &server.pids(), "--json"]).arg(records);
        let status = command.stderr(File::create(&stderr)?).status().context("cannot start everwire-load")?;
        load_result(status, &fs::read_to_string(stderr)?)
    }
}

impl TrialResult {
    /// Reads the file of a trial.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)?;
        let mut lines = text.lines();
        let malformed = || format!("{} is not the file of a trial; measure again", path.display());
        let Line::Trial(info) = serde_json::from_str(lines.next().unwrap_or_default()).with_context(malformed)? else {
            bail!(malformed());
        };
        let mut seconds = Vec::new();
        for line in lines {
            if let Ok(Line::Failure { reason }) = serde_json::from_str(line) {
                return Ok(Self { info, outcome: Err(reason) });
            }
            match serde_json::from_str(line).with_context(malformed)? {
                Record::Second(second) => seconds.push(*second),
                Record::Summary(summary) => {
                    return Ok(Self { info, outcome: Ok(Measurement { seconds, summary: *summary }) });
                }
            }
        }
        bail!(malformed())
    }
}

fn workers_for(connections: u32, open_files: u64) -> u32 {
    let per_process = open_files.saturating_sub(RESERVE).max(1);
    u32::try_from(u64::from(connections).div_ceil(per_process)).unwrap_or(u32::MAX)
}

/// The command line that repeats the load by hand in the project's root.
fn load_command(load: &Load, implementation: &Implementation) -> String {
    format!("target/release/everwire-load {}", load_arguments(load, implementation, None).join(" "))
}

fn load_arguments(load: &Load, implementation: &Implementation, port: Option<u16>) -> Vec<String> {
    let Load { connections, rate, period, payload, warm_up, duration } = load;
    let dialect = match implementation.dialect {
        "plain" => String::new(),
        dialect => format!(" --dialect {dialect}"),
    };
    let arguments = format!(
        "{}{dialect} --connections {connections} --rate {rate}/s --ping-period {period}ms --payload {payload} \
         --warm-up {warm_up}s --duration {duration}s",
        implementation.url(port)
    );
    arguments.split_whitespace().map(str::to_owned).collect()
}

fn load_result(status: ExitStatus, stderr: &str) -> Result<Result<(), String>> {
    // There is no code if a signal has ended it.
    if status.code().is_none_or(|code| code == INTERRUPTED) {
        bail!("the load generator was interrupted ({status}); the results of earlier measurements are kept");
    }
    Ok(match one_line(stderr) {
        _ if status.success() => Ok(()),
        stderr if stderr.is_empty() => Err(format!("the load generator failed ({status})")),
        stderr => Err(format!("the load generator says: {stderr}")),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn an_interrupted_load_generator_says_nothing_about_the_server() {
        let interrupt = ExitStatus::from_raw(2);
        let in_order = ExitStatus::from_raw(INTERRUPTED << 8);
        assert!(load_result(interrupt, "").is_err() && load_result(in_order, "interrupted").is_err());
    }

    #[test]
    fn a_load_generator_that_fails_says_why() {
        let failed = ExitStatus::from_raw(1 << 8);
        let stderr = "no connection to ws://x could be opened:\n  3 x refused\n";
        let reason = load_result(failed, stderr).unwrap().unwrap_err();
        assert_eq!(reason, "the load generator says: no connection to ws://x could be opened: 3 x refused");
        assert!(load_result(failed, "\n").unwrap().unwrap_err().contains("failed"));
        assert_eq!(load_result(ExitStatus::from_raw(0), "a warning").unwrap(), Ok(()));
    }
}

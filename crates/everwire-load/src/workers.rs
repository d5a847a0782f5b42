use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use thiserror::Error;

use crate::Plan;
use crate::interval::Interval;
use crate::worker::{Assignment, WorkerCommand};

/// The worker processes. Dropping it ends them.
pub(crate) struct Workers(Vec<Worker>);

struct Worker {
    child: Child,
    /// Closed to end it.
    commands: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

/// Why the result of a run is incomplete.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A worker could not be started.
    #[error("cannot start a worker process: {0}")]
    Start(#[source] io::Error),
    /// A worker has exited early.
    #[error(
        "worker process {number} has ended ({problem}): its output is above; if the system has killed it, memory may be short: use fewer --connections or a smaller --payload"
    )]
    Gone {
        /// The number of the worker, from 1.
        number: usize,
        /// Its exit status, or the error.
        problem: String,
    },
}

impl Workers {
    /// Starts this program as many times as the plan has processes. The workers begin to connect.
    pub(crate) fn start(plan: &Plan) -> Result<Self, WorkerError> {
        let program = std::env::current_exe().map_err(WorkerError::Start)?;
        let mut workers = Self(Vec::new());
        for _ in 0..plan.processes {
            let mut command = Command::new(&program);
            command.arg(super::run::AS_WORKER).stdin(Stdio::piped()).stdout(Stdio::piped());
            spare(&mut command);
            let mut child = command.spawn().map_err(WorkerError::Start)?;
            let (commands, reports) = (child.stdin.take(), child.stdout.take());
            let reports = BufReader::new(reports.expect("stdout is piped"));
            workers.0.push(Worker { child, commands, reports });
        }
        // No worker begins before all have started, so that they keep to one rate.
        for (process, worker) in (0..).zip(&mut workers.0) {
            let assignment = Assignment { plan: plan.clone(), process };
            worker.send(&serde_json::to_string(&assignment).expect("a plan is text and numbers"));
        }
        Ok(workers)
    }

    /// The process numbers of the workers.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|worker| worker.child.id())
    }

    pub(crate) fn send(&mut self, command: WorkerCommand) {
        let command = serde_json::to_string(&command).expect("a command is text and numbers");
        self.0.iter_mut().for_each(|worker| worker.send(&command));
    }

    /// Collects what all have counted since the last report, and the first worker that has exited.
    pub(crate) fn report(&mut self) -> (Interval, Option<WorkerError>) {
        self.send(WorkerCommand::Report);
        let (mut together, mut gone) = (Interval::default(), None);
        for (number, worker) in (1..).zip(&mut self.0) {
            match worker.receive() {
                Ok(report) => together.join(&report),
                Err(problem) => gone = gone.or(Some(WorkerError::Gone { number, problem })),
            }
        }
        (together, gone)
    }

    /// Closes all connections, and waits until the workers have exited.
    pub(crate) fn end(mut self) {
        self.send(WorkerCommand::End);
        for worker in &mut self.0 {
            // Its last report has been read, so its exit status does not matter.
            let _ = worker.child.wait();
        }
    }
}

impl Worker {
    /// Sends a line. An error is ignored: the next report detects a worker that has exited.
    fn send(&mut self, line: &str) {
        if let Some(commands) = &mut self.commands {
            let _ = writeln!(commands, "{line}").and_then(|()| commands.flush());
        }
    }

    fn receive(&mut self) -> Result<Interval, String> {
        let mut line = String::new();
        match self.reports.read_line(&mut line) {
            Ok(0) | Err(_) => {
                Err(self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string()))
            }
            Ok(_) => serde_json::from_str(&line).map_err(|error| error.to_string()),
        }
    }
}

/// Keeps the signals that a terminal sends to all processes in its foreground from a worker: its part of the result is still
/// wanted when the program is interrupted. It ends when the program does.
#[cfg(unix)]
fn spare(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn spare(_command: &mut Command) {}

impl Drop for Worker {
    fn drop(&mut self) {
        self.commands = None;
        // It fails where the worker has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use thiserror::Error;

use crate::Plan;
use crate::interval::Interval;
use crate::orders::{Assignment, Order};

/// The worker processes. Dropping it ends them.
pub(crate) struct Crew(Vec<Worker>);

struct Worker {
    child: Child,
    /// Closed to end it.
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

/// Why there is no telling how the run went.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CrewError {
    /// A worker could not be started.
    #[error("cannot start a worker process: {0}")]
    Start(#[source] io::Error),
    /// A worker has gone.
    #[error(
        "worker process {number} has ended ({problem}): what it said stands above; if the system has killed it, memory may be short: use fewer --connections or a smaller --payload"
    )]
    Gone {
        /// Which.
        number: usize,
        /// What is known of it.
        problem: String,
    },
}

impl Crew {
    /// Starts this program anew as often as the plan says; the workers begin to connect.
    pub(crate) fn start(plan: &Plan) -> Result<Self, CrewError> {
        let program = std::env::current_exe().map_err(CrewError::Start)?;
        let mut crew = Self(Vec::new());
        for _ in 0..plan.processes {
            let mut command = Command::new(&program);
            command.arg(super::run::AS_WORKER).stdin(Stdio::piped()).stdout(Stdio::piped());
            spare(&mut command);
            let mut child = command.spawn().map_err(CrewError::Start)?;
            let (orders, reports) = (child.stdin.take(), child.stdout.take());
            let reports = BufReader::new(reports.expect("stdout is piped"));
            crew.0.push(Worker { child, orders, reports });
        }
        // Nobody begins before all are there, so that they keep to one rate.
        for (process, worker) in (0..).zip(&mut crew.0) {
            let assignment = Assignment { plan: plan.clone(), process };
            worker.tell(&serde_json::to_string(&assignment).expect("a plan is text and numbers"));
        }
        Ok(crew)
    }

    /// The process numbers of the workers.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|worker| worker.child.id())
    }

    pub(crate) fn order(&mut self, order: Order) {
        let order = serde_json::to_string(&order).expect("an order is text and numbers");
        self.0.iter_mut().for_each(|worker| worker.tell(&order));
    }

    /// What all have counted since they were last asked, and which of them has gone.
    pub(crate) fn report(&mut self) -> (Interval, Option<CrewError>) {
        self.order(Order::Report);
        let (mut together, mut gone) = (Interval::default(), None);
        for (number, worker) in (1..).zip(&mut self.0) {
            match worker.hear() {
                Ok(report) => together.join(&report),
                Err(problem) => gone = gone.or(Some(CrewError::Gone { number, problem })),
            }
        }
        (together, gone)
    }

    /// Has all connections closed, and waits for the workers' end.
    pub(crate) fn end(mut self) {
        self.order(Order::End);
        for worker in &mut self.0 {
            // Its result has been told; how it ends changes nothing.
            let _ = worker.child.wait();
        }
    }
}

impl Worker {
    /// A worker that has gone is found out by its silence.
    fn tell(&mut self, line: &str) {
        if let Some(orders) = &mut self.orders {
            let _ = writeln!(orders, "{line}").and_then(|()| orders.flush());
        }
    }

    fn hear(&mut self) -> Result<Interval, String> {
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
        self.orders = None;
        // It fails where the worker has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

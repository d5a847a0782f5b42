//! Worker processes, which hold the connections. The program starts itself as the workers, sends them commands on stdin, and reads
//! reports from their stdout, each a line of JSON. Several processes get around the limit on open files of one.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{self, ClientContext, ClientPhase, TlsRoots};
use crate::error::WorkerError;
use crate::machine;
use crate::plan::{Clock, Plan, SendWindow};
use crate::statistics::{WorkerCounters, WorkerReport};

/// The first argument of a worker process, which then calls [`serve`].
pub const AS_WORKER: &str = "--as-worker";

/// The first line on stdin.
#[derive(Debug, Serialize, Deserialize)]
struct Assignment {
    plan: Plan,
    /// The number of the process, from 0.
    process: u32,
}

/// The lines that follow on stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkerCommand {
    /// Write a [`WorkerReport`] to stdout.
    Report,
    /// Send messages in this window, in microseconds since the Unix epoch.
    Load(SendWindow<u64>),
    /// Send no more messages.
    Stop,
    /// Close the connections and exit.
    End,
}

/// The worker processes. Dropping it kills them.
pub(crate) struct Workers(Vec<Worker>);

struct Worker {
    child: Child,
    /// Closing it makes the worker exit. `None` after that.
    commands: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

impl Workers {
    /// Starts this program as many times as the plan has processes. The workers begin to connect.
    pub(crate) fn start(plan: &Plan) -> Result<Self, WorkerError> {
        let program = std::env::current_exe().map_err(WorkerError::Start)?;
        let mut workers = Self(Vec::new());
        for _ in 0..plan.processes {
            let mut command = Command::new(&program);
            command.arg(AS_WORKER).stdin(Stdio::piped()).stdout(Stdio::piped());
            ignore_terminal_signals(&mut command);
            let mut child = command.spawn().map_err(WorkerError::Start)?;
            let (commands, reports) = (child.stdin.take(), child.stdout.take());
            let reports = BufReader::new(reports.expect("stdout is piped"));
            workers.0.push(Worker { child, commands, reports });
        }
        // A worker begins with its assignment. Sending these only when all have started keeps them to one common rate.
        for (process, worker) in (0..).zip(&mut workers.0) {
            let assignment = Assignment { plan: plan.clone(), process };
            worker.send(&serde_json::to_string(&assignment).expect("a plan is text and numbers"));
        }
        Ok(workers)
    }

    /// The process IDs of the workers.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|worker| worker.child.id())
    }

    pub(crate) fn send(&mut self, command: WorkerCommand) {
        let command = serde_json::to_string(&command).expect("a command is text and numbers");
        self.0.iter_mut().for_each(|worker| worker.send(&command));
    }

    /// Collects a report from each worker. Returns their sum, and an error for the first worker that has exited.
    pub(crate) fn report(&mut self) -> (WorkerReport, Option<WorkerError>) {
        self.send(WorkerCommand::Report);
        let (mut sum, mut error) = (WorkerReport::default(), None);
        for (number, worker) in (1..).zip(&mut self.0) {
            match worker.receive() {
                Ok(report) => sum.add_worker(&report),
                Err(problem) => error = error.or(Some(WorkerError::Exited { number, problem })),
            }
        }
        (sum, error)
    }

    /// Closes all connections, and waits until the workers have exited.
    pub(crate) fn end(mut self) {
        self.send(WorkerCommand::End);
        for worker in &mut self.0 {
            // The last report was read, so the exit status does not matter.
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

    fn receive(&mut self) -> Result<WorkerReport, String> {
        let mut line = String::new();
        match self.reports.read_line(&mut line) {
            Ok(0) | Err(_) => {
                Err(self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string()))
            }
            Ok(_) => serde_json::from_str(&line).map_err(|error| error.to_string()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.commands = None;
        // This fails if the worker has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a worker into a process group of its own, so that Ctrl-C does not reach it: an interrupted run still collects its report.
/// The worker exits when its stdin is closed.
#[cfg(unix)]
fn ignore_terminal_signals(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn ignore_terminal_signals(_command: &mut Command) {}

/// Runs as a worker process, until the command to end or until stdin is closed because the program has exited.
///
/// # Errors
/// If a command cannot be read or a report cannot be written.
pub fn serve() -> io::Result<()> {
    machine::raise_open_file_limit();
    let mut first = String::new();
    io::stdin().lock().read_line(&mut first)?;
    let Assignment { plan, process } = serde_json::from_str(&first)?;
    let (sender, commands) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let command = line.and_then(|line| Ok(serde_json::from_str(&line)?));
            if sender.send(command).is_err() {
                return;
            }
        }
    });
    let runtime = runtime(plan.threads)?;
    let served = runtime.block_on(work(Arc::new(plan), process, commands));
    // The thread that reads stdin may be blocked.
    runtime.shutdown_background();
    served
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

async fn work(
    plan: Arc<Plan>,
    process: u32,
    mut commands: mpsc::UnboundedReceiver<io::Result<WorkerCommand>>,
) -> io::Result<()> {
    let clock = Clock::start();
    let counters = Arc::new(WorkerCounters::default());
    let (phases, phase) = watch::channel(ClientPhase::Connect);
    let roots = TlsRoots::new(&plan);
    let context = ClientContext { plan, clock, counters: Arc::clone(&counters), phase, roots };
    let opening = tokio::spawn(open(context, process));
    while let Some(command) = commands.recv().await {
        match command? {
            WorkerCommand::Report => report(&serde_json::to_string(&counters.take())?)?,
            WorkerCommand::Load(window) => {
                phases.send_replace(ClientPhase::Load(window.map(|micros| clock.instant(micros))));
            }
            WorkerCommand::Stop => {
                phases.send_replace(ClientPhase::Stop);
            }
            WorkerCommand::End => {
                phases.send_replace(ClientPhase::End);
                if let Ok(clients) = opening.await {
                    clients.join_all().await;
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Opens the connections one after the other, each at its time, until all are open or the command to end arrives.
async fn open(context: ClientContext, process: u32) -> JoinSet<()> {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    let mut phase = context.phase.clone();
    for client in context.plan.clients_of(process) {
        tokio::select! {
            () = sleep_until(start + context.plan.opens_at(client.number)) => {}
            _ = phase.wait_for(|phase| *phase == ClientPhase::End) => break,
        }
        clients.spawn(client::run(context.clone(), client));
    }
    clients
}

fn report(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

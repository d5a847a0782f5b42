//! A process that holds a part of the connections. It reads commands from stdin and writes reports to stdout, each a line of JSON.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{self, ClientContext, Roots, Signal};
use crate::clock::Clock;
use crate::files;
use crate::meter::Meter;
use crate::plan::Plan;
use crate::window::Window;

/// The first line on stdin: the plan, and the number of the process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) plan: Plan,
    pub(crate) process: u32,
}

/// The lines that follow on stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkerCommand {
    /// Write an [`Interval`](crate::interval::Interval) to stdout: what has been counted since the last report.
    Report,
    /// Send messages in this window, in microseconds since the Unix epoch.
    Load(Window<u64>),
    /// Send no more messages.
    Stop,
    /// Close the connections and exit.
    End,
}

/// Serves as a worker process until the command to end, or until stdin ends because the program has exited.
///
/// # Errors
/// If a command cannot be read or a report cannot be written.
pub fn serve() -> io::Result<()> {
    files::raise_limit();
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
    // The thread that reads stdin may wait for ever.
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
    let meter = Arc::new(Meter::default());
    let (signals, signal) = watch::channel(Signal::Connect);
    let roots = Roots::new(&plan);
    let context = ClientContext { plan, clock, meter: Arc::clone(&meter), signal, roots };
    let opening = tokio::spawn(open(context, process));
    while let Some(command) = commands.recv().await {
        match command? {
            WorkerCommand::Report => report(&serde_json::to_string(&meter.take())?)?,
            WorkerCommand::Load(window) => {
                signals.send_replace(Signal::Load(window.map(|micros| clock.instant(micros))));
            }
            WorkerCommand::Stop => {
                signals.send_replace(Signal::Stop);
            }
            WorkerCommand::End => {
                signals.send_replace(Signal::End);
                if let Ok(clients) = opening.await {
                    clients.join_all().await;
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Opens the connections one after the other, each at its time, until all are open or the program wants to end.
async fn open(context: ClientContext, process: u32) -> JoinSet<()> {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    let mut signal = context.signal.clone();
    for part in context.plan.parts_of(process) {
        tokio::select! {
            () = sleep_until(start + context.plan.opens_at(part.number)) => {}
            _ = signal.wait_for(|signal| *signal == Signal::End) => break,
        }
        clients.spawn(client::run(context.clone(), part));
    }
    clients
}

fn report(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

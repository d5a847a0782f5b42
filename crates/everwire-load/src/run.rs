use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::chart::{ChartError, charts_of_a_run};
use crate::controller::Controller;
use crate::lines::Lines;
use crate::progress::Progress;
use crate::record::{Record, Second, Summary};
use crate::workers::WorkerError;
use crate::{Cli, Unusable, files, table};

/// The first argument with which the program starts itself as a worker: then it is to call `serve`.
pub const AS_WORKER: &str = "--as-worker";

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it was planned.
    Complete,
    /// As it was planned, and the result does not keep to these limits.
    Missed(Vec<String>),
    /// By a signal, before its time.
    Interrupted,
}

/// Why there is no result, or not all of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The flags.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// A worker process.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// No connection could be opened.
    #[error("no connection to {url} could be opened:{reasons}\nIs the server running there, and is this its address?")]
    NoConnection {
        /// The address of the server.
        url: String,
        /// The reasons, and how often each occurred.
        reasons: String,
    },
    /// `--payload`.
    #[error(
        "a message of --payload {payload} is too large to come back ({reason}): use a smaller one, or raise the limit of the server"
    )]
    TooLarge {
        /// How many bytes the messages have.
        payload: usize,
        /// How that is known.
        reason: String,
    },
    /// `--server-pid`.
    #[error("there is no process {0}: leave out --server-pid to watch the process that listens on the server's port")]
    NoProcess(u32),
    /// `--json` or `--charts`.
    #[error("cannot write {}: {error}; name another place", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `--json -`, whose reader has closed stdout.
    #[error("stdout was closed before the end of the run")]
    Unread,
    /// `--charts`.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// Signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] ctrlc::Error),
}

/// Runs what the command line asks for, and prints the result.
///
/// # Errors
/// If a run fails or ends early; the result so far is printed nevertheless. Lost messages are a result and not an error, unless no
/// message of their size can pass.
pub fn run(asked: Cli) -> Result<Outcome, RunError> {
    files::raise_limit();
    let command = asked.shown_command(std::env::args());
    let (plan, output) = asked.into_plan()?;
    if let Some(charts) = &output.charts {
        fs::create_dir_all(charts).map_err(|error| RunError::Write { path: charts.clone(), error })?;
    }
    let mut lines = Lines::open(output.json.as_deref())?;
    let mut controller = Controller::start(plan, &output.server_pid, Progress::new(output.quiet))?;
    let ran = controller.run(&mut lines);
    if let Err(error @ RunError::NoConnection { .. }) = ran {
        return Err(error);
    }

    let mut summary = controller.summary(command);
    summary.problem = ran.as_ref().err().map(ToString::to_string);
    summary.missed = output.limits.missed(&summary);
    // What takes time comes last.
    let shown = if lines.are_on_stdout() { Ok(()) } else { show(&table::of(&summary)) };
    let outcome = match summary {
        Summary { interrupted: true, .. } => Outcome::Interrupted,
        _ if summary.missed.is_empty() => Outcome::Complete,
        _ => Outcome::Missed(summary.missed.clone()),
    };
    let written = lines.write(&Record::Summary(Box::new(summary)));
    let drawn = output.charts.as_deref().map_or(Ok(()), |charts| draw(charts, controller.seconds()));
    controller.end();
    ran.and(shown).and(written).and(drawn)?;
    Ok(outcome)
}

fn show(table: &str) -> Result<(), RunError> {
    let mut stdout = io::stdout();
    match stdout.write_all(table.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that has closed stdout does not want the table.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::Write { path: "stdout".into(), error })
        }
        _ => Ok(()),
    }
}

fn draw(charts: &Path, seconds: &[Second]) -> Result<(), RunError> {
    for (name, chart) in charts_of_a_run(seconds) {
        let path = charts.join(name);
        fs::write(&path, chart.svg()?).map_err(|error| RunError::Write { path, error })?;
    }
    Ok(())
}

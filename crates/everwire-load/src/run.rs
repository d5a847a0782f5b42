use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::chart::{ChartError, charts_of_a_run};
use crate::conduct::Conduct;
use crate::crew::CrewError;
use crate::lines::Lines;
use crate::progress::Progress;
use crate::record::{Record, Second, Summary};
use crate::{Cli, Unusable, files, table};

/// The first argument with which the program starts itself as a worker: then it is to call `serve`.
pub const AS_WORKER: &str = "--as-worker";

/// How a run has come to its end.
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
    /// The workers.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The server.
    #[error("no connection to {url} could be opened:{reasons}\nIs the server running there, and is this its address?")]
    Nobody {
        /// Where to.
        url: String,
        /// Why not, and how often.
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
    #[error("there is no process {0}: leave out --server-pid to watch whoever listens on the server's port")]
    NoProcess(u32),
    /// `--json` or `--charts`.
    #[error("cannot write {}: {error}; name another place", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `--json -`, of which somebody has read enough.
    #[error("stdout was closed before the end of the run")]
    Unread,
    /// `--charts`.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// Signals.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] ctrlc::Error),
}

/// Does what the command line says, and prints what came of it.
///
/// # Errors
/// A run that could not be made, or not to its end; what is known of it is printed nevertheless. Messages that were lost are a
/// result and not an error, unless none of their size can pass.
pub fn run(asked: Cli) -> Result<Outcome, RunError> {
    files::raise_limit();
    let command = asked.shown_command(std::env::args());
    let (plan, output) = asked.into_plan()?;
    if let Some(charts) = &output.charts {
        fs::create_dir_all(charts).map_err(|error| RunError::Write { path: charts.clone(), error })?;
    }
    let mut lines = Lines::open(output.json.as_deref())?;
    let mut conduct = Conduct::start(plan, &output.server_pid, Progress::new(output.quiet))?;
    let ran = conduct.run(&mut lines);
    if let Err(nobody @ RunError::Nobody { .. }) = ran {
        return Err(nobody);
    }

    let mut summary = conduct.summary(command);
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
    let drawn = output.charts.as_deref().map_or(Ok(()), |charts| draw(charts, conduct.seconds()));
    conduct.end();
    ran.and(shown).and(written).and(drawn)?;
    Ok(outcome)
}

fn show(table: &str) -> Result<(), RunError> {
    let mut stdout = io::stdout();
    match stdout.write_all(table.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever has closed stdout does not want to read it.
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

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::chart::of_a_run::charts_of_a_run;
use crate::controller::Controller;
use crate::lines::Lines;
use crate::progress::Progress;
use crate::record::{Record, Second, Summary};
use crate::{Cli, RunError, files, table};

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

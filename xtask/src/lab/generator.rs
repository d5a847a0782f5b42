//! The load generator's part in a trial.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::{Result, bail};

use super::contender::{Contender, Running};
use super::experiment::Load;
use super::text::one_line;
use crate::workspace::Workspace;

/// The exit code of a program that was interrupted and has ended in order.
const INTERRUPTED: i32 = 130;

/// Puts the load on a server; what came of it goes to a file. That there is nothing to tell is a result, told with the reason; that
/// the load generator was interrupted says nothing of the server and is an error.
pub(super) fn run(
    workspace: &Workspace,
    load: &Load,
    contender: &Contender,
    server: &Running,
    to: &Path,
) -> Result<Result<(), String>> {
    let program = workspace.target()?.join("release/everwire-load");
    let complaints = to.with_extension("stderr");
    let command = workspace.command(&program.to_string_lossy()).stderr(File::create(&complaints)?);
    let command = command.args(arguments(load, contender, Some(server.port())));
    let mut child = command.args(["--quiet", "--server-pid", &server.pids(), "--json"]).args([to]).spawn()?;
    if let Some(mut table) = child.stdout.take() {
        // A terminal that is gone is no reason to stop.
        let _ = io::copy(&mut table, &mut io::stdout());
    }
    judge(child.wait()?, &fs::read_to_string(complaints)?)
}

/// As a person would type it in the project's root.
pub(super) fn shown(load: &Load, contender: &Contender) -> String {
    format!("target/release/everwire-load {}", arguments(load, contender, None).join(" "))
}

fn arguments(load: &Load, contender: &Contender, port: Option<u16>) -> Vec<String> {
    let Load { connections, rate, period, payload, warm_up, duration } = load;
    let dialect = match contender.dialect {
        "plain" => String::new(),
        dialect => format!(" --dialect {dialect}"),
    };
    let arguments = format!(
        "{}{dialect} --connections {connections} --rate {rate}/s --ping-period {period}ms --payload {payload} \
         --warm-up {warm_up}s --duration {duration}s",
        contender.url(port)
    );
    arguments.split_whitespace().map(str::to_owned).collect()
}

fn judge(status: ExitStatus, said: &str) -> Result<Result<(), String>> {
    // There is no code where a signal has ended it.
    if status.code().is_none_or(|code| code == INTERRUPTED) {
        bail!("the load generator was interrupted ({status}); what was measured before is kept");
    }
    Ok(match one_line(said) {
        _ if status.success() => Ok(()),
        said if said.is_empty() => Err(format!("the load generator failed ({status})")),
        said => Err(format!("the load generator says: {said}")),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_load_generator_that_was_interrupted_says_nothing_of_the_server() {
        let interrupt = ExitStatus::from_raw(2);
        let in_order = ExitStatus::from_raw(INTERRUPTED << 8);
        assert!(judge(interrupt, "").is_err() && judge(in_order, "interrupted").is_err());
    }

    #[test]
    fn a_load_generator_that_fails_says_why() {
        let failed = ExitStatus::from_raw(1 << 8);
        let said = judge(failed, "no connection to ws://x could be opened:\n  3 x refused\n").unwrap().unwrap_err();
        assert_eq!(said, "the load generator says: no connection to ws://x could be opened: 3 x refused");
        assert!(judge(failed, "\n").unwrap().unwrap_err().contains("failed"));
        assert_eq!(judge(ExitStatus::from_raw(0), "a warning").unwrap(), Ok(()));
    }
}

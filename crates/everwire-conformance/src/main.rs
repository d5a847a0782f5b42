//! The program: one line for each check, and a summary.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use everwire_conformance::{Check, Fault, Options, Verdict, checks, run, run_with};

/// The command line over the options of the checks.
#[derive(Debug, Parser)]
#[command(
    name = "everwire-conformance",
    about = "Checks whether a server implements everwire.v1 as specified",
    after_help = "Each check prints one line: ok, FAILED or skipped, and its name. Exit status: 0 if no check failed, 1 if one did, 2 for \
                  a wrong command line."
)]
struct Cli {
    /// The address of the server, for example ws://127.0.0.1:9001/everwire
    #[arg(required_unless_present = "list")]
    url: Option<String>,
    #[command(flatten)]
    options: Options,
    /// Run only the checks whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print the names of the checks without running them
    #[arg(long)]
    list: bool,
    /// Run the checks against the server with each known fault, which a proxy adds, and print which faults they detect
    #[arg(long, conflicts_with_all = ["list", "filter"])]
    faults: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match check(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        // The only error is a closed output, which leaves nowhere to report it.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Returns whether no check failed.
async fn check(cli: Cli) -> io::Result<bool> {
    let mut output = io::stdout();
    let mut options = cli.options;
    options.url = cli.url.unwrap_or_default();
    if cli.faults {
        return check_faults(&options, &mut output).await;
    }
    let filter = cli.filter.unwrap_or_default();
    let checks: Vec<Check> = checks().into_iter().filter(|check| check.name().contains(&filter)).collect();
    if cli.list {
        for check in &checks {
            writeln!(output, "{}", check.name())?;
        }
        return Ok(true);
    }
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for check in &checks {
        let report = run(check, &options).await;
        match report.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Skipped(_) => skipped += 1,
            _ => failed += 1,
        }
        writeln!(output, "{report}")?;
    }
    writeln!(output, "passed={passed} failed={failed} skipped={skipped}")?;
    if checks.is_empty() {
        writeln!(output, "no check has {filter:?} in its name: --list prints all names")?;
    }
    Ok(failed == 0 && !checks.is_empty())
}

/// Returns whether every fault was detected.
async fn check_faults(options: &Options, output: &mut impl Write) -> io::Result<bool> {
    let (mut found, mut missed, mut skipped) = (0, 0, 0);
    for fault in Fault::ALL {
        let report = run_with(*fault, options).await?;
        match report.as_ref().map(|report| &report.verdict) {
            Some(Verdict::Failed(reason)) => {
                found += 1;
                writeln!(output, "found {fault:?} by {}: {reason}", fault.found_by())?;
            }
            Some(Verdict::Skipped(reason)) => {
                skipped += 1;
                writeln!(output, "skipped {fault:?}: {reason}")?;
            }
            _ => {
                missed += 1;
                writeln!(output, "MISSED {fault:?} by {}", fault.found_by())?;
            }
        }
    }
    writeln!(output, "found={found} missed={missed} skipped={skipped}")?;
    Ok(missed == 0)
}

//! The program: one line a check, and a summary.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use everwire_conformance::{Check, Options, Verdict, checks, run};

/// The command line over the options of the checks.
#[derive(Debug, Parser)]
#[command(
    name = "everwire-conformance",
    about = "Checks whether a server speaks everwire.v1 as the specification says",
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
    /// Print the names of the checks, and run none
    #[arg(long)]
    list: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match check(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        // An error means that the output is closed, so that there is no place to report it.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Returns whether no check failed.
async fn check(cli: Cli) -> io::Result<bool> {
    let mut output = io::stdout();
    let mut options = cli.options;
    options.url = cli.url.unwrap_or_default();
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

//! The program: the command line of the library. It starts itself again for the worker processes.

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::Parser;
use everwire_load::{AS_WORKER, Cli, INTERRUPTED, Outcome, RunError, run, serve};

/// The exit code of clap for invalid arguments.
const USAGE: u8 = 2;
const LIMIT_MISSED: u8 = 3;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| first == AS_WORKER) {
        return match serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("a worker process failed: {error}")),
        };
    }
    match run(Cli::parse()) {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Missed(limits)) => {
            limits.iter().for_each(|limit| print(&format!("limit missed: {limit}")));
            ExitCode::from(LIMIT_MISSED)
        }
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error @ RunError::Usage(_)) => {
            print(&error.to_string());
            ExitCode::from(USAGE)
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    print(problem);
    ExitCode::FAILURE
}

/// Prints to stderr. `eprintln` panics if stderr is closed or its disk is full, which would change the exit code.
fn print(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

//! The program: a command line over the library, and the worker processes that it starts itself as.

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::Parser;
use everwire_load::{AS_WORKER, Cli, INTERRUPTED, Outcome, RunError, run, serve};

/// What clap exits with too.
const UNUSABLE: u8 = 2;
const MISSED: u8 = 3;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| first == AS_WORKER) {
        return match serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("a worker process cannot go on: {error}")),
        };
    }
    match run(Cli::parse()) {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Missed(limits)) => {
            limits.iter().for_each(|limit| say(&format!("limit missed: {limit}")));
            ExitCode::from(MISSED)
        }
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error @ RunError::Unusable(_)) => {
            say(&error.to_string());
            ExitCode::from(UNUSABLE)
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    say(problem);
    ExitCode::FAILURE
}

/// `eprintln` panics if stderr is closed or its disk is full, and then the exit code would be wrong.
fn say(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

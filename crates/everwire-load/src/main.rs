//! The program: a command line over the library, and the worker processes that it starts itself as.

use std::process::ExitCode;

use clap::Parser;
use everwire_load::{AS_WORKER, Cli, INTERRUPTED, Outcome, run, serve};

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| first == AS_WORKER) {
        return match serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("a worker process cannot go on: {error}")),
        };
    }
    match run(Cli::parse()) {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::FAILURE
}

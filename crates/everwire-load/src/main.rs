//! The program: a command line over the library, and the worker processes that it starts itself as.

use std::process::ExitCode;

use clap::Parser;
use everwire_load::{AS_WORKER, Cli, run, serve};

fn main() -> ExitCode {
    let problem = if std::env::args().nth(1).is_some_and(|first| first == AS_WORKER) {
        serve().err().map(|error| format!("a worker process cannot go on: {error}"))
    } else {
        run(Cli::parse()).err().map(|error| error.to_string())
    };
    match problem {
        None => ExitCode::SUCCESS,
        Some(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

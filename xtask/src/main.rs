//! The project's chores, run as `cargo xtask <command>`.
//!
//! # Layout
//! - [`tools`]: what the chores need installed, in one table, and how each kind of it is installed
//! - [`setup`]: finds what is missing and installs it
//! - [`demo`]: builds the demos ([`dist`]) and serves them
//! - [`npm`]: builds the npm package
//! - [`mod@bench`]: compares the npm package and the Rust API with their peers
//! - [`lab`]: compares the server under load with its peers
//! - [`model`]: visits the states that a session can reach
//! - [`chaos`]: breaks connections and the server under clients, and checks what they get
//! - [`modules`]: looks for circles among the modules of the libraries
//! - [`mod@test`]: format, lints, native tests, tests in browsers, end-to-end tests
//! - [`workspace`], [`command`], [`children`], [`open_files`], [`scratch`], [`server`]: what these have in common

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod chaos;
mod children;
mod command;
mod demo;
mod dist;
mod lab;
mod model;
mod modules;
mod npm;
mod open_files;
mod scratch;
mod server;
mod setup;
mod test;
mod tools;
mod workspace;

/// The project's chores. Each installs what it lacks first, and says what and why.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install every tool and package that the other commands need
    Setup,
    /// Build the demos and serve them from the companion server
    Demo(demo::Options),
    /// Build, measure and pack the npm package, and let npm check that it could be published
    Npm,
    /// Compare size, speed and memory with the peers; missing a budget fails
    Bench(bench::Options),
    /// Repeat the load experiments, and write docs/results.md
    Lab(lab::Options),
    /// Try every order of events with both sides of a session, and print how many states were visited
    Model(model::Options),
    /// Break connections and the stand-alone server under many clients, and fail if a message is lost or repeated
    Chaos(chaos::Options),
    /// Check that no modules of the libraries import each other in a circle (needs `cargo-modules`, takes minutes)
    Modules(modules::Options),
    /// Run every check and every test, or the named steps
    Test(test::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    children::adopt(scratch::remove_all)?;
    let workspace = workspace::Workspace::find()?;
    match chore {
        Chore::Setup => setup::ensure(&workspace, &tools::Need::ALL),
        Chore::Demo(options) => demo::run(&workspace, &options),
        Chore::Npm => npm::run(&workspace),
        Chore::Bench(options) => {
            open_files::raise_limit()?;
            bench::run(&workspace, &options)
        }
        Chore::Lab(options) => lab::run(&workspace, &options),
        Chore::Model(options) => model::run(&workspace, &options),
        Chore::Chaos(options) => chaos::run(&workspace, &options),
        Chore::Modules(options) => modules::run(&workspace, &options),
        Chore::Test(options) => test::run(&workspace, &options),
    }
}

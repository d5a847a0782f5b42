//! The project's chores, run as `cargo xtask <command>`.
//!
//! # Layout
//! - [`quick`]: formats, lints and tests what changed
//! - [`tools`]: what the chores need installed, in one table, and how to install it
//! - [`demo`]: builds the demos and serves them
//! - [`npm`]: builds the npm package
//! - [`package`]: checks that the crates and the npm package could be published
//! - [`mod@test`]: format, lints, native tests, tests in browsers, end-to-end tests
//! - [`mod@bench`]: compares the npm package and the Rust API with their peers
//! - [`modules`]: looks for import cycles among the modules of the libraries
//! - [`workspace`], [`process`]: paths, metadata and child processes
//!
//! The load experiments, the model and the chaos test are programs of their own, which [`run_program`] runs: no other chore has to
//! compile what they depend on.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use tools::Need;
use workspace::Workspace;

mod bench;
mod demo;
mod modules;
mod npm;
mod package;
mod process;
mod quick;
mod test;
mod tools;
mod workspace;

/// The project's chores. Each installs the tools that it needs and says why.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Format, and lint and test what changed: the inner loop, in seconds
    Quick(quick::Options),
    /// Install every tool and package that the other commands need
    Setup,
    /// Build the demos and serve them from the companion server
    Demo(demo::Options),
    /// Build, measure and pack the npm package, and let npm check that it could be published
    Npm,
    /// Check that the crates and the npm package could be published, and what they depend on
    Package(package::Options),
    /// Run every check and every test, or the named steps
    Test(test::Options),
    /// Compare size, speed and memory with the peers; missing a budget fails
    Bench(bench::Options),
    /// Repeat the load experiments, and write docs/results.md
    #[command(disable_help_flag = true)]
    Lab(Arguments),
    /// Try every order of events with both sides of a session, and print how many states were visited
    #[command(disable_help_flag = true)]
    Model(Arguments),
    /// Break connections and the stand-alone server under many clients, and fail if a message is lost or repeated
    #[command(disable_help_flag = true)]
    Chaos(Arguments),
    /// Check that no modules of the libraries import each other in a cycle (needs `cargo-modules`, takes minutes)
    Modules(modules::Options),
}

/// The arguments of a program, which it parses itself.
#[derive(Args)]
struct Arguments {
    /// See --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
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

fn run(chore: Chore) -> Result<()> {
    process::end_with_this_process()?;
    let workspace = Workspace::find()?;
    match chore {
        Chore::Quick(options) => quick::run(&workspace, &options),
        Chore::Setup => tools::ensure_installed(&workspace, &Need::ALL),
        Chore::Demo(options) => demo::run(&workspace, &options),
        Chore::Npm => npm::run(&workspace),
        Chore::Package(options) => package::run(&workspace, &options),
        Chore::Test(options) => test::run(&workspace, &options),
        Chore::Bench(options) => bench::run(&workspace, &options),
        Chore::Lab(arguments) => {
            // Its servers run on Node.js, with the npm packages.
            let measures = !arguments.arguments.iter().any(|argument| argument == "--render" || argument == "--help");
            if measures {
                tools::ensure_installed(&workspace, &[Need::Lab])?;
            }
            run_program(&workspace, &["--package", "everwire-lab"], &arguments)
        }
        // The profile that the tests use as well, which is optimized where it counts.
        Chore::Model(arguments) => run_program(&workspace, &["--package", "everwire-model"], &arguments),
        Chore::Chaos(arguments) => {
            let server = ["build", "--release", "--package", "everwire-server", "--features", "standalone"];
            workspace.command("cargo").args(server).args(["--bin", "everwire-server"]).run()?;
            let server = workspace.target()?.join(format!("release/everwire-server{}", std::env::consts::EXE_SUFFIX));
            let server = ["--server".into(), server.into_os_string()];
            let arguments = Arguments { arguments: server.into_iter().chain(arguments.arguments).collect() };
            run_program(&workspace, &["--release", "--package", "everwire-chaos"], &arguments)
        }
        Chore::Modules(options) => modules::run(&workspace, &options),
    }
}

fn run_program(workspace: &Workspace, program: &[&str], arguments: &Arguments) -> Result<()> {
    let run = workspace.command("cargo").args(["run", "--quiet"]).args(program);
    run.args(["--"]).args(&arguments.arguments).run()
}

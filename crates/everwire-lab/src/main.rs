//! The load experiments: measures Everwire's server and its peers, and writes `docs/results.md` from the stored results.
//! `cargo xtask lab` installs the peers first and then runs this program.
//!
//! # Layout
//! - [`experiment`]: what is varied, step by step, and the load of each step
//! - [`server`]: the implementations that are compared, and their processes
//! - [`trial`]: one step against one server, and the file that it leaves
//! - [`store`]: where the files of all trials are kept, with the machine that they were measured on
//! - [`report`]: from the stored files to the page and its charts
//! - [`text`]: numbers and lists in words

mod experiment;
mod report;
mod server;
mod store;
mod text;
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

use experiment::Experiment;
use report::Output;
use server::Implementation;
use store::{Machine, Store};
use trial::Trial;

/// Measure the server and its peers under load, and write docs/results.md.
#[derive(Parser)]
#[command(name = "cargo xtask lab", bin_name = "cargo xtask lab")]
struct Options {
    /// How often to measure each server at each step; the page has the medians. The experiment with 25,000 connections runs once
    /// [default: 3, with --quick 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: Option<u32>,

    /// Take seconds instead of minutes, with small loads: to see that everything works. The figures mean little
    #[arg(long)]
    quick: bool,

    /// Measure only this experiment and keep the stored results of the others; can be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Experiment>,

    /// Measure nothing, and write the page again from the stored results
    #[arg(long, conflicts_with_all = ["quick", "only", "runs"])]
    render: bool,

    /// Where to write the page; its charts go into a folder next to it
    #[arg(long, value_name = "FILE.md", default_value = "docs/results.md")]
    to: PathBuf,
}

/// The folders that the experiments work in.
struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let store = Store::at(workspace.target.join("lab"));
    // Checked before the measurement, which takes 40 minutes.
    let output = Output::at(&workspace.root.join(&options.to))?;
    if !options.render {
        measure(&workspace, options, &store)?;
    }
    report::write(&store, &output)
}

fn measure(workspace: &Workspace, options: &Options, store: &Store) -> Result<()> {
    workspace.build_programs()?;
    let machine = Machine::describe(workspace, options.quick)?;
    let experiments = if options.only.is_empty() { Experiment::value_variants() } else { options.only.as_slice() };
    let pending = store.begin(experiments, &machine)?;
    let runs = options.runs.unwrap_or(if options.quick { 1 } else { 3 });
    let start = Instant::now();
    // All servers and steps take turns, so that a disturbance of some minutes does not hit one of them alone.
    for run in 0..runs {
        for experiment in experiments.iter().copied().filter(|experiment| run < experiment.runs(runs)) {
            for step in experiment.steps(options.quick).iter().enumerate() {
                for implementation in Implementation::in_turn(run) {
                    let trial = Trial::new(experiment, run, step, implementation, &machine);
                    trial.run(workspace, &pending.folder(experiment))?;
                }
            }
        }
        println!("Run {} of {runs}: done after {} s", run + 1, start.elapsed().as_secs());
    }
    pending.complete()
}

impl Workspace {
    /// The root is where this program was compiled from, the target directory is where cargo has put it.
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = fs::canonicalize(&root).with_context(|| format!("{} does not exist", root.display()))?;
        let program = env::current_exe()?;
        let target = program.ancestors().nth(2).context("this program is not in a target directory of cargo")?;
        Ok(Self { target: target.to_path_buf(), root })
    }

    /// A command that runs in the root, without a stdin.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(std::process::Stdio::null());
        command
    }

    /// A program of this project, as built by [`Workspace::build_programs`].
    fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    fn build_programs(&self) -> Result<()> {
        let build = ["build", "--release", "--package", "everwire-companion", "--package", "everwire-load"];
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = self.command(cargo).args(build).status().context("cannot start cargo")?;
        ensure!(status.success(), "cannot build the servers and the load generator ({status})");
        Ok(())
    }
}

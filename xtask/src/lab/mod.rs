//! The load experiments: measures Everwire's server and its peers, and writes `docs/results.md` from what was measured.
//!
//! # Layout
//! - [`experiment`]: what is asked, and the steps that answer it
//! - [`contender`], [`shape`], [`process`]: the servers, and how they run
//! - [`generator`]: what puts the load on them
//! - [`trial`]: one step against one server, and the file that it leaves
//! - [`machine`], [`store`]: where it was measured, and where results are kept
//! - [`render`]: from the files to the document and its charts
//! - [`text`]: numbers and lists in words

mod contender;
mod experiment;
mod generator;
mod machine;
mod process;
mod render;
mod shape;
mod store;
mod text;
mod trial;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};

use contender::Contender;
use experiment::Experiment;
use machine::Machine;
use store::Store;
use trial::Trial;

use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How often to measure each, in turns; medians are published. The greatest number of connections is measured once
    /// [default: 3, with --quick 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: Option<u32>,

    /// Take seconds instead of minutes, with small loads: to see that everything works. The figures mean little
    #[arg(long)]
    quick: bool,

    /// Measure this experiment and keep what was measured of the others; can be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Experiment>,

    /// Measure nothing, and write the document anew from what was measured last
    #[arg(long, conflicts_with_all = ["quick", "only", "runs"])]
    render: bool,

    /// Where to write the document; its charts go into a folder beside it
    #[arg(long, value_name = "FILE.md", default_value = "docs/results.md")]
    to: PathBuf,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let store = Store::at(workspace.target()?.join("lab"));
    // A place that will not do is better told before than after all is measured.
    let place = render::Place::beside(&workspace.root().join(&options.to))?;
    if !options.render {
        measure(workspace, options, &store)?;
    }
    render::run(&store, &place)
}

fn measure(workspace: &Workspace, options: &Options, store: &Store) -> Result<()> {
    setup::ensure(workspace, &[Need::Lab])?;
    let packages = ["--package", "everwire-companion", "--package", "everwire-load"];
    workspace.command("cargo").args(["build", "--release"]).args(packages).run()?;
    let machine = Machine::of(workspace, options.quick)?;
    let all = if options.only.is_empty() { Experiment::value_variants() } else { options.only.as_slice() };
    let unfinished = store.begin(all, &machine)?;
    let runs = options.runs.unwrap_or(if options.quick { 1 } else { 3 });
    let start = Instant::now();
    // What disturbs a while of the measurement does not hit one server or one step alone: all take turns.
    for run in 0..runs {
        for experiment in all.iter().copied().filter(|experiment| run < experiment.runs(runs)) {
            for step in experiment.steps(options.quick).iter().enumerate() {
                for contender in Contender::in_turn(run) {
                    let trial = Trial::new(experiment, run, step, contender, &machine);
                    trial.run(workspace, &unfinished.folder(experiment))?;
                }
            }
        }
        println!("Run {} of {runs}: done after {} s", run + 1, start.elapsed().as_secs());
    }
    unfinished.complete()
}

//! The load experiments: measures Everwire's server and its peers, and writes `docs/results.md` from what was measured.
//!
//! # Layout
//! - [`experiment`]: what is asked, and the steps that answer it
//! - [`contender`], [`process`]: the servers, and how they run
//! - [`trial`]: one step against one server, and the file that it leaves
//! - [`machine`]: where it was measured
//! - [`render`]: from the files to the document and its charts
//! - [`text`]: numbers and lists in words

mod contender;
mod experiment;
mod machine;
mod process;
mod render;
mod text;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use contender::Contender;
use experiment::Experiment;
use machine::Machine;
use trial::Trial;

use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Take seconds instead of minutes, with small loads: to see that everything works. The figures mean little
    #[arg(long)]
    quick: bool,

    /// Measure this experiment and keep what was measured of the others; can be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Experiment>,

    /// Measure nothing, and write the document anew from what was measured last
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    render: bool,

    /// Where to write the document; its charts go into a folder beside it
    #[arg(long, value_name = "FILE", default_value = "docs/results.md")]
    to: PathBuf,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let data = workspace.target()?.join("lab");
    if !options.render {
        measure(workspace, options, &data)?;
    }
    render::run(&data, &workspace.root().join(&options.to))
}

fn measure(workspace: &Workspace, options: &Options, data: &Path) -> Result<()> {
    setup::ensure(workspace, &[Need::Lab])?;
    let packages = ["--package", "everwire-server", "--package", "everwire-load"];
    workspace.command("cargo").args(["build", "--release"]).args(packages).run()?;
    let experiments = if options.only.is_empty() { Experiment::value_variants() } else { options.only.as_slice() };
    fs::create_dir_all(data)?;
    let machine = Machine::of(workspace, options.quick)?;
    fs::write(data.join("machine.json"), serde_json::to_string_pretty(&machine)?)?;
    for experiment in experiments {
        let folder = data.join(experiment.id());
        // What is left of an earlier measurement would be shown beside the new one.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)?;
        let start = Instant::now();
        // The servers take turns, so that what disturbs a while of the measurement does not hit one of them alone.
        for (number, step) in experiment.steps(options.quick).into_iter().enumerate() {
            for contender in Contender::ALL {
                Trial::new(*experiment, number, &step, contender).run(workspace, &folder)?;
            }
        }
        println!("{}: measured in {} s", experiment.id(), start.elapsed().as_secs());
    }
    Ok(())
}

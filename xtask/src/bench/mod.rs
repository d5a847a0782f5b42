//! Measures the npm package and the Rust API beside their peers. What is measured and how is in `bench/`.
//!
//! # Layout
//! - [`wasm`]: the clients in Rust, ours and others

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::npm;
use crate::scratch::Scratch;
use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;

mod wasm;

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure [default: everything]
    #[arg(value_enum)]
    parts: Vec<Part>,

    /// How often to measure each; the clients take turns [default: 5, with --quick 3]
    #[arg(long)]
    runs: Option<u32>,

    /// Measure in a fraction of the time, and less exactly
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What a page downloads
    Size,
    /// The client's own cost, on a fake socket in the page
    Client,
    /// The whole, against a real server
    Echo,
    /// Memory over 10,000 reconnects
    Reconnects,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::ensure(workspace, &[Need::Bench])?;
    let parts = if options.parts.is_empty() { Part::value_variants() } else { &options.parts };
    let measures = |part| parts.contains(&part);
    npm::build(workspace)?;
    let built = workspace.target()?.join("bench");
    if measures(Part::Size) {
        wasm::build_small(workspace, &built.join("size"))?;
    }
    if measures(Part::Client) || measures(Part::Echo) {
        wasm::build_fast(workspace, &built.join("measure"))?;
    }
    if measures(Part::Echo) {
        workspace.command("cargo").args(["build", "--release", "--package", "everwire-server"]).run()?;
    }
    let scratch = Scratch::new()?;
    let names = parts.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    let mut measure = scratch.contain(workspace.command("node")).args(["bench/main.js"]).args(names);
    if let Some(runs) = options.runs {
        measure = measure.args([format!("--runs={runs}")]);
    }
    if options.quick {
        measure = measure.args(["--quick"]);
    }
    let server = workspace.target()?.join("release/everwire-server");
    measure.env("BENCH_BUILT", built).env("BENCH_SERVER", server).run()
}

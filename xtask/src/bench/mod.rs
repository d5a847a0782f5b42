//! Measures the npm package, the Rust API and the companion server beside their peers. What is measured and how is in
//! `bench/`.
//!
//! # Layout
//! - [`wasm`]: the clients in Rust, ours and others
//! - [`native`]: the servers in Rust, and the load generator
//! - [`uws`]: uWebSockets, where there is a compiler for C++

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::npm;
use crate::scratch::Scratch;
use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;

mod native;
mod uws;
mod wasm;

pub(crate) use native::NATIVE;
pub(crate) use wasm::IN_PAGES;

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure [default: everything]
    #[arg(value_enum)]
    parts: Vec<Part>,

    /// How often to measure each; those that are compared take turns [default: 5, with --quick 3]
    #[arg(long)]
    runs: Option<u32>,

    /// Measure in a fraction of the time, and less exactly
    #[arg(long)]
    quick: bool,

    /// Of `client`, `server` and `session`: measure only these, such as `raw,eversocket` or `raw,everwire,axum`
    #[arg(long, value_name = "NAMES")]
    only: Option<String>,

    /// Of `server` and `session`: measure only this of each, such as `fanout` or `idle`, or several, with commas
    #[arg(long, value_name = "TASKS")]
    what: Option<String>,

    /// Of `client`, `outbox` and `server`: another checkout of this repository, such as one from before a change. It is built as well, from
    /// its own sources, and measured in turns with this one
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
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
    /// What a message costs EverSocket that has to wait, by how many wait already
    Outbox,
    /// What the companion server costs: fan-out, pipelined echo, idle connections
    Server,
    /// What channels and sessions cost: fan-out, acknowledged publishes, resumes one by one and all at once, idle sessions
    Session,
}

impl Part {
    /// Whether it is measured in a browser.
    fn is_in_pages(self) -> bool {
        !matches!(self, Self::Server | Self::Session)
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let parts = if options.parts.is_empty() { Part::value_variants() } else { &options.parts };
    let measures = |part| parts.contains(&part);
    let in_pages = parts.iter().any(|part| part.is_in_pages());
    setup::ensure(workspace, if in_pages { &[Need::Bench] } else { &[Need::BenchServer] })?;
    let target = workspace.target()?;
    let built = target.join("bench");
    let release = target.join("release");
    let before = options.against.as_deref().map(|folder| other(workspace, folder)).transpose()?;

    let scratch = Scratch::new()?;
    let names = parts.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    let mut measure = scratch.contain(workspace.command("node")).args(["bench/main.js"]).args(names);
    if in_pages {
        npm::build(workspace)?;
    }
    if measures(Part::Size) {
        wasm::build_small(workspace, &built.join("size"))?;
    }
    if measures(Part::Client) || measures(Part::Echo) {
        wasm::build_fast(workspace, &built.join("measure"))?;
    }
    if measures(Part::Echo) || measures(Part::Server) {
        measure = measure.env("BENCH_SERVER", native::build_server(workspace)?);
    }
    if measures(Part::Server) {
        native::build(workspace, &[])?;
        uws::build_if_possible(workspace, &release);
    } else if measures(Part::Session) {
        native::build(workspace, &native::OF_SESSION)?;
    }
    if let Some(before) = &before {
        if measures(Part::Client) || measures(Part::Outbox) {
            // By its own recipe, which may differ from the one of this checkout.
            before.command("cargo").args(["xtask", "npm"]).run()?;
            wasm::build_own(before, &built.join("before"))?;
            measure = measure.env("BENCH_BEFORE", before.root());
        }
        if measures(Part::Server) {
            measure = measure.env("BENCH_SERVER_BEFORE", native::build_server(before)?);
        }
    }
    if let Some(runs) = options.runs {
        measure = measure.args([format!("--runs={runs}")]);
    }
    if options.quick {
        measure = measure.args(["--quick"]);
    }
    for (flag, value) in [("--only", &options.only), ("--what", &options.what)] {
        measure = measure.args(value.iter().map(|value| format!("{flag}={value}")));
    }
    measure.env("BENCH_BUILT", built).env("BENCH_NATIVE", release).run()
}

/// Another checkout, which is built with the tools of this one.
fn other(workspace: &Workspace, folder: &Path) -> Result<Workspace> {
    let root = folder.canonicalize().with_context(|| format!("there is no checkout at {}", folder.display()))?;
    Ok(workspace.with_root(root))
}

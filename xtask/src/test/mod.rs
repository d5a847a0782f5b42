//! Every check and every test.
//!
//! # Layout
//! - [`lint`], [`native`], [`wasm`], [`npm`], [`e2e`]: one group of steps each
//! - [`browser`]: the engines that the wasm tests run in
//! - [`summary`]: runs steps one after the other and tells how they went
//! - [`outcome`]: what the wasm tests printed

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;
use summary::Summary;

mod browser;
mod e2e;
mod lint;
mod native;
mod npm;
mod outcome;
mod summary;
mod wasm;

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                                  everything, as CI does
  cargo xtask test fmt lint                         what is quick
  cargo xtask test wasm --browser firefox           one engine, in a window and in a worker
  cargo xtask test native wasm --filter reconnects  the tests with `reconnects` in their names

A step that fails does not stop the others. The last lines say how each went.")]
pub(crate) struct Options {
    /// The steps to run [default: all, in this order]
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Run the wasm tests in this engine; may be given several times [default: all]
    #[arg(long, value_enum)]
    browser: Vec<browser::Engine>,
    /// Run only the tests whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The format of the Rust code
    Fmt,
    /// Clippy for native targets and for the browser, rustdoc, the types of the end-to-end tests
    Lint,
    /// The tests that need no browser, those in the documentation included
    Native,
    /// The tests in browsers, in a window and in a dedicated worker, against the companion server
    Wasm,
    /// The npm package, packed: its size, its types, and applications that use it in browsers and in Node.js
    Npm,
    /// The demos in a browser, by Playwright, and what is built with the npm package: `www/`, React, other people's libraries
    E2e,
}

impl Step {
    fn needs(self) -> &'static [Need] {
        match self {
            Self::Fmt | Self::Lint => &[Need::Lint],
            Self::Native => &[Need::Native],
            Self::Wasm => &[Need::Wasm],
            Self::Npm => &[Need::Native, Need::Npm, Need::EndToEnd],
            Self::E2e => &[Need::Demos, Need::Npm, Need::EndToEnd],
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let asked = |step: &Step| options.steps.is_empty() || options.steps.contains(step);
    let steps: Vec<Step> = Step::value_variants().iter().copied().filter(asked).collect();
    let needs: Vec<Need> = steps.iter().flat_map(|step| step.needs()).copied().collect();
    setup::ensure(workspace, &needs)?;

    let mut summary = Summary::default();
    for step in steps {
        match step {
            Step::Fmt => lint::format(workspace, &mut summary),
            Step::Lint => lint::run(workspace, &mut summary),
            Step::Native => native::run(workspace, options, &mut summary),
            Step::Wasm => wasm::run(workspace, options, &mut summary),
            Step::Npm => npm::run(workspace, options, &mut summary),
            Step::E2e => e2e::run(workspace, options, &mut summary),
        }
    }
    summary.finish()
}

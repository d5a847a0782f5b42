//! Every check and every test.
//!
//! # Layout
//! - [`native`]: format, lints, documentation, and the tests that need no browser
//! - [`wasm`]: the tests of the Rust crates in browsers
//! - [`playwright`]: the npm package and the demos, as their users get them
//! - this module: runs steps one after the other and prints how they went

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::npm;
use crate::tools::{self, Need};
use crate::workspace::Workspace;

mod native;
mod playwright;
mod wasm;

#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                                  what CI runs
  cargo xtask test --all                            that, the benchmarks' own tests, and the slow tests of the pages
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
    browser: Vec<wasm::Engine>,
    /// Run only the tests whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Also check the benchmarks, build the pages as they are deployed, and run the end-to-end tests with the tag @all: what takes
    /// long and says little about the libraries
    #[arg(long)]
    all: bool,
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
    /// The demos in a browser, by Playwright, and what is built with the npm package: `www/`, React, third-party libraries
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

/// A run of the selected steps.
struct Run<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    summary: Summary,
    /// The packed npm package, once a step has built it.
    tarball: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let is_selected = |step: &Step| options.steps.is_empty() || options.steps.contains(step);
    let steps: Vec<Step> = Step::value_variants().iter().copied().filter(is_selected).collect();
    let needs: Vec<Need> = steps.iter().flat_map(|step| step.needs()).copied().collect();
    tools::ensure_installed(workspace, &needs)?;

    let mut run = Run { workspace, options, summary: Summary::default(), tarball: None };
    for step in steps {
        match step {
            Step::Fmt => native::format(&mut run),
            Step::Lint => native::lint(&mut run),
            Step::Native => native::test(&mut run),
            Step::Wasm => wasm::test(&mut run),
            Step::Npm => playwright::test_package(&mut run),
            Step::E2e => playwright::test_pages(&mut run),
        }
    }
    run.summary.finish()
}

impl Run<'_> {
    /// Runs a step and notes how it went. Returns its product for the steps that depend on it, which are skipped if there is none.
    fn step<T>(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result<T>) -> Option<T> {
        self.summary.step(name, step)
    }

    /// The packed npm package. It is built once in a run.
    fn tarball(&mut self) -> Option<PathBuf> {
        if self.tarball.is_none() {
            let workspace = self.workspace;
            self.tarball = self.step("npm package", || npm::tarball_to_test(workspace));
        }
        self.tarball.clone()
    }
}

/// The steps so far.
#[derive(Default)]
struct Summary {
    results: Vec<StepResult>,
}

struct StepResult {
    step: String,
    passed: bool,
    took: Duration,
}

impl Summary {
    fn step<T>(&mut self, step: impl Into<String>, run: impl FnOnce() -> Result<T>) -> Option<T> {
        let step = step.into();
        println!("\n=== {step}");
        let start = Instant::now();
        let result = run();
        if let Err(error) = &result {
            eprintln!("{step}: {error:#}");
        }
        self.results.push(StepResult { step, passed: result.is_ok(), took: start.elapsed() });
        result.ok()
    }

    /// Prints the table. An error means that a step failed.
    fn finish(self) -> Result<()> {
        println!("\n{self}");
        let failed = self.results.iter().filter(|result| !result.passed).count();
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.results.len());
        }
        Ok(())
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.results.iter().map(|result| result.step.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:width$}  result  seconds", "step")?;
        for StepResult { step, passed, took } in &self.results {
            let result = if *passed { "ok" } else { "FAILED" };
            writeln!(f, "{step:width$}  {result:6}  {:7.1}", took.as_secs_f64())?;
        }
        let total: Duration = self.results.iter().map(|result| result.took).sum();
        write!(f, "{:width$}          {:7.1}", "", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::Summary;

    #[test]
    fn a_failed_step_fails_the_whole_and_does_not_stop_the_next() {
        let mut summary = Summary::default();
        assert_eq!(summary.step("first", || bail!("broken")), None::<()>);
        assert_eq!(summary.step("second", || Ok(2)), Some(2));
        let table = summary.to_string();
        assert!(table.contains("first   FAILED"), "{table}");
        assert!(table.contains("second  ok"), "{table}");
        assert!(summary.finish().is_err());
    }
}

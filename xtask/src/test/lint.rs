//! The checks that run no test.

use anyhow::Result;

use super::summary::Summary;
use crate::bench;
use crate::workspace::Workspace;

/// The crates with code for the browser, compiled for it.
const BROWSER: [&str; 4] =
    ["--target=wasm32-unknown-unknown", "--package=everwire", "--package=everwire-yew", "--package=everwire-demos"];

/// What of these crates browsers get to run. Their unit tests run natively, with dependencies that browsers cannot have.
const IN_BROWSERS: [&str; 4] = ["--lib", "--bins", "--test", "*"];

pub(super) fn format(workspace: &Workspace, summary: &mut Summary) {
    let check = ["fmt", "--all", "--check"];
    summary.step("fmt", || workspace.command("cargo").args(check).run());
    summary.step("fmt, bench", || workspace.command("cargo").args(check).args(bench::NATIVE).run());
    summary.step("fmt, bench, wasm", || workspace.command("cargo").args(check).args(bench::IN_PAGES).run());
}

pub(super) fn run(workspace: &Workspace, summary: &mut Summary) {
    summary.step("clippy, native", || clippy(workspace, &["--workspace", "--all-targets"]));
    summary.step("clippy, bench", || clippy(workspace, &[&bench::NATIVE[..], &["--all-targets"]].concat()));
    let in_pages = ["--workspace", "--all-features", "--target=wasm32-unknown-unknown"];
    summary.step("clippy, bench, wasm", || clippy(workspace, &[&bench::IN_PAGES[..], &in_pages].concat()));
    summary.step("clippy, wasm", || clippy(workspace, &[&BROWSER[..], &IN_BROWSERS].concat()));
    // By itself: the others switch on the standard library in dependencies, and this one brings its own panic handler.
    let module = ["--target=wasm32-unknown-unknown", "--package=everwire-js", "--lib"];
    summary.step("clippy, npm", || clippy(workspace, &module));
    summary.step("clippy, npm, client", || {
        clippy(workspace, &[&module[..], &["--no-default-features", "--features=client"]].concat())
    });
    summary.step("doc, native", || doc(workspace, &["--workspace"]));
    summary.step("doc, wasm", || doc(workspace, &BROWSER));
    for tests in ["e2e", "crates/everwire-js/tests"] {
        summary.step(format!("types of {tests}"), || workspace.command("tsc").args(["--project", tests]).run());
    }
}

fn clippy(workspace: &Workspace, targets: &[&str]) -> Result<()> {
    let clippy = workspace.command("cargo").args(["clippy"]).args(targets).args(["--", "-D", "warnings"]);
    // For the workspaces that have a target directory of their own otherwise.
    clippy.env("CARGO_TARGET_DIR", workspace.target()?).run()
}

fn doc(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let doc = workspace.command("cargo").args(["doc", "--no-deps"]).args(packages);
    doc.env("RUSTDOCFLAGS", "-D warnings").run()
}

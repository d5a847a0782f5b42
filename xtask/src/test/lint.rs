//! The checks that run no test.

use anyhow::Result;

use super::summary::Summary;
use crate::workspace::Workspace;

/// The crates with code for the browser, compiled for it.
const BROWSER: [&str; 4] =
    ["--target=wasm32-unknown-unknown", "--package=everwire", "--package=everwire-yew", "--package=everwire-demos"];

const NO_WARNINGS: [&str; 4] = ["--all-targets", "--", "-D", "warnings"];

pub(super) fn format(workspace: &Workspace, summary: &mut Summary) {
    summary.step("fmt", || workspace.command("cargo").args(["fmt", "--all", "--check"]).run());
}

pub(super) fn run(workspace: &Workspace, summary: &mut Summary) {
    summary.step("clippy, native", || clippy(workspace, &["--workspace"]));
    summary.step("clippy, wasm", || clippy(workspace, &BROWSER));
    summary.step("doc, native", || doc(workspace, &["--workspace"]));
    summary.step("doc, wasm", || doc(workspace, &BROWSER));
    summary.step("types of e2e", || workspace.command("tsc").args(["--noEmit", "--project", "e2e"]).run());
}

fn clippy(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    workspace.command("cargo").args(["clippy"]).args(packages).args(NO_WARNINGS).run()
}

fn doc(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let doc = workspace.command("cargo").args(["doc", "--no-deps"]).args(packages);
    doc.env("RUSTDOCFLAGS", "-D warnings").run()
}

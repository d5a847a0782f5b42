//! The tests that need no browser.

use std::path::PathBuf;

use anyhow::Result;

use super::Options;
use super::summary::Summary;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, options: &Options, summary: &mut Summary) {
    summary.step("native", || {
        let test = workspace.command("cargo").args(["test", "--no-fail-fast"]);
        test.args(&options.filter).run()
    });
}

/// Builds the companion server for the tests. Tests are built along, since with them cargo chooses the same features of
/// the same dependencies as `cargo test` does, and has nothing to compile twice.
pub(super) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    workspace.command("cargo").args(["build", "--bins", "--tests"]).run()?;
    Ok(workspace.target()?.join("debug/everwire-server"))
}

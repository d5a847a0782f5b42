//! The tests that need no browser.

use std::path::PathBuf;

use anyhow::Result;

use super::Options;
use super::summary::Summary;
use crate::bench;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, options: &Options, summary: &mut Summary) {
    summary.step("native", || {
        let test = ["test", "--workspace", "--no-fail-fast"];
        let test = workspace.command("cargo").args(test);
        test.args(&options.filter).run()
    });
    summary.step("native, bench", || {
        let test = workspace.command("cargo").args(["test", "--no-fail-fast"]).args(bench::NATIVE);
        test.args(&options.filter).env("CARGO_TARGET_DIR", workspace.target()?).run()
    });
    // What the features add, and that the crate stands without those that are on by default.
    summary.step("native, features", || {
        let bare = ["check", "--package", "everwire", "--no-default-features"];
        workspace.command("cargo").args(bare).run()?;
        let full =
            ["test", "--package", "everwire", "--package", "everwire-core", "--all-features", "--lib", "--test", "api"];
        workspace.command("cargo").args(full).args(&options.filter).run()
    });
}

/// Builds the companion server for the tests. The other crates and the tests are built along, since cargo chooses the
/// features of dependencies by what is built: so it has nothing to compile twice. Where one of them does not compile, the
/// server is built alone, so that the tests that do not depend on that one still run.
pub(super) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    let build = |packages: [&str; 2]| {
        let server = ["--bin", "everwire-server"];
        workspace.command("cargo").args(["build"]).args(packages).args(server).run()
    };
    build(["--workspace", "--tests"]).or_else(|_| build(["--package", "everwire-server"]))?;
    Ok(workspace.target()?.join("debug/everwire-server"))
}

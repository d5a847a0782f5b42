//! The tests that need no browser.

use std::path::PathBuf;

use anyhow::{Result, ensure};

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
    // What the features add.
    summary.step("native, features", || {
        let packages =
            ["everwire", "everwire-core", "everwire-load", "everwire-server"].map(|name| ["--package", name]).concat();
        let full = ["test", "--all-features", "--lib", "--bin", "everwire-server"];
        let tests = ["api", "broker", "program", "standalone"].map(|name| ["--test", name]).concat();
        workspace.command("cargo").args(full).args(tests).args(packages).args(&options.filter).run()
    });
    if options.filter.is_none() {
        summary.step("native, each feature alone", || each_feature_alone(workspace));
        summary.step("native, dependencies of the server library", || server_library_is_lean(workspace));
    }
}

/// Builds each crate alone without features and with each of them, and without its dev-dependencies, as an application that depends on
/// nothing else would. Cargo unifies the features of a build, so that one crate can hide what another one has forgotten to enable.
fn each_feature_alone(workspace: &Workspace) -> Result<()> {
    for (package, features) in workspace.features()? {
        let alone = ["check", "--package", &package, "--no-default-features"];
        workspace.command("cargo").args(alone).run()?;
        for feature in features {
            workspace.command("cargo").args(alone).args(["--features", &feature]).run()?;
        }
    }
    Ok(())
}

/// Fails if an application that depends on everwire-server has to compile what only a binary or the companion server needs.
fn server_library_is_lean(workspace: &Workspace) -> Result<()> {
    const BINARIES_ONLY: [&str; 5] = ["clap", "sha2", "sysinfo", "toml", "tracing-subscriber"];
    let tree = ["tree", "--package", "everwire-server", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = workspace.command("cargo").args(tree).output()?;
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let found: Vec<_> = names.filter(|name| BINARIES_ONLY.contains(name)).collect();
    ensure!(found.is_empty(), "everwire-server depends on {}; make it optional", found.join(", "));
    Ok(())
}

/// Builds the companion server for the tests. The other crates and the tests are built along, since cargo chooses the
/// features of dependencies by what is built: so it has nothing to compile twice. Where one of them does not compile, the
/// server is built alone, so that the tests that do not depend on that one still run.
pub(super) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    let build = |packages: [&str; 2]| {
        let server = ["--bin", "everwire-companion"];
        workspace.command("cargo").args(["build"]).args(packages).args(server).run()
    };
    build(["--workspace", "--tests"]).or_else(|_| build(["--package", "everwire-companion"]))?;
    Ok(workspace.target()?.join("debug/everwire-companion"))
}

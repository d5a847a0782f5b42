//! Format, lints, documentation, and the tests that need no browser.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::Run;
use crate::bench;
use crate::package;
use crate::workspace::Workspace;

/// The crates with code for the browser, compiled for it.
const BROWSER: [&str; 4] =
    ["--target=wasm32-unknown-unknown", "--package=everwire", "--package=everwire-yew", "--package=everwire-demos"];

/// The targets of these crates that run in browsers. Their unit tests run natively, with dependencies that browsers cannot have.
const IN_BROWSERS: [&str; 4] = ["--lib", "--bins", "--test", "*"];

pub(super) fn format(run: &mut Run<'_>) {
    let workspace = run.workspace;
    let check = ["fmt", "--all", "--check"];
    run.step("fmt", || workspace.command("cargo").args(check).run());
    for (name, bench) in [("fmt, bench", bench::NATIVE), ("fmt, bench, wasm", bench::IN_PAGES)] {
        run.step(name, || workspace.command("cargo").args(check).args(bench).run());
    }
}

pub(super) fn lint(run: &mut Run<'_>) {
    let workspace = run.workspace;
    run.step("clippy, native", || clippy(workspace, &["--workspace", "--all-targets"]));
    run.step("clippy, wasm", || clippy(workspace, &[&BROWSER[..], &IN_BROWSERS].concat()));
    // By itself: the others enable the standard library in dependencies, and this crate has its own panic handler.
    let module = ["--target=wasm32-unknown-unknown", "--package=everwire-js", "--lib"];
    run.step("clippy, npm", || clippy(workspace, &module));
    run.step("clippy, npm, client", || {
        clippy(workspace, &[&module[..], &["--no-default-features", "--features=client"]].concat())
    });
    if run.options.all {
        run.step("clippy, bench", || clippy(workspace, &[&bench::NATIVE[..], &["--all-targets"]].concat()));
        let in_pages = ["--workspace", "--all-features", "--target=wasm32-unknown-unknown"];
        run.step("clippy, bench, wasm", || clippy(workspace, &[&bench::IN_PAGES[..], &in_pages].concat()));
    }
    run.step("doc, native", || doc(workspace, &["--workspace"]));
    run.step("doc, wasm", || doc(workspace, &BROWSER));
    run.step("crate packages", || package::check_crates(workspace, false));
    for tests in ["e2e", "crates/everwire-js/tests"] {
        run.step(format!("types of {tests}"), || workspace.command("tsc").args(["--project", tests]).run());
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

pub(super) fn test(run: &mut Run<'_>) {
    let (workspace, options) = (run.workspace, run.options);
    run.step("native", || {
        let test = workspace.command("cargo").args(["test", "--workspace", "--no-fail-fast"]);
        test.args(&options.filter).run()
    });
    if options.all {
        run.step("native, bench", || {
            let test = workspace.command("cargo").args(["test", "--no-fail-fast"]).args(bench::NATIVE);
            test.args(&options.filter).env("CARGO_TARGET_DIR", workspace.target()?).run()
        });
    }
    // The tests of what the features add.
    run.step("native, features", || {
        let packages =
            ["everwire", "everwire-core", "everwire-load", "everwire-server"].map(|name| ["--package", name]).concat();
        let targets = ["test", "--all-features", "--lib", "--bin", "everwire-server"];
        let tests = ["api", "broker", "program", "standalone"].map(|name| ["--test", name]).concat();
        workspace.command("cargo").args(targets).args(tests).args(packages).args(&options.filter).run()
    });
    if options.filter.is_none() {
        run.step("native, each feature alone", || each_feature_alone(workspace));
        run.step("native, dependencies of the server library", || server_library_is_lean(workspace));
    }
}

/// Checks each published crate alone, without features and with each of them, and without its dev-dependencies, as in an application
/// that depends on nothing else. Cargo unifies the features of a build, so that one crate can hide what another one forgot to enable.
fn each_feature_alone(workspace: &Workspace) -> Result<()> {
    for package in workspace.packages()?.iter().filter(|package| package.is_published) {
        let alone = ["check", "--package", &package.name, "--no-default-features"];
        workspace.command("cargo").args(alone).run()?;
        // The default features are those of most other builds.
        for feature in package.features.iter().filter(|feature| *feature != "default") {
            workspace.command("cargo").args(alone).args(["--features", feature]).run()?;
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

/// Builds the companion server for the tests, together with all tests: cargo chooses the features of dependencies by what is built, so
/// that a build of the server alone would compile them again. If a test does not compile, the server is built alone, so that tests
/// that do not depend on that one still run.
pub(super) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    let build = |packages: [&str; 2]| {
        let server = ["--bin", "everwire-companion"];
        workspace.command("cargo").args(["build"]).args(packages).args(server).run()
    };
    build(["--workspace", "--tests"]).or_else(|_| build(["--package", "everwire-companion"]))?;
    Ok(workspace.target()?.join("debug/everwire-companion"))
}

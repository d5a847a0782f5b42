//! The npm package and the demos as their users get them, tested by Playwright.

use std::path::Path;

use anyhow::Result;

use super::{Options, Run, native};
use crate::demo::Build;
use crate::npm;
use crate::process::{Command, Scratch};
use crate::workspace::Workspace;

/// The tag of the tests that only run with `--all`, or if a filter selects them.
const SLOW: &str = "@all";

/// The npm package: its units, its size, and applications that use it.
pub(super) fn test_package(run: &mut Run<'_>) {
    let (workspace, options) = (run.workspace, run.options);
    let server = run.step("npm, server", || native::build_server(workspace));
    let tarball = run.tarball();
    // They need the wasm module of the client, which is built for the tarball.
    run.step("npm, units", || units(workspace));
    if tarball.is_some() {
        run.step("npm, size", || npm::check_size(workspace));
    }
    if let (Some(server), Some(tarball)) = (server, tarball) {
        let tests = workspace.root().join(npm::PACKAGE).join("tests");
        run.step("npm", || {
            let environment = [("EVERWIRE_SERVER", server.as_path()), ("EVERWIRE_TARBALL", &tarball)];
            playwright(workspace, options, &tests, &environment)
        });
    }
}

/// The demos, and applications of the npm package.
pub(super) fn test_pages(run: &mut Run<'_>) {
    let (workspace, options) = (run.workspace, run.options);
    let build = if options.all { Build::Release } else { Build::Quick };
    let server = run.step("e2e, server", || native::build_server(workspace));
    let pages = run.step("e2e, pages", || build.pages(workspace));
    let tarball = run.tarball();
    if let (Some(server), Some(pages), Some(tarball)) = (server, pages, tarball) {
        let tests = workspace.root().join("e2e");
        run.step("e2e", || {
            let environment =
                [("EVERWIRE_SERVER", server.as_path()), ("EVERWIRE_DIST", &pages), ("EVERWIRE_TARBALL", &tarball)];
            playwright(workspace, options, &tests, &environment)
        });
    }
}

/// The parts of the package that Node.js alone can test from their sources.
fn units(workspace: &Workspace) -> Result<()> {
    let tests = ["heartbeat", "codec", "client", "development"]
        .map(|name| format!("crates/everwire-js/tests/unit/{name}.test.js"));
    workspace.command("node").args(["--test"]).args(tests).run()
}

/// Runs the tests in a folder, also those that need no browser. They start the companion servers themselves, since some kill them.
fn playwright(workspace: &Workspace, options: &Options, tests: &Path, environment: &[(&str, &Path)]) -> Result<()> {
    let scratch = Scratch::new()?;
    let test = scratch.contain(workspace.command("playwright")).folder(tests).args(["test"]);
    let test = match &options.filter {
        // A filter also selects slow tests.
        Some(name) => test.args(["--grep", name]),
        None if options.all => test,
        None => test.args(["--grep-invert", SLOW]),
    };
    let with_environment = |test: Command, (name, path): &(&str, &Path)| test.env(name, path);
    environment.iter().fold(test, with_environment).run()
}

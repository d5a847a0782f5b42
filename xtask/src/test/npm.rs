//! The npm package as its users get it.

use std::path::Path;

use anyhow::Result;

use super::Options;
use super::native;
use super::summary::Summary;
use crate::npm;
use crate::scratch::Scratch;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, options: &Options, summary: &mut Summary) {
    let server = summary.step("npm, server", || native::build_server(workspace));
    let tarball = summary.step("npm, package", || npm::tarball_to_test(workspace));
    // They need the wasm module of the client.
    summary.step("npm, units", || units(workspace));
    if tarball.is_some() {
        summary.step("npm, size", || npm::check_size(workspace));
    }
    if let (Some(server), Some(tarball)) = (server, tarball) {
        summary.step("npm", || consume(workspace, options, &server, &tarball));
    }
}

/// The parts of the package that can be tested from their sources, by Node.js alone.
fn units(workspace: &Workspace) -> Result<()> {
    let tests = ["heartbeat", "codec", "client", "development"]
        .map(|name| format!("crates/everwire-js/tests/unit/{name}.test.js"));
    workspace.command("node").args(["--test"]).args(tests).run()
}

/// Playwright runs those tests, too, that need no browser.
fn consume(workspace: &Workspace, options: &Options, server: &Path, tarball: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    let filter = options.filter.iter().flat_map(|name| ["--grep", name]);
    scratch
        .contain(workspace.command("playwright"))
        .folder(&workspace.root().join(npm::PACKAGE).join("tests"))
        .args(["test"])
        .args(filter)
        .env("EVERWIRE_SERVER", server)
        .env("EVERWIRE_TARBALL", tarball)
        .run()
}

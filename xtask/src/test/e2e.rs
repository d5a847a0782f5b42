//! The demos in a browser, and applications of the npm package.

use std::path::Path;

use anyhow::Result;

use super::Options;
use super::native;
use super::summary::Summary;
use crate::dist;
use crate::npm;
use crate::scratch::Scratch;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, options: &Options, summary: &mut Summary) {
    let server = summary.step("e2e, server", || native::build_server(workspace));
    let demos = summary.step("e2e, demos", || dist::build(workspace));
    let tarball = summary.step("e2e, package", || npm::tarball_to_test(workspace));
    if let (Some(server), Some(dist), Some(tarball)) = (server, demos, tarball) {
        summary.step("e2e", || play(workspace, options, &server, &dist, &tarball));
    }
}

/// Playwright starts the companion servers itself, since its tests kill them.
fn play(workspace: &Workspace, options: &Options, server: &Path, dist: &Path, tarball: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    let filter = options.filter.iter().flat_map(|name| ["--grep", name]);
    scratch
        .contain(workspace.command("playwright"))
        .folder(&workspace.root().join("e2e"))
        .args(["test"])
        .args(filter)
        .env("EVERWIRE_SERVER", server)
        .env("EVERWIRE_DIST", dist)
        .env("EVERWIRE_TARBALL", tarball)
        .run()
}

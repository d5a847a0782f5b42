//! The demos in a browser.

use std::path::PathBuf;

use anyhow::Result;

use super::Options;
use super::native;
use super::scratch::Scratch;
use super::summary::Summary;
use crate::demo;
use crate::workspace::Workspace;

pub(super) fn run(workspace: &Workspace, options: &Options, summary: &mut Summary) {
    let server = summary.step("e2e, server", || native::build_server(workspace));
    let demos = summary.step("e2e, demos", || demo::build(workspace));
    if let (Some(server), Some(())) = (server, demos) {
        summary.step("e2e", || play(workspace, options, server));
    }
}

/// Playwright starts the companion servers itself, since its tests kill them.
fn play(workspace: &Workspace, options: &Options, server: PathBuf) -> Result<()> {
    let scratch = Scratch::new()?;
    let filter = options.filter.iter().flat_map(|name| ["--grep", name]);
    scratch
        .contain(workspace.command("playwright"))
        .folder(&workspace.root().join("e2e"))
        .args(["test"])
        .args(filter)
        .env("EVERWIRE_SERVER", server)
        .env("EVERWIRE_DIST", workspace.dist())
        .run()
}

//! The servers in Rust and the load generator: a workspace of their own, since the peers' dependencies are none of the
//! product's.

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;

/// By what cargo works on that workspace.
pub(crate) const NATIVE: [&str; 2] = ["--manifest-path", "bench/native/Cargo.toml"];

/// The package of the companion server; the second name is that of checkouts from before it had a crate of its own.
const SERVER: [&str; 2] = ["everwire-companion", "everwire-server"];

/// Returns the companion server's program.
pub(super) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    let [package, before] = SERVER;
    let package = if workspace.root().join("crates").join(package).exists() { package } else { before };
    workspace.command("cargo").args(["build", "--release", "--package", package]).run()?;
    Ok(workspace.target()?.join("release").join(package))
}

/// The packages that measure sessions.
pub(super) const OF_SESSION: [&str; 2] = ["bench-session", "bench-load"];

/// Leaves the programs beside the product's: all, or those of these packages.
pub(super) fn build(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let build = workspace.command("cargo").args(["build", "--release"]).args(NATIVE);
    let build = build.args(packages.iter().flat_map(|package| ["--package", package]));
    build.env("CARGO_TARGET_DIR", workspace.target()?).run()
}

//! The servers in Rust and the load generator: a workspace of their own, since the peers' dependencies are none of the
//! product's.

use anyhow::Result;

use crate::workspace::Workspace;

/// By what cargo works on that workspace.
pub(crate) const NATIVE: [&str; 2] = ["--manifest-path", "bench/native/Cargo.toml"];

/// Leaves the programs beside the product's.
pub(super) fn build(workspace: &Workspace) -> Result<()> {
    let build = workspace.command("cargo").args(["build", "--release"]).args(NATIVE);
    build.env("CARGO_TARGET_DIR", workspace.target()?).run()
}

//! The package as it is published.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::PACKAGE;
use crate::workspace::Workspace;

/// Packs it, and says where it is and what is in it.
pub(super) fn pack(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target()?.join("npm");
    fs::create_dir_all(&folder)?;
    let pack = workspace.command("npm").folder(&workspace.root().join(PACKAGE));
    let packed = pack.args(["pack", "--json", "--pack-destination"]).args([&folder]).output()?;
    let packed: Value = serde_json::from_str(&packed)?;
    // An array of packages before npm 12, an object with one for each name since.
    let package = packed.get(0).or_else(|| packed.get("everwire")).context("npm pack names no package")?;
    let name = package["filename"].as_str().context("npm pack names no file")?;
    let tarball = folder.join(name);
    println!("{}: {} bytes", tarball.display(), package["size"]);
    for file in package["files"].as_array().into_iter().flatten() {
        println!("{:>9}  {}", file["size"].to_string(), file["path"].as_str().unwrap_or_default());
    }
    Ok(tarball)
}

/// Has `publint` look for what would trouble those who install it, and npm go through everything but the upload.
pub(super) fn check(workspace: &Workspace, tarball: &Path) -> Result<()> {
    workspace.command("publint").args(["run", "--strict"]).args([tarball]).run()?;
    workspace.command("npm").args(["publish", "--dry-run"]).args([tarball]).run()
}

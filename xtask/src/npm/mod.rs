//! The npm package, from its sources to the tarball.
//!
//! # Layout
//! - [`wasm`]: the core, as small as it gets, and the numbers by which JavaScript calls it
//! - [`bundle`]: the files that the package exports
//! - [`size`]: what a page downloads, and the most that it may
//! - [`badge`]: the same in the README
//! - [`tarball`]: packed, listed, checked

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;
use badge::Badge;
use size::Size;

mod badge;
mod bundle;
mod size;
mod tarball;
mod wasm;

/// The folder of the package, below the root.
pub(crate) const PACKAGE: &str = "crates/everwire-js";

/// Builds the package, brings the badge in its README up to date, packs it, and has npm say whether it could be published.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::ensure(workspace, &[Need::Npm])?;
    build(workspace)?;
    let sizes = check_sizes(workspace)?;
    Badge::of(workspace).update(&sizes[0])?;
    let tarball = tarball::pack(workspace)?;
    tarball::check(workspace, &tarball)
}

/// Builds and packs it for a test, whatever its size, and changes no file that is committed.
pub(crate) fn tarball_to_test(workspace: &Workspace) -> Result<PathBuf> {
    build(workspace)?;
    let tarball = tarball::pack(workspace)?;
    tarball::check(workspace, &tarball)?;
    Ok(tarball)
}

/// Fails when what was built is over budget, or is not what the badge says.
pub(crate) fn check_size(workspace: &Workspace) -> Result<()> {
    let sizes = check_sizes(workspace)?;
    Badge::of(workspace).check(&sizes[0])
}

fn check_sizes(workspace: &Workspace) -> Result<Vec<Size>> {
    let sizes = Size::measure(workspace)?;
    sizes.iter().try_for_each(Size::check)?;
    Ok(sizes)
}

/// Makes everything that goes into the tarball.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let package = workspace.root().join(PACKAGE);
    check_version(workspace, &package)?;
    wasm::build(workspace, &package)?;
    bundle::build(workspace, &package)?;
    // npm packs nothing from outside the package's folder.
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(workspace.root().join(licence), package.join(licence))?;
    }
    Ok(())
}

/// The package and the crates are one product, with one version.
fn check_version(workspace: &Workspace, package: &Path) -> Result<()> {
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(package.join("package.json"))?)?;
    let version = manifest["version"].as_str().context("package.json has no version")?;
    let crates = workspace.locked_version("everwire-js")?;
    ensure!(version == crates, "package.json has version {version}, Cargo.toml {crates}: make them the same");
    Ok(())
}

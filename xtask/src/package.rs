//! Checks that the crates and the npm package could be published, without publishing them.

use anyhow::{Result, ensure};
use clap::Args;

use crate::npm;
use crate::tools::{self, Need};
use crate::workspace::Workspace;

/// What every published crate has to contain.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

#[derive(Args)]
pub(crate) struct Options {
    /// Also compile each crate from its package, which takes minutes
    #[arg(long)]
    verify: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    tools::ensure_installed(workspace, &[Need::Npm, Need::Package])?;
    check_crates(workspace, options.verify)?;
    npm::tarball_to_test(workspace)?;
    check_dependencies(workspace)
}

/// Packs the published crates together, so that those that depend on each other find what is not in the registry yet.
pub(crate) fn check_crates(workspace: &Workspace, verify: bool) -> Result<()> {
    let packages = workspace.packages()?;
    let names: Vec<&str> =
        packages.iter().filter(|package| package.is_published).map(|package| package.name.as_str()).collect();
    let package = workspace.command("cargo").args(["package", "--allow-dirty"]);
    let package = package.args(names.iter().flat_map(|name| ["--package", name]));
    if verify {
        package.run()?
    } else {
        package.args(["--no-verify"]).run()?
    }
    for name in names {
        let files =
            workspace.command("cargo").args(["package", "--allow-dirty", "--list", "--package", name]).output()?;
        for licence in LICENCES {
            ensure!(
                files.lines().any(|file| file == licence),
                "the package of {name} has no {licence}: link to that of the root"
            );
        }
    }
    Ok(())
}

/// Licences, sources and duplicates of all dependencies. The advisories would have to be downloaded; continuous integration checks them.
fn check_dependencies(workspace: &Workspace) -> Result<()> {
    workspace.command("cargo").args(["deny", "check", "bans", "licenses", "sources"]).run()
}

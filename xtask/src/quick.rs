//! The inner loop of a contributor: formats, lints and tests what changed, without a browser, a server or the wasm target.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::{Package, Workspace};

/// Tested in any case: all other crates build on its state machines, and its tests are quick, since their time is virtual.
const CORE: &str = "everwire-core";

/// How many values a property is tried with: enough for a first answer. `cargo xtask test` tries 256.
const FEW_CASES: &str = "32";

#[derive(Args)]
pub(crate) struct Options {
    /// Compare with the merge base of this branch or commit [default: origin/main or main]
    #[arg(long, value_name = "REF")]
    base: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let start = Instant::now();
    let base = merge_base(workspace, options.base.as_deref())?;
    let files = changed_files(workspace, &base)?;
    let packages = workspace.packages()?;
    let changed = changed_packages(&files, &packages);
    let names: Vec<&str> = changed.iter().map(|package| package.name.as_str()).collect();
    println!("Changed since {:.10}: {}", base, if names.is_empty() { "no crate".to_owned() } else { names.join(", ") });

    workspace.command("cargo").args(["fmt", "--all"]).run()?;
    // One crate at a time: cargo chooses the features of dependencies by what it builds together, so that another selection of crates
    // would compile the dependencies again.
    for package in &changed {
        let clippy = ["clippy", "--quiet", "--package", &package.name, "--all-targets", "--", "-D", "warnings"];
        workspace.command("cargo").args(clippy).run()?;
    }
    let test = ["test", "--quiet", "--package"];
    let core = workspace.command("cargo").args(test).args([CORE, "--lib", "--tests"]);
    core.env("PROPTEST_CASES", FEW_CASES).run()?;
    for package in changed.iter().filter(|package| package.name != CORE) {
        let targets = if package.has_library { ["--lib", "--bins"].as_slice() } else { &["--bins"] };
        workspace.command("cargo").args(test).args([&package.name]).args(targets).run()?;
    }
    println!("Quick checks passed in {:.1} s. `cargo xtask test` runs all of them.", start.elapsed().as_secs_f64());
    Ok(())
}

fn merge_base(workspace: &Workspace, base: Option<&str>) -> Result<String> {
    let candidates = base.map_or(vec!["origin/main", "main"], |base| vec![base]);
    let mut bases = candidates.iter().map(|base| workspace.command("git").args(["merge-base", base, "HEAD"]).output());
    let found = bases.find_map(Result::ok);
    let found =
        found.with_context(|| format!("no common commit with {}: name one by --base", candidates.join(" or ")))?;
    Ok(found.trim().to_owned())
}

/// Files that differ from a commit, in commits since then, in the index, in the working tree, or untracked.
fn changed_files(workspace: &Workspace, base: &str) -> Result<Vec<String>> {
    let tracked = workspace.command("git").args(["diff", "--name-only", "-z", base]).output()?;
    let untracked = workspace.command("git").args(["ls-files", "--others", "--exclude-standard", "-z"]).output()?;
    let files = tracked.split('\0').chain(untracked.split('\0')).filter(|file| !file.is_empty());
    Ok(files.map(str::to_owned).collect())
}

/// The packages that own these files: of nested folders, the innermost.
fn changed_packages<'a>(files: &[String], packages: &'a [Package]) -> Vec<&'a Package> {
    let owner = |file: &String| {
        let owners = packages.iter().filter(|package| Path::new(file).starts_with(&package.folder));
        owners.max_by_key(|package| package.folder.components().count()).map(|package| package.name.as_str())
    };
    let owners: BTreeSet<&str> = files.iter().filter_map(owner).collect();
    packages.iter().filter(|package| owners.contains(package.name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, folder: &str) -> Package {
        Package {
            name: name.into(),
            folder: folder.into(),
            features: Vec::new(),
            is_published: false,
            has_library: true,
        }
    }

    #[test]
    fn a_changed_file_belongs_to_the_innermost_package_around_it() {
        let packages = [package("core", "crates/core"), package("yew", "crates/core/yew"), package("tool", "tool")];
        let changed = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            let changed = changed_packages(&files, &packages);
            changed.iter().map(|package| package.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(changed(&["crates/core/src/lib.rs", "crates/core/src/other.rs"]), ["core"]);
        assert_eq!(changed(&["tool/main.rs", "crates/core/yew/src/lib.rs"]), ["yew", "tool"]);
        assert_eq!(changed(&["README.md", "crates/core-two/src/lib.rs"]), [""; 0]);
    }
}

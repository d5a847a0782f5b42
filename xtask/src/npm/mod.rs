//! The npm package, from its sources to the tarball: [`bundle`] makes its files, this module checks their size and packs them.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tools::{self, Need};
use crate::workspace::Workspace;

mod bundle;

/// The folder of the package, below the root.
pub(crate) const PACKAGE: &str = "crates/everwire-js";

/// Builds the package, updates the badge in its README, packs it, and lets npm check whether it could be published.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    tools::ensure_installed(workspace, &[Need::Npm])?;
    build(workspace)?;
    let sizes = check_sizes(workspace)?;
    Badge::of(workspace).update(&sizes[0])?;
    let tarball = pack(workspace)?;
    check_tarball(workspace, &tarball)
}

/// Builds and packs it for a test, whatever its size, without changing a committed file.
pub(crate) fn tarball_to_test(workspace: &Workspace) -> Result<PathBuf> {
    build(workspace)?;
    let tarball = pack(workspace)?;
    check_tarball(workspace, &tarball)?;
    Ok(tarball)
}

/// Fails if the size of what was built is over budget, or differs from the badge.
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
    bundle::build_wasm(workspace, &package)?;
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

/// Packs it, and prints where it is and what it contains.
fn pack(workspace: &Workspace) -> Result<PathBuf> {
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

/// Checks the tarball with `publint` and with a publication that ends before the upload.
fn check_tarball(workspace: &Workspace, tarball: &Path) -> Result<()> {
    workspace.command("publint").args(["run", "--strict"]).args([tarball]).run()?;
    workspace.command("npm").args(["publish", "--dry-run"]).args([tarball]).run()
}

/// What a page can import, and the budget for its wasm and JavaScript together, compressed. Every page of every user loads them. The aim
/// for EverClient is 24,000, about the size of centrifuge-js: the state machine of the session alone takes 4,600.
const ENTRIES: [Entry; 2] = [
    Entry { name: "EverSocket", wasm: "everwire.wasm", js: "index.js", budget: 16_540 },
    Entry { name: "EverClient", wasm: "client.wasm", js: "client.js", budget: 24_000 },
];

#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    wasm: &'static str,
    js: &'static str,
    budget: usize,
}

/// Bytes after `gzip -9`.
struct Size {
    entry: Entry,
    wasm: usize,
    js: usize,
}

impl Size {
    /// The sizes of all entries; the main entry is the first.
    fn measure(workspace: &Workspace) -> Result<Vec<Self>> {
        let dist = workspace.root().join(PACKAGE).join("dist");
        let compressed = |file: &str| -> Result<usize> {
            let gzip = workspace.command("gzip").args(["-9", "--no-name", "--stdout"]);
            Ok(gzip.args([dist.join(file)]).output_bytes()?.len())
        };
        let measure = |entry: Entry| Ok(Self { entry, wasm: compressed(entry.wasm)?, js: compressed(entry.js)? });
        ENTRIES.into_iter().map(measure).collect()
    }

    const fn total(&self) -> usize {
        self.wasm + self.js
    }

    /// Prints the size, and fails if it is over budget.
    fn check(&self) -> Result<()> {
        println!("Size, gzip -9: {self}");
        let Entry { name, budget, .. } = self.entry;
        ensure!(self.total() <= budget, "{name} has {} bytes, {budget} are allowed", self.total());
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, wasm, js, budget } = self.entry;
        write!(f, "{name}: {wasm} {} + {js} {} = {} bytes of {budget}", self.wasm, self.js, self.total())
    }
}

/// The text around the number in the badge.
const BADGE_START: &str = "https://img.shields.io/badge/size-";
const BADGE_END: &str = "%20kB%20gzip";

/// How far the number may be off, as a fraction of the size: compilers differ by some bytes, and a small change need not touch the README.
const BADGE_TOLERANCE: f64 = 0.02;

/// The badge with the size in the README of the package.
struct Badge {
    readme: PathBuf,
}

impl Badge {
    fn of(workspace: &Workspace) -> Self {
        Self { readme: workspace.root().join(PACKAGE).join("README.md") }
    }

    /// Writes the measured size, unless the badge is right already.
    fn update(&self, size: &Size) -> Result<()> {
        let text = self.read()?;
        let number = badge_number(&text)?;
        if badge_is_right(&text[number.clone()], size.total())? {
            return Ok(());
        }
        let shown = kilobytes(size.total());
        println!("The badge in {} now says {shown} kB: commit it.", self.readme.display());
        Ok(fs::write(&self.readme, [&text[..number.start], &shown, &text[number.end..]].concat())?)
    }

    /// Fails if the badge differs from the measured size.
    fn check(&self, size: &Size) -> Result<()> {
        let text = self.read()?;
        let shown = &text[badge_number(&text)?];
        let measured = kilobytes(size.total());
        ensure!(
            badge_is_right(shown, size.total())?,
            "the badge in {} says {shown} kB, the measured size is {measured} kB: run `cargo xtask npm` and commit the file",
            self.readme.display()
        );
        Ok(())
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(&self.readme).with_context(|| format!("cannot read {}", self.readme.display()))
    }
}

/// The position of the number.
fn badge_number(readme: &str) -> Result<Range<usize>> {
    let place = || {
        let start = readme.find(BADGE_START)? + BADGE_START.len();
        let length = readme[start..].find(BADGE_END)?;
        Some(start..start + length)
    };
    place().with_context(|| format!("the README has no badge `{BADGE_START}…{BADGE_END}`"))
}

fn badge_is_right(shown: &str, bytes: usize) -> Result<bool> {
    let shown: f64 = shown.parse().with_context(|| format!("the badge says `{shown}`, which is not a number"))?;
    let measured = bytes as f64 / 1000.0;
    Ok((shown - measured).abs() <= measured * BADGE_TOLERANCE)
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_more_than_the_budget_fails() {
        for entry in ENTRIES {
            assert!(Size { entry, wasm: entry.budget - 1, js: 1 }.check().is_ok());
            assert!(Size { entry, wasm: entry.budget, js: 1 }.check().is_err());
        }
    }

    #[test]
    fn the_number_is_found_between_other_badges() {
        let readme =
            "![a](https://img.shields.io/badge/a-1)\n![b](https://img.shields.io/badge/size-13.4%20kB%20gzip-blue)";
        assert_eq!(&readme[badge_number(readme).unwrap()], "13.4");
        assert!(badge_number("# Everwire").is_err());
    }

    #[test]
    fn a_badge_is_right_within_two_percent() {
        assert_eq!(kilobytes(13_449), "13.4");
        assert!(badge_is_right("13.4", 13_449).unwrap());
        assert!(badge_is_right("13.4", 13_660).unwrap());
        assert!(!badge_is_right("13.4", 13_700).unwrap());
        assert!(!badge_is_right("13.4", 13_100).unwrap());
        assert!(badge_is_right("small", 13_449).is_err());
    }
}

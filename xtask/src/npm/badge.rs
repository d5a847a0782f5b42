//! The size in the README of the package, which is never written by hand.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::PACKAGE;
use super::size::Size;
use crate::workspace::Workspace;

/// What the badge stands between. The number is the only part of it that changes.
const BEFORE: &str = "https://img.shields.io/badge/size-";
const AFTER: &str = "%20kB%20gzip";

/// How far the number may be off before that counts, as a part of the size. Compilers differ by some bytes, and a change that
/// nobody would notice need not touch the README.
const TOLERANCE: f64 = 0.02;

/// The README with a badge in it.
pub(super) struct Badge {
    readme: PathBuf,
}

impl Badge {
    pub(super) fn of(workspace: &Workspace) -> Self {
        Self { readme: workspace.root().join(PACKAGE).join("README.md") }
    }

    /// Writes what was measured, unless the badge says so already.
    pub(super) fn update(&self, size: &Size) -> Result<()> {
        let text = self.read()?;
        let number = number(&text)?;
        if is_right(&text[number.clone()], size.total())? {
            return Ok(());
        }
        let shown = kilobytes(size.total());
        println!("The badge in {} says {shown} kB from now on: commit it.", self.readme.display());
        Ok(fs::write(&self.readme, [&text[..number.start], &shown, &text[number.end..]].concat())?)
    }

    /// Fails when the badge says something else than what was measured.
    pub(super) fn check(&self, size: &Size) -> Result<()> {
        let text = self.read()?;
        let shown = &text[number(&text)?];
        let measured = kilobytes(size.total());
        ensure!(
            is_right(shown, size.total())?,
            "the badge in {} says {shown} kB, measured are {measured}: run `cargo xtask npm` and commit the file",
            self.readme.display()
        );
        Ok(())
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(&self.readme).with_context(|| format!("cannot read {}", self.readme.display()))
    }
}

/// Where the number stands.
fn number(readme: &str) -> Result<Range<usize>> {
    let place = || {
        let start = readme.find(BEFORE)? + BEFORE.len();
        let length = readme[start..].find(AFTER)?;
        Some(start..start + length)
    };
    place().with_context(|| format!("the README has no badge `{BEFORE}…{AFTER}`"))
}

fn is_right(shown: &str, bytes: usize) -> Result<bool> {
    let shown: f64 = shown.parse().with_context(|| format!("the badge says `{shown}`, which is no number"))?;
    let measured = bytes as f64 / 1000.0;
    Ok((shown - measured).abs() <= measured * TOLERANCE)
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::{is_right, kilobytes, number};

    #[test]
    fn the_number_is_found_between_other_badges() {
        let readme =
            "![a](https://img.shields.io/badge/a-1)\n![b](https://img.shields.io/badge/size-13.4%20kB%20gzip-blue)";
        assert_eq!(&readme[number(readme).unwrap()], "13.4");
        assert!(number("# Everwire").is_err());
    }

    #[test]
    fn a_badge_is_right_within_two_percent() {
        assert_eq!(kilobytes(13_449), "13.4");
        assert!(is_right("13.4", 13_449).unwrap());
        assert!(is_right("13.4", 13_660).unwrap());
        assert!(!is_right("13.4", 13_700).unwrap());
        assert!(!is_right("13.4", 13_100).unwrap());
        assert!(is_right("small", 13_449).is_err());
    }
}

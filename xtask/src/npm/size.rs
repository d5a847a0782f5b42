//! What a page downloads for the package.

use std::fmt;

use anyhow::{Result, ensure};

use super::PACKAGE;
use crate::workspace::Workspace;

/// The most bytes that wasm and JavaScript together may take, compressed. Every page of every user loads them.
const BUDGET: usize = 17_200;

/// Bytes after `gzip -9`.
pub(super) struct Size {
    wasm: usize,
    js: usize,
}

impl Size {
    pub(super) fn measure(workspace: &Workspace) -> Result<Self> {
        let dist = workspace.root().join(PACKAGE).join("dist");
        let compressed = |file: &str| -> Result<usize> {
            let gzip = workspace.command("gzip").args(["-9", "--no-name", "--stdout"]);
            Ok(gzip.args([dist.join(file)]).output_bytes()?.len())
        };
        Ok(Self { wasm: compressed("everwire.wasm")?, js: compressed("index.js")? })
    }

    pub(super) const fn total(&self) -> usize {
        self.wasm + self.js
    }

    /// Says how large it is, and fails when that is too large.
    pub(super) fn check(&self) -> Result<()> {
        println!("Size, gzip -9: {self}");
        ensure!(self.total() <= BUDGET, "the package takes {} bytes, and may take {BUDGET}", self.total());
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "everwire.wasm {} + index.js {} = {} bytes of {BUDGET}", self.wasm, self.js, self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, Size};

    #[test]
    fn a_byte_more_than_the_budget_fails() {
        assert!(Size { wasm: BUDGET - 1, js: 1 }.check().is_ok());
        assert!(Size { wasm: BUDGET, js: 1 }.check().is_err());
    }
}

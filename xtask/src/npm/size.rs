//! What a page downloads for the package.

use std::fmt;

use anyhow::{Result, ensure};

use super::PACKAGE;
use crate::workspace::Workspace;

/// What a page can import, and the most bytes that its wasm and JavaScript together may take, compressed. Every page of every user loads them.
/// The aim for EverClient is 24,000, about the size of centrifuge-js: the session's machine alone takes 4,600.
const ENTRIES: [Entry; 2] = [
    Entry { name: "EverSocket", wasm: "everwire.wasm", js: "index.js", budget: 16_580 },
    Entry { name: "EverClient", wasm: "client.wasm", js: "client.js", budget: 24_120 },
];

#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    wasm: &'static str,
    js: &'static str,
    budget: usize,
}

/// Bytes after `gzip -9`.
pub(super) struct Size {
    entry: Entry,
    wasm: usize,
    js: usize,
}

impl Size {
    /// Those of all entries, that of the package's name first.
    pub(super) fn measure(workspace: &Workspace) -> Result<Vec<Self>> {
        let dist = workspace.root().join(PACKAGE).join("dist");
        let compressed = |file: &str| -> Result<usize> {
            let gzip = workspace.command("gzip").args(["-9", "--no-name", "--stdout"]);
            Ok(gzip.args([dist.join(file)]).output_bytes()?.len())
        };
        let measure = |entry: Entry| Ok(Self { entry, wasm: compressed(entry.wasm)?, js: compressed(entry.js)? });
        ENTRIES.into_iter().map(measure).collect()
    }

    pub(super) const fn total(&self) -> usize {
        self.wasm + self.js
    }

    /// Says how large it is, and fails when that is too large.
    pub(super) fn check(&self) -> Result<()> {
        println!("Size, gzip -9: {self}");
        let Entry { name, budget, .. } = self.entry;
        ensure!(self.total() <= budget, "{name} takes {} bytes, and may take {budget}", self.total());
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { name, wasm, js, budget } = self.entry;
        write!(f, "{name}: {wasm} {} + {js} {} = {} bytes of {budget}", self.wasm, self.js, self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, Size};

    #[test]
    fn a_byte_more_than_the_budget_fails() {
        for entry in ENTRIES {
            assert!(Size { entry, wasm: entry.budget - 1, js: 1 }.check().is_ok());
            assert!(Size { entry, wasm: entry.budget, js: 1 }.check().is_err());
        }
    }
}

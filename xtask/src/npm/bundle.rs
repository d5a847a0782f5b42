//! The files that the package exports, each minified and with a source map.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::workspace::Workspace;

/// A module for each entry of the `exports` map.
const ENTRIES: [&str; 5] = ["js/index.js", "js/inline.js", "js/inline-react.js", "js/node.js", "js/react.js"];

/// What stays an import. All entries share the module that `index.js` is, so that an application has one core, whichever it
/// imports.
const IMPORTS: [&str; 4] = ["./index.js", "everwire", "node:*", "react"];

/// Fills `dist/` anew.
pub(super) fn build(workspace: &Workspace, package: &Path) -> Result<()> {
    let dist = package.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    let esbuild = workspace.command("esbuild").folder(package).args(ENTRIES);
    esbuild
        .args(["--bundle", "--format=esm", "--platform=neutral", "--target=es2022", "--minify", "--sourcemap"])
        .args(["--loader:.wasm=binary", "--outdir=dist", "--log-level=warning"])
        .args(IMPORTS.map(|import| format!("--external:{import}")))
        .run()?;
    for entry in ENTRIES {
        shorten(workspace, &dist, entry.trim_start_matches("js/"))?;
    }
    fs::copy(package.join("build/everwire.wasm"), dist.join("everwire.wasm"))?;
    for types in fs::read_dir(package.join("types"))? {
        let types = types?;
        fs::copy(types.path(), dist.join(types.file_name()))?;
    }
    Ok(())
}

/// Takes out what esbuild, which is made for speed, leaves: 4 % of a compressed file.
fn shorten(workspace: &Workspace, dist: &Path, file: &str) -> Result<()> {
    let map = format!("content={file}.map,url={file}.map");
    let terser = workspace.command("terser").folder(dist).args([file, "--module", "--ecma=2022"]);
    terser.args(["--compress", "passes=3", "--mangle", "--source-map", &map, "--output", file]).run()
}

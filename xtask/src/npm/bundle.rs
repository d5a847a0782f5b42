//! The files that the package exports, each minified and with a source map.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// A module for each entry of the `exports` map.
const ENTRIES: [&str; 4] = ["js/index.js", "js/inline.js", "js/inline-react.js", "js/react.js"];

/// What stays an import. All entries share the module that `index.js` is, so that an application has one core, whichever it
/// imports.
const IMPORTS: [&str; 3] = ["./index.js", "everwire", "react"];

/// The entries for `require`, where `everwire` is `everwire/inline`: from CommonJS no file can be found.
const REQUIRED: [&str; 2] = ["js/inline.js", "js/react.js"];

/// Fills `dist/` anew.
pub(super) fn build(workspace: &Workspace, package: &Path) -> Result<()> {
    let dist = package.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    let bundle = |entries: &[&str], imports: &[&str]| {
        let esbuild = workspace.command("esbuild").folder(package).args(entries);
        esbuild
            .args(["--bundle", "--platform=neutral", "--target=es2022", "--minify", "--sourcemap"])
            .args(["--loader:.wasm=base64", "--outdir=dist", "--log-level=warning"])
            .args(imports.iter().map(|import| format!("--external:{import}")))
    };
    bundle(&ENTRIES, &IMPORTS).args(["--format=esm"]).run()?;
    for entry in ENTRIES {
        shorten(workspace, &dist, entry.trim_start_matches("js/"))?;
    }
    bundle(&REQUIRED, &IMPORTS[1..])
        .args([
            "--format=cjs",
            "--banner:js=\"use strict\";",
            "--out-extension:.js=.cjs",
            "--inject:js/text-encoder.js",
        ])
        // There is none in CommonJS, and nothing that is reached asks for it.
        .args(["--define:import.meta.url=undefined"])
        .run()?;
    fs::copy(package.join("build/everwire.wasm"), dist.join("everwire.wasm"))?;
    for types in fs::read_dir(package.join("types"))? {
        let types = types?.path();
        let name = types.file_name().and_then(|name| name.to_str()).context("a file of types has an odd name")?;
        fs::copy(&types, dist.join(name))?;
        // TypeScript takes a file for the kind of module that its name says, and the same declarations hold for both.
        fs::copy(&types, dist.join(name.replace(".d.ts", ".d.cts")))?;
    }
    Ok(())
}

/// Takes out what esbuild, which is made for speed, leaves: 4 % of a compressed file.
fn shorten(workspace: &Workspace, dist: &Path, file: &str) -> Result<()> {
    let map = format!("content={file}.map,url={file}.map");
    let terser = workspace.command("terser").folder(dist).args([file, "--module", "--ecma=2022"]);
    // Parameters stay as they are written: a default of `undefined` is what makes `length` that of the browser's class.
    let terser = terser.args(["--compress", "passes=5,directives=false,hoist_funs,pure_getters", "--mangle"]);
    terser.args(["--source-map", &map, "--output", file]).run()
}

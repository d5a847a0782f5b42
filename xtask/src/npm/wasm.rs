//! The core as wasm, and the JavaScript that binds it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::workspace::Workspace;

/// What every browser of the last years can run (`-Oz` may use it), and what no browser needs to know.
const OPTIMISE: [&str; 9] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--strip-producers",
    "--strip-target-features",
];

/// Leaves `build/everwire.wasm` and `build/glue.js`, which `js/module.js` joins.
pub(super) fn build(workspace: &Workspace, package: &Path) -> Result<()> {
    let cargo = ["build", "--profile", "wasm", "--package", "everwire-js", "--target", "wasm32-unknown-unknown"];
    workspace.command("cargo").args(cargo).run()?;
    let wasm = workspace.target()?.join("wasm32-unknown-unknown/wasm/everwire_js.wasm");

    // The output for bundlers is the one whose glue does not load the module by itself.
    let build = package.join("build");
    let bind = workspace.command("wasm-bindgen").args(["--target", "bundler", "--no-typescript", "--out-dir"]);
    bind.args([&build, &wasm]).run()?;
    fs::rename(build.join("everwire_js_bg.js"), build.join("glue.js"))?;

    let (bound, small) = (build.join("everwire_js_bg.wasm"), build.join("everwire.wasm"));
    let optimise = workspace.command("wasm-opt").args(OPTIMISE).args([&bound]);
    optimise.args(["--output".as_ref(), small.as_os_str()]).run()
}

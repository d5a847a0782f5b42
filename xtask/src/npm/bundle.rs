//! Builds the files of the npm package: the core as wasm, and the JavaScript around it, minified and with source maps.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// Enables what every current browser can run, for `-Oz` to use, and removes what no browser needs. The lowest kilobyte of memory is the
/// end of the stack, to which nothing points. Functions in order of use compress better, and so does the result of `-Oz` after
/// restructuring the control flow, twice, and after `-Os`. The order was found by trying; all together save 250 bytes.
const OPTIMISE: [&str; 22] = [
    "--low-memory-unused",
    "--flatten",
    "--rse",
    "--rereloop",
    "--rereloop",
    "--merge-similar-functions",
    "--vacuum",
    "--precompute-propagate",
    "-Os",
    "-Oz",
    "--converge",
    "--optimize-instructions",
    "--reorder-functions",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// A wasm module of the package.
struct Module {
    /// Its file in `build/`.
    file: &'static str,
    /// Options of cargo that select its features.
    features: &'static [&'static str],
    /// The cost up to which LLVM inlines a function. The value that gives the smallest module, found by trying: saves 100 and 300 bytes.
    inline_threshold: u8,
}

const WASM_MODULES: [Module; 2] = [
    Module { file: "everwire.wasm", features: &[], inline_threshold: 25 },
    Module { file: "client.wasm", features: &["--no-default-features", "--features", "client"], inline_threshold: 10 },
];

/// Fills `build/` with what the JavaScript in `js/` imports: the wasm modules, and `codes.js` with the defaults and the numbers that stand
/// for operations and events. Neither is under version control: both are generated from the Rust code and needed only to bundle.
pub(super) fn build_wasm(workspace: &Workspace, package: &Path) -> Result<()> {
    let build = package.join("build");
    fs::create_dir_all(&build)?;
    let print = ["run", "--quiet", "--package", "everwire-js", "--example", "codes"];
    fs::write(build.join("codes.js"), workspace.command("cargo").args(print).output()?)?;
    for module in &WASM_MODULES {
        module.build(workspace, &build)?;
    }
    Ok(())
}

impl Module {
    fn build(&self, workspace: &Workspace, build: &Path) -> Result<()> {
        // The crate type is given here: if the manifest names a Rust library as well, cargo skips LTO, which removes unread messages
        // of panics and 670 bytes.
        let cargo = ["rustc", "--profile", "wasm", "--package", "everwire-js", "--target", "wasm32-unknown-unknown"];
        let inline = format!("llvm-args=--inline-threshold={}", self.inline_threshold);
        let cargo = workspace.command("cargo").args(cargo).args(self.features);
        cargo.args(["--crate-type", "cdylib", "--", "-C", &inline]).run()?;
        let compiled = workspace.target()?.join("wasm32-unknown-unknown/wasm/everwire_js.wasm");
        let small = build.join(self.file);
        let optimise = workspace.command("wasm-opt").args(OPTIMISE).args([&compiled]);
        optimise.args(["--output".as_ref(), small.as_os_str()]).run()
    }
}

/// The entries of the `exports` map with a wasm module, and its file. Browsers load them in production.
const CORES: [(&str, &str); 2] = [("js/index.js", "everwire.wasm"), ("js/client.js", "client.wasm")];

/// The other entries. The hooks for sockets and for clients are in modules of their own, so that a bundler drops those that a page does
/// not use although both are imported from one entry.
const ENTRIES: [&str; 9] = [
    "js/inline.js",
    "js/inline-client.js",
    "js/inline-react.js",
    "js/inline-react-client.js",
    "js/inline-react-socket.js",
    "js/react.js",
    "js/react-client.js",
    "js/react-socket.js",
    "js/vue.js",
];

/// Modules of the package that stay imports: all entries share the core in `index.js` or `client.js`, and the entries with hooks share a
/// context.
const SHARED_MODULES: [&str; 6] = [
    "./index.js",
    "./client.js",
    "./inline-react-client.js",
    "./inline-react-socket.js",
    "./react-client.js",
    "./react-socket.js",
];

/// Packages that stay imports.
const PACKAGES: [&str; 3] = ["everwire", "react", "vue"];

/// The entries for `require`, where `everwire` is `everwire/inline`: from CommonJS no file can be found.
const REQUIRED: [&str; 4] = ["js/inline.js", "js/inline-client.js", "js/react.js", "js/vue.js"];

/// Private members, whose names are shortened: saves 200 of 10,000 bytes. None of them may be a name of the platform, or an export of
/// `index.js` or `client.js` to the other entries. An export of the wasm module may be in the list if it is only read by its quoted name,
/// which stays.
const INTERNAL: [&str; 54] = [
    "act",
    "args",
    "caughtUp",
    "detach",
    "dial",
    "dropOf",
    "ended",
    "ending",
    "entry",
    "exchange",
    "fail",
    "handle",
    "handler",
    "hasHeartbeat",
    "idOf",
    "isError",
    "isFull",
    "isLatest",
    "isLive",
    "isOver",
    "isPatched",
    "isRead",
    "link",
    "list",
    "listen",
    "listens",
    "listensToMessages",
    "loop",
    "lower",
    "measure",
    "moved",
    "operands",
    "pause",
    "pings",
    "position",
    "prefix",
    "put",
    "queue",
    "readers",
    "release",
    "serves",
    "settle",
    "skip",
    "start",
    "take",
    "unsubscribe",
    "unwatch",
    "upper",
    "view",
    "wasConnecting",
    "watch",
    "watchers",
    "what",
    "zone",
];

/// Clears and fills `dist/` with the files that the package exports.
pub(super) fn build(workspace: &Workspace, package: &Path) -> Result<()> {
    let dist = package.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    let esbuild = |entries: &[&str], imports: &[&str]| {
        let command = workspace.command("esbuild").folder(package).args(entries);
        command
            .args(["--bundle", "--platform=neutral", "--target=es2022", "--minify", "--sourcemap"])
            .args(["--loader:.wasm=base64", "--outdir=dist", "--log-level=warning"])
            .args([format!("--mangle-props=^({})$", INTERNAL.join("|"))])
            .args(imports.iter().map(|import| format!("--external:{import}")))
    };
    let imports = [&SHARED_MODULES[..], &PACKAGES].concat();
    for (entry, wasm) in CORES {
        esbuild(&[entry], &imports).args(["--format=esm", &format!("--define:WASM={wasm:?}")]).run()?;
        fs::copy(package.join("build").join(wasm), dist.join(wasm))?;
    }
    esbuild(&ENTRIES, &imports).args(["--format=esm"]).run()?;
    for entry in CORES.map(|(entry, _)| entry).iter().chain(&ENTRIES) {
        minify(workspace, &dist, entry.trim_start_matches("js/"))?;
    }
    esbuild(&REQUIRED, &PACKAGES)
        .args([
            "--format=cjs",
            "--banner:js=\"use strict\";",
            "--out-extension:.js=.cjs",
            "--inject:js/text-encoder.js",
        ])
        // CommonJS has neither, and no code that runs there uses them.
        .args(["--define:import.meta.url=undefined", "--define:WASM=undefined"])
        .run()?;
    for types in fs::read_dir(package.join("types"))? {
        let types = types?.path();
        let name = types.file_name().and_then(|name| name.to_str()).context("a file of types has an odd name")?;
        fs::copy(&types, dist.join(name))?;
        // TypeScript derives the module system from the extension; the declarations are the same for both.
        fs::copy(&types, dist.join(name.replace(".d.ts", ".d.cts")))?;
    }
    Ok(())
}

/// Minifies further: esbuild, which is made for speed, leaves 4 % of a compressed file.
fn minify(workspace: &Workspace, dist: &Path, file: &str) -> Result<()> {
    let map = format!("content={file}.map,url={file}.map");
    let terser = workspace.command("terser").folder(dist).args([file, "--module", "--ecma=2022"]);
    // Defaults of parameters stay: `length` of a function counts the parameters in front of the first default, and has to be that of
    // the browser's class.
    let terser = terser.args(["--compress", "passes=5,directives=false,hoist_funs,pure_getters", "--mangle"]);
    terser.args(["--source-map", &map, "--output", file]).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_public_member_is_shortened() {
        let package = Workspace::find().expect("the workspace").root().join(super::super::PACKAGE);
        let types = fs::read_dir(package.join("types")).expect("the types").map(|file| file.expect("a file").path());
        for text in types.map(|file| fs::read_to_string(file).expect("a text")) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
            let mut words = code.flat_map(|line| line.split(|character: char| !character.is_alphanumeric()));
            assert_eq!(words.find(|word| INTERNAL.contains(word)), None);
        }
    }
}

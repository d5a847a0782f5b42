//! The files that the package exports, each minified and with a source map.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// The entries of the `exports` map that have a wasm module of their own, and its file. They are what browsers load in production.
const CORES: [(&str, &str); 2] = [("js/index.js", "everwire.wasm"), ("js/client.js", "client.wasm")];

/// The other entries, and the modules of those with hooks: a bundler leaves out a module of which nothing is used, so that a page pays for
/// sockets or for clients, and the hooks of both are imported from one place.
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

/// What of the package stays an import. Other entries share the module that `index.js` or `client.js` is, so that an application has one core
/// of each, whichever it imports; and those with hooks share a context.
const MODULES: [&str; 6] = [
    "./index.js",
    "./client.js",
    "./inline-react-client.js",
    "./inline-react-socket.js",
    "./react-client.js",
    "./react-socket.js",
];

/// What stays an import in every file.
const PACKAGES: [&str; 3] = ["everwire", "react", "vue"];

/// The entries for `require`, where `everwire` is `everwire/inline`: from CommonJS no file can be found.
const REQUIRED: [&str; 4] = ["js/inline.js", "js/inline-client.js", "js/react.js", "js/vue.js"];

/// Members of objects that no application sees, whose names are shortened: 200 bytes of a download of 10,000. None of them may be a name of the
/// platform, of what the wasm module exports, or of what `index.js` and `client.js` export to the other entries. Of the module's exports, those
/// may be that are read by their names in quotes alone, which stay.
const INTERNAL: [&str; 50] = [
    "act",
    "args",
    "caughtUp",
    "detach",
    "dial",
    "dropOf",
    "ending",
    "ended",
    "entry",
    "exchange",
    "fail",
    "handle",
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
    "view",
    "wasConnecting",
    "watch",
    "watchers",
    "zone",
];

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
            .args([format!("--mangle-props=^({})$", INTERNAL.join("|"))])
            .args(imports.iter().map(|import| format!("--external:{import}")))
    };
    let imports = [&MODULES[..], &PACKAGES].concat();
    for (entry, wasm) in CORES {
        bundle(&[entry], &imports).args(["--format=esm", &format!("--define:WASM={wasm:?}")]).run()?;
        fs::copy(package.join("build").join(wasm), dist.join(wasm))?;
    }
    bundle(&ENTRIES, &imports).args(["--format=esm"]).run()?;
    for entry in CORES.map(|(entry, _)| entry).iter().chain(&ENTRIES) {
        shorten(workspace, &dist, entry.trim_start_matches("js/"))?;
    }
    bundle(&REQUIRED, &PACKAGES)
        .args([
            "--format=cjs",
            "--banner:js=\"use strict\";",
            "--out-extension:.js=.cjs",
            "--inject:js/text-encoder.js",
        ])
        // There is none in CommonJS, and nothing that is reached asks for it.
        .args(["--define:import.meta.url=undefined", "--define:WASM=undefined"])
        .run()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_public_member_is_shortened() {
        let package = Workspace::find().expect("the workspace").root().join(super::super::PACKAGE);
        let types = fs::read_dir(package.join("types")).expect("the types").map(|file| file.expect("a file").path());
        for text in types.map(|file| fs::read_to_string(file).expect("a text")) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
            let mut words = code.flat_map(|line| line.split(|character: char| !character.is_alphanumeric()));
            assert_eq!(words.find(|word| INTERNAL.contains(word)), None);
        }
    }
}

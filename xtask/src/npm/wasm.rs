//! The core as wasm, and what JavaScript has to know of it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::workspace::Workspace;

/// What every browser of the last years can run (`-Oz` may use it), and what no browser needs to know. The lowest kilobyte of memory
/// is the end of the stack, to which nothing points, and functions that are in order of use compress better. So does the result of
/// `-Oz` after another control flow was tried. All together save 160 bytes.
const OPTIMISE: [&str; 17] = [
    "--low-memory-unused",
    "--flatten",
    "--rereloop",
    "--merge-similar-functions",
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
    /// Beyond those of the other.
    features: &'static [&'static str],
    /// The cost up to which LLVM inlines: what is a little larger than a call loses more to what is known about its arguments. Found by trying:
    /// saves 100 and 300 bytes.
    inline_threshold: u8,
}

const MODULES: [Module; 2] = [
    Module { file: "everwire.wasm", features: &[], inline_threshold: 25 },
    Module { file: "client.wasm", features: &["--no-default-features", "--features", "client"], inline_threshold: 10 },
];

/// Fills `build/` with what the JavaScript in `js/` imports: the modules, which it calls as they are, and `codes.js`, the numbers that it
/// calls them by and the defaults. Neither is under version control: both follow from the Rust code, and are needed only to bundle.
pub(super) fn build(workspace: &Workspace, package: &Path) -> Result<()> {
    let build = package.join("build");
    fs::create_dir_all(&build)?;
    let print = ["run", "--quiet", "--package", "everwire-js", "--example", "codes"];
    fs::write(build.join("codes.js"), workspace.command("cargo").args(print).output()?)?;
    for module in &MODULES {
        module.build(workspace, &build)?;
    }
    Ok(())
}

impl Module {
    fn build(&self, workspace: &Workspace, build: &Path) -> Result<()> {
        // The kind of library is named here: for one that the manifest calls a Rust library as well, cargo leaves out the optimization at
        // link time, with which the messages of panics go that nothing reads, and 670 bytes.
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

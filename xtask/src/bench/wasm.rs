//! The clients in Rust: a workspace of their own, since the peers' dependencies are none of the product's.

use std::path::Path;

use anyhow::Result;

use crate::workspace::Workspace;

/// By what cargo works on that workspace.
pub(crate) const IN_PAGES: [&str; 2] = ["--manifest-path", "bench/wasm/Cargo.toml"];

/// Each is an echo to weigh, and with the feature `measure` a driver to time.
const CLIENTS: [&str; 3] = ["everwire", "gloo-net", "ws-stream-wasm"];
/// Which of them is ours.
const OWN: &str = "everwire";
/// What a client in Rust can be at best: it is timed, and not weighed.
const FLOOR: &str = "web-sys";

/// The features of WebAssembly that rustc uses by default, which wasm-opt has to be told of; and what no browser needs to know.
const OPTIMISE: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--strip-debug",
    "--strip-producers",
];

/// Echo clients, as small as they get.
pub(super) fn build_small(workspace: &Workspace, to: &Path) -> Result<()> {
    compile(workspace, &["--profile", "wasm"])?;
    CLIENTS.iter().try_for_each(|client| bind(workspace, "wasm", client, "-Oz", to))
}

/// Clients that can be driven, as fast as they get.
pub(super) fn build_fast(workspace: &Workspace, to: &Path) -> Result<()> {
    compile_fast(workspace)?;
    let clients = CLIENTS.iter().chain([&FLOOR]);
    clients.into_iter().try_for_each(|client| bind(workspace, "release", client, "-O3", to))
}

/// Of these ours alone.
pub(super) fn build_own(workspace: &Workspace, to: &Path) -> Result<()> {
    compile_fast(workspace)?;
    bind(workspace, "release", OWN, "-O3", to)
}

/// All at once: what one needs of a dependency, each of them is compiled with.
fn compile_fast(workspace: &Workspace) -> Result<()> {
    let features = CLIENTS.map(|client| format!("bench-{client}/measure")).join(",");
    compile(workspace, &["--profile", "release", "--features", &features])
}

fn compile(workspace: &Workspace, args: &[&str]) -> Result<()> {
    let build = workspace.command("cargo").args(["build", "--target=wasm32-unknown-unknown"]).args(IN_PAGES).args(args);
    build.env("CARGO_TARGET_DIR", workspace.target()?).run()
}

/// Leaves what a page imports, and the wasm beside it.
fn bind(workspace: &Workspace, profile: &str, client: &str, level: &str, to: &Path) -> Result<()> {
    let name = format!("bench_{}.wasm", client.replace('-', "_"));
    let compiled = workspace.target()?.join("wasm32-unknown-unknown").join(profile).join(name);
    let bind = workspace.command("wasm-bindgen").args(["--target", "web", "--no-typescript", "--out-name", client]);
    bind.args(["--out-dir".as_ref(), to.as_os_str(), compiled.as_os_str()]).run()?;
    let wasm = to.join(format!("{client}_bg.wasm"));
    let optimise = workspace.command("wasm-opt").args([level]).args(OPTIMISE);
    optimise.args([wasm.as_os_str(), "--output".as_ref(), wasm.as_os_str()]).run()
}

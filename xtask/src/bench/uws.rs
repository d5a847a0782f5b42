//! uWebSockets, by the C++ source in a crate with bindings to it, and without the bindings: these would take libclang.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::native::NATIVE;
use crate::workspace::Workspace;

const CRATE: &str = "libuwebsockets-sys";
const PROGRAM: &str = "bench-uws";

/// Without TLS and without compression, as all that are measured.
const FLAGS: [&str; 4] = ["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-DUWS_NO_ZLIB"];

/// Where it cannot be built, the others are measured without it.
pub(super) fn build_if_possible(workspace: &Workspace, to: &Path) {
    let program = to.join(PROGRAM);
    if let Err(error) = build(workspace, &program) {
        println!("uWebSockets is left out: {error:#}");
        // What an earlier run has left could be another version. If there is nothing, there is nothing to remove.
        drop(fs::remove_file(program));
    }
}

fn build(workspace: &Workspace, program: &Path) -> Result<()> {
    for compiler in ["gcc", "g++"] {
        ensure!(workspace.which(compiler).is_some(), "{compiler} is not installed");
    }
    let source = source(workspace)?;
    let sockets = source.join("uSockets/src");
    let includes = [&sockets, &source.join("src")].map(|folder| format!("-I{}", folder.display()));
    let objects = workspace.target()?.join("bench/uws");
    fs::create_dir_all(&objects)?;

    let mut files = files_in_c(&sockets)?;
    files.push(sockets.join("eventing/epoll_kqueue.c"));
    let c = workspace.command("gcc").folder(&objects).args(FLAGS).args(&includes).args(["-c"]);
    c.args(&files).run()?;

    let objects_of_c = files.iter().map(|file| file.with_extension("o"));
    let linked: Vec<_> = objects_of_c.filter_map(|object| object.file_name().map(OsString::from)).collect();
    let main = workspace.root().join("bench/native/uws/main.cpp");
    let cpp = workspace.command("g++").folder(&objects).args(FLAGS).args(["-std=c++20"]).args(&includes);
    cpp.args([main]).args(linked).args(["-o"]).args([program]).run()
}

/// Where cargo has put the source: it fetches the crate and does not build it.
fn source(workspace: &Workspace) -> Result<PathBuf> {
    let metadata = workspace.command("cargo").args(["metadata", "--format-version", "1"]).args(NATIVE).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let package = packages.iter().find(|package| package["name"] == CRATE);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    Ok(folder.with_context(|| format!("cargo has not fetched {CRATE}"))?.join("uWebSockets"))
}

fn files_in_c(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect())
}

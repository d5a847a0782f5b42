//! Compares the npm package, the Rust API and the companion server with their peers. `bench/` has the measurements; this module builds
//! what they measure. The peers are in workspaces of their own, so that the product does not get their dependencies.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::npm;
use crate::process::Scratch;
use crate::tools::{self, Need};
use crate::workspace::Workspace;

/// Options by which cargo works on the workspace of servers and load generators.
pub(crate) const NATIVE: [&str; 2] = ["--manifest-path", "bench/native/Cargo.toml"];

/// Options by which cargo works on the workspace of clients in pages.
pub(crate) const IN_PAGES: [&str; 2] = ["--manifest-path", "bench/wasm/Cargo.toml"];

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure [default: everything]
    #[arg(value_enum)]
    parts: Vec<Part>,

    /// How often to measure each; what is compared takes turns [default: 5, with --quick 3]
    #[arg(long)]
    runs: Option<u32>,

    /// Measure in a fraction of the time, and less exactly
    #[arg(long)]
    quick: bool,

    /// Of `client`, `server` and `session`: measure only these, such as `raw,eversocket` or `raw,everwire,axum`
    #[arg(long, value_name = "NAMES")]
    only: Option<String>,

    /// Of `server` and `session`: measure only this of each, such as `fanout` or `idle`, or several, with commas
    #[arg(long, value_name = "TASKS")]
    what: Option<String>,

    /// Of `client`, `outbox` and `server`: another checkout of this repository, such as one from before a change. It is built as well, from
    /// its own sources, and measured in turns with this one
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What a page downloads
    Size,
    /// The client's own cost, on a fake socket in the page
    Client,
    /// The whole, against a real server
    Echo,
    /// Memory over 10,000 reconnects
    Reconnects,
    /// The cost of queueing a message in EverSocket, by the number of messages in the queue
    Outbox,
    /// The cost of the companion server: fan-out, pipelined echo, idle connections
    Server,
    /// The cost of channels and sessions: fan-out, acknowledged publishes, resumes one by one and all at once, idle sessions
    Session,
}

impl Part {
    /// Whether it is measured in a browser.
    fn is_in_pages(self) -> bool {
        !matches!(self, Self::Server | Self::Session)
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    raise_open_files_limit()?;
    let parts = if options.parts.is_empty() { Part::value_variants() } else { &options.parts };
    let measures = |part| parts.contains(&part);
    let in_pages = parts.iter().any(|part| part.is_in_pages());
    tools::ensure_installed(workspace, if in_pages { &[Need::Bench] } else { &[Need::BenchServer] })?;
    let target = workspace.target()?;
    let built = target.join("bench");
    let release = target.join("release");
    let before = options.against.as_deref().map(|folder| other(workspace, folder)).transpose()?;

    let scratch = Scratch::new()?;
    let names = parts.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    let mut measure = scratch.contain(workspace.command("node")).args(["bench/main.js"]).args(names);
    if in_pages {
        npm::build(workspace)?;
    }
    if measures(Part::Size) {
        build_small_clients(workspace, &built.join("size"))?;
    }
    if measures(Part::Client) || measures(Part::Echo) {
        build_fast_clients(workspace, &built.join("measure"))?;
    }
    if measures(Part::Echo) || measures(Part::Server) {
        measure = measure.env("BENCH_SERVER", build_server(workspace)?);
    }
    if measures(Part::Server) {
        build_native(workspace, &[])?;
        build_uws_if_possible(workspace, &release);
    } else if measures(Part::Session) {
        build_native(workspace, &SESSION_PACKAGES)?;
    }
    if let Some(before) = &before {
        if measures(Part::Client) || measures(Part::Outbox) {
            // By its own recipe, which may differ from the one of this checkout.
            before.command("cargo").args(["xtask", "npm"]).run()?;
            build_own_client(before, &built.join("before"))?;
            measure = measure.env("BENCH_BEFORE", before.root());
        }
        if measures(Part::Server) {
            measure = measure.env("BENCH_SERVER_BEFORE", build_server(before)?);
        }
    }
    if let Some(runs) = options.runs {
        measure = measure.args([format!("--runs={runs}")]);
    }
    if options.quick {
        measure = measure.args(["--quick"]);
    }
    for (flag, value) in [("--only", &options.only), ("--what", &options.what)] {
        measure = measure.args(value.iter().map(|value| format!("{flag}={value}")));
    }
    measure.env("BENCH_BUILT", built).env("BENCH_NATIVE", release).run()
}

/// Raises the limit on open files of this process and of those that it starts. Some servers raise it themselves and some do not; all
/// that are compared are to have the same.
fn raise_open_files_limit() -> Result<()> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit on open files")?;
    }
    Ok(())
}

/// Another checkout, which is built with the tools of this one.
fn other(workspace: &Workspace, folder: &Path) -> Result<Workspace> {
    let root = folder.canonicalize().with_context(|| format!("there is no checkout at {}", folder.display()))?;
    Ok(workspace.with_root(root))
}

/// Returns the companion server's program.
fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    workspace.command("cargo").args(["build", "--release", "--package", "everwire-companion"]).run()?;
    Ok(workspace.target()?.join("release/everwire-companion"))
}

/// The packages that measure sessions.
const SESSION_PACKAGES: [&str; 2] = ["bench-session", "bench-load"];

/// Builds the servers and load generators, or only these packages of them, into the same folder as the product's.
fn build_native(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let build = workspace.command("cargo").args(["build", "--release"]).args(NATIVE);
    let build = build.args(packages.iter().flat_map(|package| ["--package", package]));
    build.env("CARGO_TARGET_DIR", workspace.target()?).run()
}

/// The crate has the C++ source. Its bindings are not used: they would need libclang.
const UWS_CRATE: &str = "libuwebsockets-sys";
const UWS_PROGRAM: &str = "bench-uws";

/// Without TLS and without compression, like all servers that are measured.
const UWS_FLAGS: [&str; 4] = ["-O3", "-flto=auto", "-DLIBUS_NO_SSL", "-DUWS_NO_ZLIB"];

/// uWebSockets is optional: it needs a compiler for C++.
fn build_uws_if_possible(workspace: &Workspace, to: &Path) {
    let program = to.join(UWS_PROGRAM);
    if let Err(error) = build_uws(workspace, &program) {
        println!("uWebSockets is left out: {error:#}");
        // The program of an earlier run may have another version. Removing it fails if there is none.
        drop(fs::remove_file(program));
    }
}

fn build_uws(workspace: &Workspace, program: &Path) -> Result<()> {
    for compiler in ["gcc", "g++"] {
        ensure!(workspace.which(compiler).is_some(), "{compiler} is not installed");
    }
    let source = uws_source(workspace)?;
    let sockets = source.join("uSockets/src");
    let includes = [&sockets, &source.join("src")].map(|folder| format!("-I{}", folder.display()));
    let objects = workspace.target()?.join("bench/uws");
    fs::create_dir_all(&objects)?;

    let mut files = c_files(&sockets)?;
    files.push(sockets.join("eventing/epoll_kqueue.c"));
    let c = workspace.command("gcc").folder(&objects).args(UWS_FLAGS).args(&includes).args(["-c"]);
    c.args(&files).run()?;

    let objects_of_c = files.iter().map(|file| file.with_extension("o"));
    let linked: Vec<_> = objects_of_c.filter_map(|object| object.file_name().map(OsString::from)).collect();
    let main = workspace.root().join("bench/native/uws/main.cpp");
    let cpp = workspace.command("g++").folder(&objects).args(UWS_FLAGS).args(["-std=c++20"]).args(&includes);
    cpp.args([main]).args(linked).args(["-o"]).args([program]).run()
}

/// The folder where cargo has put the source. It fetches the crate and does not build it.
fn uws_source(workspace: &Workspace) -> Result<PathBuf> {
    let metadata = workspace.command("cargo").args(["metadata", "--format-version", "1"]).args(NATIVE).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let package = packages.iter().find(|package| package["name"] == UWS_CRATE);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    Ok(folder.with_context(|| format!("cargo has not fetched {UWS_CRATE}"))?.join("uWebSockets"))
}

fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect())
}

/// Each is an echo client, whose size is measured, and with the feature `measure` a driver, whose speed is measured.
const CLIENTS: [&str; 3] = ["everwire", "gloo-net", "ws-stream-wasm"];
const OWN: &str = "everwire";
/// The lower bound for a client in Rust. Its speed is measured, not its size.
const FLOOR: &str = "web-sys";

/// Enables what rustc uses by default, and removes what no browser needs.
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

/// Echo clients, optimized for size.
fn build_small_clients(workspace: &Workspace, to: &Path) -> Result<()> {
    compile_clients(workspace, &["--profile", "wasm"])?;
    CLIENTS.iter().try_for_each(|client| bind(workspace, "wasm", client, "-Oz", to))
}

/// Clients with a driver, optimized for speed.
fn build_fast_clients(workspace: &Workspace, to: &Path) -> Result<()> {
    compile_fast_clients(workspace)?;
    let clients = CLIENTS.iter().chain([&FLOOR]);
    clients.into_iter().try_for_each(|client| bind(workspace, "release", client, "-O3", to))
}

/// Only the client of Everwire.
fn build_own_client(workspace: &Workspace, to: &Path) -> Result<()> {
    compile_fast_clients(workspace)?;
    bind(workspace, "release", OWN, "-O3", to)
}

/// Compiles all at once, so that cargo unifies the features of their dependencies.
fn compile_fast_clients(workspace: &Workspace) -> Result<()> {
    let features = CLIENTS.map(|client| format!("bench-{client}/measure")).join(",");
    compile_clients(workspace, &["--profile", "release", "--features", &features])
}

fn compile_clients(workspace: &Workspace, args: &[&str]) -> Result<()> {
    let build = workspace.command("cargo").args(["build", "--target=wasm32-unknown-unknown"]).args(IN_PAGES).args(args);
    build.env("CARGO_TARGET_DIR", workspace.target()?).run()
}

/// Writes the module that a page imports, and its wasm.
fn bind(workspace: &Workspace, profile: &str, client: &str, level: &str, to: &Path) -> Result<()> {
    let name = format!("bench_{}.wasm", client.replace('-', "_"));
    let compiled = workspace.target()?.join("wasm32-unknown-unknown").join(profile).join(name);
    let bind = workspace.command("wasm-bindgen").args(["--target", "web", "--no-typescript", "--out-name", client]);
    bind.args(["--out-dir".as_ref(), to.as_os_str(), compiled.as_os_str()]).run()?;
    let wasm = to.join(format!("{client}_bg.wasm"));
    let optimise = workspace.command("wasm-opt").args([level]).args(OPTIMISE);
    optimise.args([wasm.as_os_str(), "--output".as_ref(), wasm.as_os_str()]).run()
}

//! The demos: builds their pages and their server, serves them, and prints how long each phase took. Tests use the same pages and servers.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use crate::process::Child;
use crate::tools::{self, Need};
use crate::workspace::Workspace;

/// The default port of the companion server.
const PORT: u16 = 9001;

#[derive(Args)]
pub(crate) struct Options {
    /// The port to serve on [default: 9001, or a free one]
    #[arg(long)]
    port: Option<u16>,
    /// Optimize pages and server: takes minutes longer, loads and runs faster
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let build = if options.release { Build::Release } else { Build::Quick };
    let start = Instant::now();
    let (server, tools, pages) = thread::scope(|scope| {
        // The server needs no tools, so it compiles while they are installed.
        let server = scope.spawn(|| timed(|| build.server(workspace)));
        let tools = timed(|| tools::ensure_installed(workspace, &[Need::Demos]))?;
        let pages = timed(|| build.pages(workspace))?;
        let server = server.join().map_err(|_| anyhow!("the build of the server panicked"))??;
        anyhow::Ok((server, tools, pages))
    })?;
    let ((program, server), ((), tools), (pages, bundle)) = (server, tools, pages);
    let port = options.port.map_or_else(|| free_port(PORT), Ok)?;
    // One for each port: two demos may run at the same time.
    let journal = workspace.target()?.join(format!("demo-journal/{port}"));
    let running = Server::start(workspace, &program, port, &Purpose::Demos { pages: &pages, journal: &journal })?;
    println!(
        "\nBuilt in {}: set-up {}, then pages {}; server {} at the same time.",
        seconds(start.elapsed()),
        seconds(tools),
        seconds(bundle),
        seconds(server)
    );
    println!("The demos are at {}/ (Ctrl-C stops them)", running.address());
    running.wait()
}

fn timed<T>(phase: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    Ok((phase()?, start.elapsed()))
}

fn seconds(duration: Duration) -> String {
    format!("{:.0} s", duration.as_secs_f64())
}

/// What the pages are made from, below the root.
const SOURCES: [&str; 12] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/everwire",
    "crates/everwire-companion-api",
    "crates/everwire-core",
    "crates/everwire-yew",
    "demos",
    "index.html",
    "node_modules/.installed-lock.json",
    COMPRESS,
];

/// Writes compressed files next to those of a folder. Node.js has both compressions; brotli in Rust would take minutes in a debug
/// build like that of this program.
const COMPRESS: &str = "xtask/src/compress.mjs";

/// How the pages and their server are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// Compiled quickly, for a first look and for the tests.
    Quick,
    /// Optimized for size and speed, and compressed: what a visitor of a deployed demo gets.
    Release,
}

impl Build {
    /// Builds the pages and returns their folder. It is not the one that `trunk serve` writes to, so that both can run at once. Trunk
    /// would bind and optimize unchanged wasm again, hence the comparison of times.
    pub(crate) fn pages(self, workspace: &Workspace) -> Result<PathBuf> {
        let (folder, options, last_file): (_, &[&str], _) = match self {
            Self::Quick => ("demos", &["--cargo-profile", "demo"], "index.html"),
            // The name of the profile is in index.html. The build is complete only after the compression.
            Self::Release => ("demos-release", &["--release"], "index.html.br"),
        };
        let folder = workspace.target()?.join(folder);
        let last_file = folder.join(last_file);
        let started = SystemTime::now();
        if is_up_to_date(&last_file, SOURCES.map(|source| workspace.root().join(source))) {
            println!("The pages have not changed since they were built.");
            return Ok(folder);
        }
        let build = workspace.command("trunk").args(["build", "--skip-version-check"]).args(options);
        build.args(["--dist".as_ref(), folder.as_os_str()]).run()?;
        if self == Self::Release {
            compress(workspace, &folder)?;
        }
        // A source that changed during the build may have been read before.
        File::options().write(true).open(last_file)?.set_modified(started)?;
        Ok(folder)
    }

    /// Builds the companion server that serves the pages, and returns its program.
    pub(crate) fn server(self, workspace: &Workspace) -> Result<PathBuf> {
        let (profile, options): (_, &[&str]) = match self {
            // Compiling jemalloc, which is written in C, would take as long as a third of the server.
            Self::Quick => ("demo", &["--no-default-features"]),
            Self::Release => ("release", &[]),
        };
        let build = ["build", "--package", "everwire-companion", "--profile", profile];
        workspace.command("cargo").args(build).args(options).run()?;
        Ok(workspace.target()?.join(profile).join(format!("everwire-companion{}", std::env::consts::EXE_SUFFIX)))
    }
}

fn compress(workspace: &Workspace, folder: &Path) -> Result<()> {
    workspace.command("node").args([workspace.root().join(COMPRESS).as_path(), folder]).run()
}

fn is_up_to_date(product: &Path, sources: impl IntoIterator<Item = PathBuf>) -> bool {
    let built = fs::metadata(product).and_then(|product| product.modified());
    let changed = sources.into_iter().map(|source| last_change(&source));
    match (built, changed.reduce(|a, b| Ok(a?.max(b?)))) {
        (Ok(built), Some(Ok(changed))) => changed < built,
        _ => false,
    }
}

/// When a file, or anything below a folder, was last changed. A folder itself changes when a file in it appears or disappears.
fn last_change(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    let mut last = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            last = last.max(last_change(&entry?.path())?);
        }
    }
    Ok(last)
}

/// A running companion server. Dropping it ends the process; the worker of a supervisor ends with that.
pub(crate) struct Server {
    child: Child,
    address: String,
}

/// What a server is for.
pub(crate) enum Purpose<'a> {
    /// It serves the demos and keeps their messages. On Unix, a supervisor replaces it when a visitor kills it.
    Demos { pages: &'a Path, journal: &'a Path },
    /// Tests connect to it. It logs to a file.
    Tests { log: &'a Path },
}

impl Server {
    /// Starts the server with its faults and its monitor on, and waits until it listens.
    pub(crate) fn start(workspace: &Workspace, program: &Path, port: u16, purpose: &Purpose<'_>) -> Result<Self> {
        let listen = format!("127.0.0.1:{port}");
        let program = program.to_string_lossy();
        // It listens on this machine only, so its monitor is not public. No client reconnects after it stops, so it need not drain.
        let args = ["--listen", &listen, "--faults", "--monitor", "--drain", "0"];
        let mut command = workspace.command(&program).args(args);
        match purpose {
            Purpose::Demos { pages, journal } => {
                command = command.args(["--dist".as_ref(), pages.as_os_str()]);
                command = command.args(["--journal".as_ref(), journal.as_os_str()]);
                if cfg!(unix) {
                    command = command.args(["--supervise"]);
                }
            }
            Purpose::Tests { log } => {
                log.parent().map(fs::create_dir_all).transpose()?;
                command = command.stderr(File::create(log)?);
            }
        }
        let mut child = command.spawn()?;
        let stdout = child.stdout().context("the server's stdout is not piped")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            bail!("the companion server did not start on {listen}: it printed {line:?}");
        };
        let address = address.to_owned();
        // The server would block on a full pipe.
        thread::spawn(move || io::copy(&mut stdout.by_ref(), &mut io::sink()));
        Ok(Self { child, address })
    }

    /// Its address, `http://…`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The address of its WebSocket endpoints, `ws://…`.
    pub(crate) fn web_socket_address(&self) -> String {
        self.address.replacen("http", "ws", 1)
    }

    /// Waits until the server ends by itself.
    pub(crate) fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the companion server ended ({status})");
        }
        Ok(())
    }
}

/// The preferred port if it is free, otherwise another one. A port that stays the same from run to run keeps what was compiled with it.
pub(crate) fn free_port(preferred: u16) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", preferred))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::{compress, is_up_to_date};
    use crate::workspace::Workspace;

    #[test]
    fn a_file_that_becomes_smaller_by_compression_has_both_forms_next_to_it() {
        let workspace = Workspace::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let large = "A module of a page. ".repeat(1_000);
        fs::create_dir(folder.join("below")).unwrap();
        for (name, content) in
            [("below/page-0123.js", large.as_bytes()), ("small.css", b"a{}"), ("image.png", large.as_bytes())]
        {
            fs::write(folder.join(name), content).unwrap();
        }
        compress(&workspace, folder).unwrap();

        let program = "const z = require('node:zlib'), f = require('node:fs'), [, br, gz] = process.argv;
            const [a, b] = [z.brotliDecompressSync(f.readFileSync(br)), z.gunzipSync(f.readFileSync(gz))];
            process.stdout.write(a.equals(b) ? a : 'they differ');";
        let forms = ["br", "gz"].map(|kind| folder.join(format!("below/page-0123.js.{kind}")));
        let decoded = workspace.command("node").args(["-e", program]).args(forms).output().unwrap();
        assert!(decoded == large);
        for name in ["small.css", "image.png"] {
            assert!(["br", "gz"].iter().all(|kind| !folder.join(format!("{name}.{kind}")).exists()), "{name}");
        }
        assert_eq!(fs::read_to_string(folder.join("below/page-0123.js")).unwrap(), large);
    }

    #[test]
    fn a_product_is_old_if_a_source_below_a_folder_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (product, source) = (folder.join("product"), folder.join("sources/one"));
        fs::create_dir_all(folder.join("sources")).unwrap();
        fs::write(&source, "").unwrap();
        let sources = || [folder.join("sources")];
        assert!(!is_up_to_date(&product, sources()), "there is no product yet");

        let later = SystemTime::now() + Duration::from_secs(10);
        File::create(&product).unwrap().set_modified(later).unwrap();
        assert!(is_up_to_date(&product, sources()));

        let latest = later + Duration::from_secs(10);
        File::create(&source).unwrap().set_modified(latest).unwrap();
        assert!(!is_up_to_date(&product, sources()));
        assert!(!is_up_to_date(&product, [folder.join("missing")]));
    }
}

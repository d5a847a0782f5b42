//! Builds the demos and serves them, and prints how long each phase took.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;

use crate::pages::Build;
use crate::server::{self, Purpose, Server};
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
    let port = options.port.map_or_else(|| server::free_port(PORT), Ok)?;
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

//! Builds the demos and serves them.

use anyhow::Result;
use clap::Args;

use crate::dist;
use crate::server::{self, Purpose, Server};
use crate::setup;
use crate::tools::Need;
use crate::workspace::Workspace;

/// Where the companion server listens by default.
const PORT: u16 = 9001;

#[derive(Args)]
pub(crate) struct Options {
    /// The port to serve on [default: 9001, or one that is free]
    #[arg(long)]
    port: Option<u16>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::ensure(workspace, &[Need::Demos])?;
    let dist = dist::build(workspace)?;
    let build = ["build", "--release", "--package", "everwire-companion"];
    workspace.command("cargo").args(build).run()?;
    let program = workspace.target()?.join("release/everwire-companion");
    let port = options.port.map_or_else(|| server::free_port(PORT), Ok)?;
    // One for each port: two demos may run at the same time.
    let journal = workspace.target()?.join(format!("demo-journal/{port}"));
    let server = Server::start(workspace, &program, port, &Purpose::Demos { dist: &dist, journal: &journal })?;
    println!("\nThe demos are at {}/ (Ctrl-C stops them)", server.address());
    server.wait()
}

//! Runs clients against the stand-alone server while connections and the server break.

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How long there are faults
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// How many clients there are
    #[arg(long, default_value_t = 200)]
    clients: u32,
    /// The seed of an earlier run, to have its faults again [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let server = ["build", "--release", "--package", "everwire-server", "--features", "standalone"];
    workspace.command("cargo").args(server).args(["--bin", "everwire-server"]).run()?;
    let program = workspace.target()?.join(format!("release/everwire-server{}", std::env::consts::EXE_SUFFIX));
    let Options { seconds, clients, seed } = options;
    let chaos = ["run", "--release", "--package", "everwire-chaos", "--", "--server"];
    let chaos = workspace.command("cargo").args(chaos).args([program.as_os_str()]);
    let flags = ["--seconds".to_owned(), seconds.to_string(), "--clients".to_owned(), clients.to_string()];
    let seed = seed.map(|seed| ["--seed".to_owned(), seed.to_string()]);
    chaos.args(flags).args(seed.into_iter().flatten()).run()
}

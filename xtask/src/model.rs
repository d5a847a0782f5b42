//! Explores the states of a session.

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// The least number of states to visit in each scenario, if it has so many [default: 1000000]
    #[arg(long)]
    states: Option<usize>,
    /// The most events in a row [default: no limit]
    #[arg(long)]
    depth: Option<usize>,
    /// How many faults happen together at most [default: one to three, by scenario]
    #[arg(long)]
    faults: Option<u8>,
    /// Only this scenario [default: all]
    #[arg(long)]
    scenario: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Options { states, depth, faults, scenario } = options;
    let flags = [
        states.map(|states| ["--states".to_owned(), states.to_string()]),
        depth.map(|depth| ["--depth".to_owned(), depth.to_string()]),
        faults.map(|faults| ["--faults".to_owned(), faults.to_string()]),
        scenario.clone().map(|scenario| ["--scenario".to_owned(), scenario]),
    ];
    // The build that the tests use as well, which is optimized where it counts.
    let model = ["run", "--quiet", "--package", "everwire-model", "--"];
    workspace.command("cargo").args(model).args(flags.into_iter().flatten().flatten()).run()
}

//! Runs clients against a server while connections and the server break, and reports lost and repeated messages.

use std::process::ExitCode;

use clap::Parser;
use everwire_chaos::{Options, Run};

/// Break connections and the server at random, and check that every client gets every message once and in order. Fails otherwise.
#[derive(Parser)]
#[command(name = "everwire-chaos", max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let run = Run::start(Cli::parse().options).await?;
    println!("seed={}", run.seed());
    let report = run.finish().await?;
    print!("{report}");
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

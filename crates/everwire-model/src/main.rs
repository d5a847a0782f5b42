//! `everwire-model`: explores the scenarios and prints the results.

use std::process::ExitCode;

use clap::Parser;
use everwire_model::{Report, Scenario, explore};

/// Tries every order of events with both sides of a session
#[derive(Parser)]
struct Options {
    /// The least number of states to visit in each scenario that has so many
    #[arg(long, default_value_t = 1_000_000)]
    states: usize,
    /// The most events in a row
    #[arg(long)]
    depth: Option<usize>,
    /// The most faults that happen together [default: one to three, by scenario]
    #[arg(long)]
    faults: Option<u8>,
    /// Only this scenario [default: all]
    #[arg(long)]
    scenario: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut exit = ExitCode::SUCCESS;
    let is_wanted = |scenario: &Scenario| options.scenario.as_deref().is_none_or(|name| name == scenario.name);
    for scenario in Scenario::ALL.into_iter().filter(is_wanted) {
        let scenario = Scenario { faults: options.faults.unwrap_or(scenario.faults), ..scenario };
        let report = explore(scenario, None, options.states, options.depth);
        let Report { states, transitions, depth, is_complete, elapsed, violation } = report;
        println!("scenario={}", scenario.name);
        println!("states={states}");
        println!("transitions={transitions}");
        println!("depth={depth}");
        println!("complete={is_complete}");
        println!("seconds={:.1}", elapsed.as_secs_f64());
        match violation {
            None => println!("violation=none"),
            Some((violation, path)) => {
                println!("violation={violation:?}");
                path.iter().for_each(|event| println!("after={event:?}"));
                exit = ExitCode::FAILURE;
            }
        }
    }
    exit
}

//! An experiment's part of the document: what was done, a table, charts, and the command lines.

use std::fmt::Write;

use everwire_load::Summary;

use super::results::Results;
use super::{charts, table};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::text::{count, time};

/// In the order of the document. What was not measured is left out.
pub(super) fn all(results: &Results, folder: &str) -> Vec<String> {
    let order = [
        Experiment::Most,
        Experiment::Workers,
        Experiment::PingPeriod,
        Experiment::Connections,
        Experiment::MessageSize,
    ];
    order.into_iter().filter_map(|experiment| one(results, experiment, folder)).collect()
}

fn one(results: &Results, experiment: Experiment, folder: &str) -> Option<String> {
    let steps = results.steps(experiment);
    let first = steps.iter().find_map(|step| {
        Contender::ALL.iter().find_map(|contender| results.outcome(experiment, step.number, contender))
    })?;
    let mut text = format!("## {}\n\n{}\n\n", title(experiment), what(experiment, &first.summary));
    text.push_str(&match experiment {
        Experiment::Workers | Experiment::Most => table::in_full(results, experiment),
        Experiment::PingPeriod => table::by_step(results, experiment, "one message every"),
        Experiment::Connections => table::by_step(results, experiment, "connections"),
        Experiment::MessageSize => table::by_step(results, experiment, "message"),
    });
    text.push_str("\n\n");
    for (name, chart) in charts::of_experiment(results, experiment) {
        let _ = writeln!(text, "![{}: {}]({folder}/{name})\n", chart.title, chart.subtitle);
    }
    text.push_str(&commands(results, experiment));
    Some(text)
}

fn title(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Workers => "One worker process or two",
        Experiment::PingPeriod => "The influence of the ping period",
        Experiment::Connections => "The influence of the number of connections",
        Experiment::MessageSize => "The influence of the size of messages",
        Experiment::Most => "The greatest number of connections",
    }
}

fn what(experiment: Experiment, summary: &Summary) -> String {
    let setting = &summary.setting;
    let connections = format!("{} connections", count(setting.connections.into()));
    let every = format!("a message every {}", time(&setting.ping_period));
    let payload = format!("{} bytes", setting.payload_bytes);
    let seconds = format!("{:.0} s", summary.load_s);
    let cells =
        "A cell shows the server's processor time in per cent of a core, and the 99th percentile of the round trip";
    match experiment {
        Experiment::Workers => format!("{connections}, each with {every} of {payload}, for {seconds}."),
        Experiment::PingPeriod => format!("{connections}, each with messages of {payload}, for {seconds}. {cells}."),
        Experiment::Connections => {
            format!(
                "Each connection sends {every} of {payload}, for {seconds}. {cells}, then the memory that each connection took."
            )
        }
        Experiment::MessageSize => format!("{connections}, each with {every}, for {seconds}. {cells}."),
        Experiment::Most => {
            format!(
                "{connections}, each with {every} of {payload}, for {seconds}. A server has as many processes as the limit on open files makes necessary."
            )
        }
    }
}

/// The command line of every run.
fn commands(results: &Results, experiment: Experiment) -> String {
    let mut lines = Vec::new();
    for step in results.steps(experiment) {
        for contender in &Contender::ALL {
            let Some(told) = results.told(experiment, step.number, contender) else { continue };
            if !told.head.load_command.is_empty() {
                let commands = format!("{}\n{}", told.head.server_command, told.head.load_command);
                lines.push(commands.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"));
            }
        }
    }
    format!("<details><summary>Command lines</summary>\n\n{}\n\n</details>", lines.join("\n\n"))
}

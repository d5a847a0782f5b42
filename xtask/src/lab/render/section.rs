//! An experiment's part of the document: what was done, tables, charts, and the command lines.

use std::fmt::Write;

use super::results::Results;
use super::runs::Runs;
use super::{charts, commands, table};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::machine::Machine;
use crate::lab::text::{count, time};

/// Nothing where every server was left out. The machine is that of the document.
pub(super) fn of(results: &Results, experiment: Experiment, machine: &Machine, folder: &str) -> Option<String> {
    let mut text = format!("## {}\n\n{}\n\n", title(experiment), what(results, experiment)?);
    let its = results.machines().find(|(its, _)| *its == experiment).map(|(_, machine)| machine);
    if let Some(remark) = its.and_then(|its| its.difference_from(machine)) {
        let _ = writeln!(text, "> Unlike what was measured last, this was measured {remark}.\n");
    }
    let heading = match experiment {
        Experiment::Most | Experiment::Workers => None,
        Experiment::PingPeriod => Some("one message every"),
        Experiment::Connections => Some("connections"),
        Experiment::MessageSize => Some("message"),
    };
    match heading {
        None => text.push_str(&table::in_full(results, experiment)),
        Some(heading) => text.push_str(&by_step(results, experiment, heading)),
    }
    text.push_str("\n\n");
    for (name, chart) in charts::of(results, experiment) {
        let _ = writeln!(text, "![{}: {}]({folder}/{name})\n", chart.title, chart.subtitle);
    }
    text.push_str(&commands::of(results, experiment));
    Some(text)
}

pub(super) fn title(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Most => "The greatest number of connections",
        Experiment::Workers => "One worker process or two",
        Experiment::PingPeriod => "The influence of the ping period",
        Experiment::Connections => "The influence of the number of connections",
        Experiment::MessageSize => "The influence of the size of messages",
    }
}

fn what(results: &Results, experiment: Experiment) -> Option<String> {
    let steps = results.steps(experiment);
    let all = steps.iter().flat_map(|step| Contender::ALL.map(|contender| results.runs(experiment, step, &contender)));
    let all: Vec<Runs<'_>> = all.collect();
    let summary = all.iter().find_map(|runs| runs.summaries().next())?;
    let setting = &summary.setting;
    let connections = format!("{} connections", count(setting.connections.into()));
    let every = format!("a message every {}", time(&setting.ping_period));
    let payload = format!("{} bytes", setting.payload_bytes);
    let seconds = format!("for {:.0} s after {:.0} s that do not count", summary.load_s, setting.warm_up_s);
    let how_often = match all.iter().map(|runs| runs.summaries().count()).max() {
        None | Some(0 | 1) => "One run.".to_owned(),
        Some(times) => format!("Medians of {times} runs, the least and the most in brackets."),
    };
    let what = match experiment {
        Experiment::Most => format!(
            "{connections}, each with {every} of {payload}, {seconds}. A server has as many processes as the limit on open files \
             makes necessary."
        ),
        Experiment::Workers => format!(
            "{connections}, each with {every} of {payload}, {seconds}. Each worker process has one thread for its connections, \
             also Everwire's."
        ),
        Experiment::PingPeriod => format!("{connections}, each with messages of {payload}, {seconds}."),
        Experiment::Connections => format!("Each connection sends {every} of {payload}, {seconds}."),
        Experiment::MessageSize => format!("{connections}, each with {every}, {seconds}."),
    };
    Some(format!("{what} {how_often}"))
}

fn by_step(results: &Results, experiment: Experiment, heading: &str) -> String {
    let mut text = format!(
        "Processor time of the server, in per cent of a core:\n\n{}\n\n\
         Round trip in ms, p50 / p99, and by how much the load generator itself was late:\n\n{}",
        table::cpu(results, experiment, heading),
        table::round_trips(results, experiment, heading)
    );
    if experiment == Experiment::Connections {
        let table = table::memory(results, experiment, heading);
        let _ = write!(text, "\n\nMemory of all the server's processes, at its most:\n\n{table}");
    }
    text
}

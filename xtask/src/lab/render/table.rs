//! Tables in Markdown.

use everwire_load::Summary;

use super::results::{Results, Step, is_flawless, memory_each};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::text::{count, kilobytes, mebibytes, millis, percent};
use crate::lab::trial::Told;

/// A line for each step, a column for each server.
pub(super) fn by_step(results: &Results, experiment: Experiment, heading: &str) -> String {
    let cell = |step: &Step, contender: &Contender| match results.told(experiment, step.number, contender) {
        Some(Told { outcome: Ok(outcome), .. }) => short(&outcome.summary, experiment),
        Some(Told { outcome: Err(reason), .. }) => format!("left out: {reason}"),
        None => "–".to_owned(),
    };
    let heads = std::iter::once(heading.to_owned()).chain(Contender::ALL.map(|contender| contender.name.to_owned()));
    let steps = results.steps(experiment);
    let rows = steps.iter().map(|step| {
        let cells = Contender::ALL.iter().map(|contender| cell(step, contender));
        std::iter::once(step.label.clone()).chain(cells).collect()
    });
    markdown(heads.collect(), rows)
}

/// A line for each server at each step, with everything that was measured.
pub(super) fn in_full(results: &Results, experiment: Experiment) -> String {
    let heads =
        ["server", "processes", "open", "answered a second", "lost", "p50", "p99", "max", "CPU", "memory", "each"];
    let steps = results.steps(experiment);
    let rows = Contender::ALL.iter().flat_map(|contender| {
        let told = steps.iter().filter_map(|step| results.told(experiment, step.number, contender));
        told.map(|told| full(told, contender)).collect::<Vec<_>>()
    });
    markdown(heads.map(str::to_owned).to_vec(), rows)
}

fn full(told: &Told, contender: &Contender) -> Vec<String> {
    let mut row = vec![contender.name.to_owned(), told.head.workers.to_string()];
    let summary = match &told.outcome {
        Ok(outcome) => &outcome.summary,
        Err(reason) => {
            row.push(format!("left out: {reason}"));
            row.resize(11, String::new());
            return row;
        }
    };
    let time = |pick: fn(&everwire_load::Percentiles) -> f64| {
        summary.round_trips.round_trip.as_ref().map_or("–".to_owned(), |times| millis(pick(times)))
    };
    let server = summary.server.as_ref();
    row.extend([
        count(summary.opening.opened),
        count(summary.messages_per_second.round() as u64),
        count(summary.round_trips.lost),
        time(|times| times.p50_ms),
        time(|times| times.p99_ms),
        time(|times| times.max_ms),
        server.map_or("–".to_owned(), |server| percent(server.cpu_percent)),
        server.map_or("–".to_owned(), |server| mebibytes(server.memory_max_bytes)),
        memory_each(summary).map_or("–".to_owned(), kilobytes),
    ]);
    row
}

fn short(summary: &Summary, experiment: Experiment) -> String {
    let mut parts = Vec::new();
    if let Some(server) = &summary.server {
        parts.push(percent(server.cpu_percent));
    }
    if let Some(times) = &summary.round_trips.round_trip {
        parts.push(millis(times.p99_ms));
    }
    if experiment == Experiment::Connections {
        parts.extend(memory_each(summary).map(kilobytes));
    }
    let missing = u64::from(summary.setting.connections).saturating_sub(summary.opening.opened);
    if missing > 0 {
        parts.push(format!("**{} not open**", count(missing)));
    }
    if !is_flawless(summary) {
        parts.push(format!("**{} lost**", count(summary.round_trips.lost)));
    }
    parts.join(", ")
}

fn markdown(heads: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let rule = format!("|---|{}", "---:|".repeat(heads.len().saturating_sub(1)));
    let rows = rows.map(|row| line(&row));
    [line(&heads), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

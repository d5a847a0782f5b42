//! Tables in Markdown.

use super::results::{self, MeasuredStep, Metric, Results, Runs, Statistics, lost};
use crate::experiment::Experiment;
use crate::server::Implementation;
use crate::text::{Digits, count, mebibytes, milliseconds, percent};

/// A cell without a figure.
const NONE: &str = "–";

/// CPU time: a row for each step, a column for each server.
pub(super) fn cpu(results: &Results, experiment: Experiment, heading: &str) -> String {
    by_step(results, experiment, heading, |runs| Some(runs.statistics(results::cpu)?.text(percent, " %"))).markdown()
}

/// Memory, likewise.
pub(super) fn memory(results: &Results, experiment: Experiment, heading: &str) -> String {
    by_step(results, experiment, heading, |runs| Some(runs.statistics(results::memory)?.text(mebibytes, " MiB")))
        .markdown()
}

/// Round trips, likewise. The last column is the load generator's, over all servers.
pub(super) fn round_trips(results: &Results, experiment: Experiment, heading: &str) -> String {
    let mut table = by_step(results, experiment, heading, |runs| {
        let p50 = milliseconds(runs.statistics(results::p50)?.median);
        Some(format!("{p50} / {}", runs.statistics(results::p99)?.text(milliseconds, "")))
    });
    table.headers.push("sent late by, p99".to_owned());
    for (row, step) in table.rows.iter_mut().zip(results.steps(experiment)) {
        let all = Implementation::ALL.iter().filter_map(|implementation| {
            let runs = results.runs(experiment, &step, implementation);
            Some(runs.statistics(results::late)?.median)
        });
        row.push(Statistics::of(all).map_or(NONE.to_owned(), |late| late.range(milliseconds)));
    }
    table.markdown()
}

fn by_step(
    results: &Results,
    experiment: Experiment,
    heading: &str,
    cell_text: impl Fn(&Runs<'_>) -> Option<String>,
) -> Table {
    let cell = |step: &MeasuredStep, implementation: &Implementation| {
        let runs = results.runs(experiment, step, implementation);
        let problems = runs.problems().into_iter().map(|problem| format!("**{problem}**"));
        let parts: Vec<String> = cell_text(&runs).into_iter().chain(problems).collect();
        if parts.is_empty() { NONE.to_owned() } else { parts.join(", ") }
    };
    let names = Implementation::ALL.map(|implementation| implementation.name.to_owned());
    let rows = results.steps(experiment).into_iter().map(|step| {
        let cells = Implementation::ALL.iter().map(|implementation| cell(&step, implementation));
        std::iter::once(step.label.clone()).chain(cells).collect()
    });
    Table { headers: std::iter::once(heading.to_owned()).chain(names).collect(), rows: rows.collect() }
}

/// Every metric: a row for each server at each step.
pub(super) fn in_full(results: &Results, experiment: Experiment) -> String {
    let headers = [
        "server",
        "processes",
        "open",
        "answered per second",
        "lost",
        "p50, ms",
        "p99, ms",
        "max, ms",
        "sent late by, p99, ms",
        "CPU",
        "memory",
    ];
    let steps = results.steps(experiment);
    let rows = Implementation::ALL.iter().flat_map(|implementation| {
        let runs = steps.iter().map(|step| results.runs(experiment, step, implementation));
        runs.filter(|runs| runs.info().is_some()).map(|runs| full_row(&runs, implementation)).collect::<Vec<_>>()
    });
    Table { headers: headers.map(str::to_owned).to_vec(), rows: rows.collect() }.markdown()
}

fn full_row(runs: &Runs<'_>, implementation: &Implementation) -> Vec<String> {
    let text = |metric: Metric, digits: Digits, unit: &str| {
        runs.statistics(metric).map_or(NONE.to_owned(), |statistics| statistics.text(digits, unit))
    };
    let median = |metric: Metric, digits: Digits| {
        runs.statistics(metric).map_or(NONE.to_owned(), |statistics| digits(statistics.median))
    };
    let whole = |number: f64| count(number.round() as u64);
    let open = |summary: &everwire_load::Summary| Some(summary.opening.opened as f64);
    let mut row = vec![
        implementation.name.to_owned(),
        processes(runs),
        median(open, whole),
        median(results::rate, whole),
        count(runs.total(lost)),
        median(results::p50, milliseconds),
        text(results::p99, milliseconds, ""),
        median(results::longest, milliseconds),
        median(results::late, milliseconds),
        text(results::cpu, percent, " %"),
        median(results::memory, mebibytes) + " MiB",
    ];
    let problems = runs.problems();
    if runs.summaries().next().is_none() {
        row[2..].fill(String::new());
        row[2] = problems.join(", ");
    } else if !problems.is_empty() {
        row[2] += &format!(", **{}**", problems.join(", "));
    }
    row
}

/// The processes that serve, and those that only hand out connections: `2 + 1`.
fn processes(runs: &Runs<'_>) -> String {
    let workers = runs.info().map_or(0, |info| info.processes.workers as usize);
    let all = runs.summaries().filter_map(|summary| Some(summary.server.as_ref()?.processes)).max();
    match all.map_or(0, |all| all.saturating_sub(workers)) {
        0 => workers.to_string(),
        others => format!("{workers} + {others}"),
    }
}

struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn markdown(self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |", cells.join(" | "));
        let rule = format!("|---|{}", "---:|".repeat(self.headers.len().saturating_sub(1)));
        let rows = self.rows.iter().map(line);
        [line(&self.headers), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::fixture::{run, stored};
    use crate::trial::TrialResult;

    const EXPERIMENT: Experiment = Experiment::PingPeriod;

    #[test]
    fn a_cell_is_the_median_of_the_runs_with_the_minimum_and_the_maximum() {
        let trials = [(40.0, 4.0), (20.0, 2.0), (30.0, 9.0)];
        let trials = (0..).zip(trials).map(|(number, (cpu, p99))| run(0, number, 1.0, cpu, p99)).collect();
        let results = Results::of(vec![stored(EXPERIMENT, trials)]);
        assert!(cpu(&results, EXPERIMENT, "every").contains("| 1 | 30 % (20–40) | – | – | – |"));
        let table = round_trips(&results, EXPERIMENT, "every");
        assert!(table.contains("| 1 | 0.40 / 4.00 (2.00–9.00) | – | – | – | 1.50 |"), "{table}");
        let table = in_full(&results, EXPERIMENT);
        let row = "| Everwire | 2 + 1 | 25,000 | 10,000 | 0 | 0.40 | 4.00 (2.00–9.00) | 12.0 | 1.50 | 30 % (20–40) | 100 MiB |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn what_was_lost_in_any_run_is_shown_with_what_it_was() {
        let mut trials = vec![run(0, 0, 1.0, 20.0, 2.0), run(0, 1, 1.0, 20.0, 2.0)];
        let summary = &mut trials[1].outcome.as_mut().unwrap().summary;
        (summary.round_trips.lost, summary.disconnects, summary.opening.opened) = (7, 2, 24_999);
        let table = cpu(&Results::of(vec![stored(EXPERIMENT, trials)]), EXPERIMENT, "every");
        assert!(table.contains("| 20 %, **1 not open**, **7 messages lost**, **2 connections lost** |"), "{table}");
    }

    #[test]
    fn a_reason_stays_in_its_cell_and_does_not_hide_the_other_runs() {
        let failed = |number| TrialResult { outcome: Err("a | b\n<c>".into()), ..run(0, number, 1.0, 0.0, 0.0) };
        let table = |trials| in_full(&Results::of(vec![stored(EXPERIMENT, trials)]), EXPERIMENT);
        let none = table(vec![failed(0)]);
        assert!(none.contains(r"| Everwire | 2 | left out: a \| b \<c\> |  |"), "{none}");
        let some = cpu(
            &Results::of(vec![stored(EXPERIMENT, vec![failed(0), run(0, 1, 1.0, 20.0, 2.0)])]),
            EXPERIMENT,
            "every",
        );
        assert!(some.contains(r"| 20 %, **1 of 2 runs left out: a \| b \<c\>** |"), "{some}");
    }
}

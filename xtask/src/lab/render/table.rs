//! Tables in Markdown.

use super::figure::{self, Figure};
use super::results::{Results, Step};
use super::runs::{Runs, lost};
use super::spread::Spread;
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::text::{Digits, count, mebibytes, milliseconds, percent};

/// What is shown where nothing is known.
const NOTHING: &str = "–";

/// A line for each step, a column for each server: the processor time.
pub(super) fn cpu(results: &Results, experiment: Experiment, heading: &str) -> String {
    by_step(results, experiment, heading, |runs| Some(runs.spread(figure::cpu)?.text(percent, " %"))).markdown()
}

/// The same for memory.
pub(super) fn memory(results: &Results, experiment: Experiment, heading: &str) -> String {
    by_step(results, experiment, heading, |runs| Some(runs.spread(figure::memory)?.text(mebibytes, " MiB"))).markdown()
}

/// The same for the round trips. The last column is the load generator's, over all servers.
pub(super) fn round_trips(results: &Results, experiment: Experiment, heading: &str) -> String {
    let mut table = by_step(results, experiment, heading, |runs| {
        let p50 = milliseconds(runs.spread(figure::p50)?.median);
        Some(format!("{p50} / {}", runs.spread(figure::p99)?.text(milliseconds, "")))
    });
    table.heads.push("sent late by, p99".to_owned());
    for (row, step) in table.rows.iter_mut().zip(results.steps(experiment)) {
        let all = Contender::ALL.iter().filter_map(|contender| {
            let runs = results.runs(experiment, &step, contender);
            Some(runs.spread(figure::late)?.median)
        });
        row.push(Spread::of(all).map_or(NOTHING.to_owned(), |late| late.range(milliseconds)));
    }
    table.markdown()
}

fn by_step(
    results: &Results,
    experiment: Experiment,
    heading: &str,
    figures: impl Fn(&Runs<'_>) -> Option<String>,
) -> Table {
    let cell = |step: &Step, contender: &Contender| {
        let runs = results.runs(experiment, step, contender);
        let troubles = runs.troubles().into_iter().map(|trouble| format!("**{trouble}**"));
        let parts: Vec<String> = figures(&runs).into_iter().chain(troubles).collect();
        if parts.is_empty() { NOTHING.to_owned() } else { parts.join(", ") }
    };
    let names = Contender::ALL.map(|contender| contender.name.to_owned());
    let rows = results.steps(experiment).into_iter().map(|step| {
        let cells = Contender::ALL.iter().map(|contender| cell(&step, contender));
        std::iter::once(step.label.clone()).chain(cells).collect()
    });
    Table { heads: std::iter::once(heading.to_owned()).chain(names).collect(), rows: rows.collect() }
}

/// A line for each server at each step, with everything that was measured.
pub(super) fn in_full(results: &Results, experiment: Experiment) -> String {
    let heads = [
        "server",
        "processes",
        "open",
        "answered a second",
        "lost",
        "p50, ms",
        "p99, ms",
        "max, ms",
        "sent late by, p99, ms",
        "CPU",
        "memory",
    ];
    let steps = results.steps(experiment);
    let rows = Contender::ALL.iter().flat_map(|contender| {
        let runs = steps.iter().map(|step| results.runs(experiment, step, contender));
        runs.filter(|runs| runs.head().is_some()).map(|runs| full(&runs, contender)).collect::<Vec<_>>()
    });
    Table { heads: heads.map(str::to_owned).to_vec(), rows: rows.collect() }.markdown()
}

fn full(runs: &Runs<'_>, contender: &Contender) -> Vec<String> {
    let text = |figure: Figure, digits: Digits, unit: &str| {
        runs.spread(figure).map_or(NOTHING.to_owned(), |spread| spread.text(digits, unit))
    };
    let median =
        |figure: Figure, digits: Digits| runs.spread(figure).map_or(NOTHING.to_owned(), |spread| digits(spread.median));
    let whole = |number: f64| count(number.round() as u64);
    let open = |summary: &everwire_load::Summary| Some(summary.opening.opened as f64);
    let mut row = vec![
        contender.name.to_owned(),
        processes(runs),
        median(open, whole),
        median(figure::rate, whole),
        count(runs.total(lost)),
        median(figure::p50, milliseconds),
        text(figure::p99, milliseconds, ""),
        median(figure::longest, milliseconds),
        median(figure::late, milliseconds),
        text(figure::cpu, percent, " %"),
        median(figure::memory, mebibytes) + " MiB",
    ];
    let troubles = runs.troubles();
    if runs.summaries().next().is_none() {
        row[2..].fill(String::new());
        row[2] = troubles.join(", ");
    } else if !troubles.is_empty() {
        row[2] += &format!(", **{}**", troubles.join(", "));
    }
    row
}

/// Those that serve, and those that only hand out connections: `2 + 1`.
fn processes(runs: &Runs<'_>) -> String {
    let workers = runs.head().map_or(0, |head| head.shape.workers as usize);
    let all = runs.summaries().filter_map(|summary| Some(summary.server.as_ref()?.processes)).max();
    match all.map_or(0, |all| all.saturating_sub(workers)) {
        0 => workers.to_string(),
        others => format!("{workers} + {others}"),
    }
}

struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn markdown(self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |", cells.join(" | "));
        let rule = format!("|---|{}", "---:|".repeat(self.heads.len().saturating_sub(1)));
        let rows = self.rows.iter().map(line);
        [line(&self.heads), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render::fixture::{measured, run};

    const EXPERIMENT: Experiment = Experiment::PingPeriod;

    #[test]
    fn a_cell_is_the_median_of_the_runs_with_the_least_and_the_most() {
        let told = [(40.0, 4.0), (20.0, 2.0), (30.0, 9.0)];
        let told = (0..).zip(told).map(|(number, (cpu, p99))| run(0, number, 1.0, cpu, p99)).collect();
        let results = Results::of(vec![measured(EXPERIMENT, told)]);
        assert!(cpu(&results, EXPERIMENT, "every").contains("| 1 | 30 % (20–40) | – | – | – |"));
        let table = round_trips(&results, EXPERIMENT, "every");
        assert!(table.contains("| 1 | 0.40 / 4.00 (2.00–9.00) | – | – | – | 1.50 |"), "{table}");
        let table = in_full(&results, EXPERIMENT);
        let row = "| Everwire | 2 + 1 | 25,000 | 10,000 | 0 | 0.40 | 4.00 (2.00–9.00) | 12.0 | 1.50 | 30 % (20–40) | 100 MiB |";
        assert!(table.contains(row), "{table}");
    }

    #[test]
    fn what_was_lost_in_any_run_is_shown_with_what_it_was() {
        let mut told = vec![run(0, 0, 1.0, 20.0, 2.0), run(0, 1, 1.0, 20.0, 2.0)];
        let summary = &mut told[1].outcome.as_mut().unwrap().summary;
        (summary.round_trips.lost, summary.disconnects, summary.opening.opened) = (7, 2, 24_999);
        let table = cpu(&Results::of(vec![measured(EXPERIMENT, told)]), EXPERIMENT, "every");
        assert!(table.contains("| 20 %, **1 not open**, **7 messages lost**, **2 connections lost** |"), "{table}");
    }

    #[test]
    fn a_reason_stays_in_its_cell_and_does_not_hide_the_other_runs() {
        let failed =
            |number| crate::lab::trial::Told { outcome: Err("a | b\n<c>".into()), ..run(0, number, 1.0, 0.0, 0.0) };
        let table = |told| in_full(&Results::of(vec![measured(EXPERIMENT, told)]), EXPERIMENT);
        let none = table(vec![failed(0)]);
        assert!(none.contains(r"| Everwire | 2 | left out: a \| b \<c\> |  |"), "{none}");
        let some = cpu(
            &Results::of(vec![measured(EXPERIMENT, vec![failed(0), run(0, 1, 1.0, 20.0, 2.0)])]),
            EXPERIMENT,
            "every",
        );
        assert!(some.contains(r"| 20 %, **1 of 2 runs left out: a \| b \<c\>** |"), "{some}");
    }
}

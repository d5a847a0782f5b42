//! What papers claim about load, and what was measured here: one function for each claim.

use everwire_load::Summary;

use super::results::{self, Growth, MeasuredStep, Metric, Results, Runs, Statistics, lost};
use crate::experiment::Experiment;
use crate::server::Implementation;
use crate::store::Machine;
use crate::text::{Digits, count, in_markdown, list, milliseconds, percent, time, times};

/// Figures that differ by less than this factor count as about the same.
const QUARTER: f64 = 1.25;

/// The end of the range of small messages, in bytes: beyond it, copying outweighs the cost of a message.
const SMALL: f64 = 1024.0;

pub(super) fn of(results: &Results, machine: &Machine) -> String {
    let mut parts = vec!["## The claims".to_owned()];
    parts.extend(influence(results));
    parts.extend(most_connections(results, machine.cores));
    parts.extend(two_workers(results));
    parts.join("\n\n")
}

/// "Load grows with pings and connections more than with message size."
fn influence(results: &Results) -> Option<String> {
    let [pings, connections] = [Experiment::PingPeriod, Experiment::Connections]
        .map(|experiment| StepRange { experiment, steps: results.steps(experiment) });
    let sizes = size_ranges(results.steps(Experiment::MessageSize));
    let verdicts = sizes.iter().filter_map(|size| influence_of_size(results, &pings, &connections, size));
    let verdicts: Vec<String> = verdicts.collect();
    if verdicts.is_empty() {
        return None;
    }
    let columns: Vec<&StepRange> = [&pings, &connections].into_iter().chain(&sizes).collect();
    let rows = Implementation::ALL.iter().map(|implementation| {
        let cells = columns.iter().map(|range| range.cell(range.growth(results, implementation).as_ref()));
        format!("\n| {} | {} |", implementation.name, cells.collect::<Vec<_>>().join(" | "))
    });
    Some(format!(
        "**“Load grows with pings and connections more than with message size.”** {}\n\n\
         The factor by which the server's CPU time grows when the varied quantity grows tenfold, assuming even growth between \
         the ends of the range; in brackets the CPU time at the ends, in per cent of a core:\n\n\
         | server | {} |\n|---|{}{}",
        verdicts.join(" "),
        columns.iter().map(|range| range.heading()).collect::<Vec<_>>().join(" | "),
        "---:|".repeat(columns.len()),
        rows.collect::<String>()
    ))
}

/// A range of steps over which growth is computed: a column of the table.
struct StepRange {
    experiment: Experiment,
    steps: Vec<MeasuredStep>,
}

impl StepRange {
    fn growth(&self, results: &Results, implementation: &Implementation) -> Option<Growth> {
        Growth::between(results, self.experiment, &self.steps, implementation)
    }

    fn first(&self) -> &str {
        self.steps.first().map_or("", |step| &step.label)
    }

    fn last(&self) -> &str {
        self.steps.last().map_or("", |step| &step.label)
    }

    fn heading(&self) -> String {
        let (first, last) = (self.first(), self.last());
        match self.experiment {
            Experiment::PingPeriod => format!("pings per second: one every {first} to one every {last}"),
            Experiment::Connections => format!("connections, each with its pings: {first} to {last}"),
            _ => format!("message size: {first} to {last}"),
        }
    }

    fn cell(&self, growth: Option<&Growth>) -> String {
        let Some(growth) = growth else { return "–".to_owned() };
        let (less, more) = growth.cpu;
        let (less, more) = (percent(less), percent(more));
        // The range is shorter for a server that lost something at one of its ends.
        let is_whole = growth.from.label == self.first() && growth.to.label == self.last();
        let own = if is_whole { String::new() } else { format!(", {} to {}", growth.from.label, growth.to.label) };
        format!("× {} ({less} to {more} %{own})", times(growth.tenfold()))
    }
}

/// Small messages and larger ones; one range if there are not enough steps for two.
fn size_ranges(steps: Vec<MeasuredStep>) -> Vec<StepRange> {
    let small = steps.iter().filter(|step| step.x <= SMALL).count();
    let experiment = Experiment::MessageSize;
    if small < 2 || small == steps.len() {
        return vec![StepRange { experiment, steps }];
    }
    let (up_to, beyond) = (steps[..small].to_vec(), steps[small - 1..].to_vec());
    vec![StepRange { experiment, steps: up_to }, StepRange { experiment, steps: beyond }]
}

/// The servers for which the claim holds over a range of sizes; `None` if no server was measured.
fn influence_of_size(
    results: &Results,
    pings: &StepRange,
    connections: &StepRange,
    size: &StepRange,
) -> Option<String> {
    let (mut holds, mut contrary, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
    for implementation in &Implementation::ALL {
        let growth = |range: &StepRange| Some(range.growth(results, implementation)?.tenfold());
        let (Some(pings), Some(connections), Some(size)) = (growth(pings), growth(connections), growth(size)) else {
            continue;
        };
        let group = if pings.min(connections) > size * QUARTER {
            &mut holds
        } else if size > pings.max(connections) * QUARTER {
            &mut contrary
        } else {
            &mut undecided
        };
        group.push(implementation.name.to_owned());
    }
    let all = holds.len() + contrary.len() + undecided.len();
    let groups = [
        (holds, "it holds"),
        (contrary, "it is the other way round"),
        (undecided, "size weighs about as much as one of the two, or lies between them,"),
    ];
    let clauses = groups.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, what)| {
        if names.len() == all { format!("{what} for every server") } else { format!("{what} for {}", list(&names)) }
    });
    let clauses = clauses.collect::<Vec<_>>().join("; ");
    (all > 0).then(|| format!("From {} to {} a message, {clauses}.", size.first(), size.last()))
}

/// "25,000 connections on one 32-core server."
fn most_connections(results: &Results, cores: usize) -> Option<String> {
    let step = results.steps(Experiment::Most).into_iter().next()?;
    let lines = Implementation::ALL.iter().filter_map(|implementation| {
        let outcome = outcome_of_most(&results.runs(Experiment::Most, &step, implementation))?;
        Some(format!("\n- {}: {outcome}", implementation.name))
    });
    Some(format!(
        "**“25,000 connections on one server with 32 cores.”** With {} requested on {cores} cores here:\n{}",
        step.label,
        lines.collect::<String>()
    ))
}

fn outcome_of_most(runs: &Runs<'_>) -> Option<String> {
    let workers = runs.info()?.processes.workers;
    let Some(summary) = runs.summaries().next() else { return Some(runs.problems().join(", ")) };
    let processes = if workers == 1 { "one process".to_owned() } else { format!("{workers} processes") };
    let time_of = |metric: Metric| {
        runs.statistics(metric).map_or("unknown".to_owned(), |statistics| statistics.text(milliseconds, " ms"))
    };
    let times = format!("p50 {}, p99 {}", time_of(results::p50), time_of(results::p99));
    let sent = runs.total(|summary| summary.round_trips.sent);
    if runs.is_flawless() {
        return Some(format!(
            "all {} open in {processes}, each with a message every {}; {} messages, none lost, {times}",
            count(summary.opening.opened),
            time(&summary.setting.ping_period),
            count(sent)
        ));
    }
    let reasons: Vec<String> = runs.summaries().flat_map(reasons).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    let problems = runs.problems().join(", ");
    let (answered, sent) = (count(sent.saturating_sub(runs.total(lost))), count(sent));
    Some(format!("in {processes}: {problems}{reasons}; {answered} of {sent} messages answered, {times}"))
}

fn reasons(summary: &Summary) -> impl Iterator<Item = String> + '_ {
    summary.reasons.iter().map(|(reason, times)| format!("{} × {}", count(*times), in_markdown(reason)))
}

/// Two worker processes instead of one.
fn two_workers(results: &Results) -> Option<String> {
    let steps = results.steps(Experiment::Workers);
    let [one, two] = steps.as_slice() else { return None };
    let lines = Implementation::ALL.iter().filter_map(|implementation| {
        let [one, two] = [one, two].map(|step| results.runs(Experiment::Workers, step, implementation));
        Some(format!("\n- {}: {}", implementation.name, comparison(&one, &two)?))
    });
    let lines: String = lines.collect();
    (!lines.is_empty()).then(|| format!("**Two worker processes instead of one**, under the same load:\n{lines}"))
}

fn comparison(one: &Runs<'_>, two: &Runs<'_>) -> Option<String> {
    let metrics: [(&str, Metric, Digits, &str); 3] = [
        ("p50", results::p50, milliseconds, " ms"),
        ("p99", results::p99, milliseconds, " ms"),
        ("CPU time", results::cpu, percent, " %"),
    ];
    let clauses = metrics.into_iter().map(|(name, metric, digits, unit)| {
        let (before, after) = (one.statistics(metric)?, two.statistics(metric)?);
        Some(Change::between(before, after).clause(name, &before.text(digits, unit), &after.text(digits, unit)))
    });
    let mut clauses = clauses.collect::<Option<Vec<String>>>()?;
    for (runs, name) in [(one, "one"), (two, "two")] {
        let problems = runs.problems();
        clauses.extend((!problems.is_empty()).then(|| format!("with {name}: {}", problems.join(", "))));
    }
    Some(clauses.join("; "))
}

/// How a figure changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Falls,
    StaysTheSame,
    Rises,
    /// The medians differ, but no more than the runs among themselves.
    Unclear,
}

impl Change {
    fn between(before: Statistics, after: Statistics) -> Self {
        let is_close = after.median <= before.median * QUARTER && before.median <= after.median * QUARTER;
        match after.median < before.median {
            _ if is_close => Self::StaysTheSame,
            _ if before.overlaps(after) => Self::Unclear,
            true => Self::Falls,
            false => Self::Rises,
        }
    }

    fn clause(self, name: &str, before: &str, after: &str) -> String {
        match self {
            Self::Falls => format!("{name} falls from {before} to {after}"),
            Self::StaysTheSame => format!("{name} stays about the same, {before} and {after}"),
            Self::Rises => format!("{name} rises from {before} to {after}"),
            Self::Unclear => format!("{name} differs no more than its runs do, {before} and {after}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::fixture::{run, stored};
    use crate::trial::TrialResult;

    /// The sizes are 64, 1024 and 65,536 bytes; the first takes the server 10 % and the others take `cpu`.
    fn influence_with(cpu: [f64; 2]) -> String {
        let steps = |points: &[(f64, f64)]| {
            (0..).zip(points).map(|(number, (x, cpu))| run(number, 0, *x, *cpu, 1.0)).collect::<Vec<_>>()
        };
        let results = Results::of(vec![
            stored(Experiment::PingPeriod, steps(&[(1.0, 10.0), (10.0, 50.0)])),
            stored(Experiment::Connections, steps(&[(1.0, 10.0), (10.0, 60.0)])),
            stored(Experiment::MessageSize, steps(&[(64.0, 10.0), (1024.0, cpu[0]), (65_536.0, cpu[1])])),
        ]);
        influence(&results).unwrap()
    }

    #[test]
    fn small_messages_and_larger_ones_are_judged_separately() {
        let text = influence_with([11.0, 9000.0]);
        assert!(text.contains("From 64 to 1024 a message, it holds for every server."), "{text}");
        assert!(text.contains("From 1024 to 65536 a message, it is the other way round for every server."), "{text}");
        let row = "| Everwire | × 5.0 (10 to 50 %) | × 6.0 (10 to 60 %) | × 1.1 (10 to 11 %) | × 41 (11 to 9000 %) |";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn what_grows_within_a_quarter_of_pings_or_connections_proves_nothing() {
        // × 4.5 for ten times the size.
        let text = influence_with([10.0 * 4.5_f64.powf(16_f64.log10()), 1e3]);
        let verdict = "From 64 to 1024 a message, size weighs about as much as one of the two, or lies between them, for every server.";
        assert!(text.contains(verdict), "{text}");
    }

    #[test]
    fn without_a_step_in_between_there_is_one_range() {
        let step = |x: f64| MeasuredStep { number: 0, label: x.to_string(), x };
        assert_eq!(size_ranges(vec![step(64.0), step(65_536.0)]).len(), 1);
        assert_eq!(size_ranges(vec![step(64.0), step(512.0)]).len(), 1);
    }

    fn most_with(trial: TrialResult) -> String {
        most_connections(&Results::of(vec![stored(Experiment::Most, vec![trial])]), 2).unwrap()
    }

    #[test]
    fn a_server_that_held_all_connections_is_listed_with_its_latency() {
        let text = most_with(run(0, 0, 25_000.0, 20.0, 3.5));
        assert!(text.contains("With 25000 requested on 2 cores here"), "{text}");
        let line = "Everwire: all 25,000 open in 2 processes, each with a message every 2.5 s; 300,000 messages, none lost, \
                    p50 0.35 ms, p99 3.50 ms";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_server_that_lost_something_is_listed_with_what_and_why() {
        let mut trial = run(0, 0, 25_000.0, 20.0, 3.5);
        let summary = &mut trial.outcome.as_mut().unwrap().summary;
        (summary.round_trips.lost, summary.disconnects) = (7, 6);
        summary.reasons.insert("a | b".to_owned(), 6);
        let text = most_with(trial);
        let line = r"in 2 processes: 7 messages lost, 6 connections lost (6 × a \| b); 299,993 of 300,000 messages answered, p50";
        assert!(text.contains(line) && !text.contains("none lost"), "{text}");
    }

    #[test]
    fn a_server_that_could_not_be_measured_is_listed_with_the_reason() {
        let text = most_with(TrialResult { outcome: Err("it did not start".to_owned()), ..run(0, 0, 1.0, 0.0, 0.0) });
        assert!(text.contains("- Everwire: left out: it did not start"), "{text}");
    }

    #[test]
    fn two_workers_are_compared_with_one_over_all_runs() {
        let one = [(40.0, 8.0), (41.0, 7.0), (39.0, 9.0)];
        let two = [(60.0, 4.0), (61.0, 3.0), (20.0, 9.5)];
        let trials = (0..).zip([one, two]).flat_map(|(step, runs)| {
            (0..).zip(runs).map(move |(number, (cpu, p99))| run(step, number, 1.0 + step as f64, cpu, p99))
        });
        let mut trials: Vec<_> = trials.collect();
        let text = |trials| two_workers(&Results::of(vec![stored(Experiment::Workers, trials)])).unwrap();
        let line = "- Everwire: p50 differs no more than its runs do, 0.80 ms (0.70–0.90) and 0.40 ms (0.30–0.95); \
                    p99 differs no more than its runs do, 8.00 ms (7.00–9.00) and 4.00 ms (3.00–9.50); \
                    CPU time differs no more than its runs do, 40 % (39–41) and 60 % (20–61)";
        assert!(text(trials.clone()).contains(line), "{}", text(trials));
        trials.pop();
        let line = "p99 falls from 8.00 ms (7.00–9.00) to 3.50 ms (3.00–4.00); \
                    CPU time rises from 40 % (39–41) to 60 % (60–61)";
        assert!(text(trials.clone()).contains(line), "{}", text(trials));
    }

    #[test]
    fn losses_are_part_of_the_comparison() {
        let mut trials = vec![run(0, 0, 1.0, 40.0, 8.0), run(1, 0, 2.0, 40.0, 8.0)];
        trials[1].outcome.as_mut().unwrap().summary.round_trips.lost = 3;
        let text = two_workers(&Results::of(vec![stored(Experiment::Workers, trials)])).unwrap();
        assert!(text.contains("CPU time stays about the same, 40 % and 40 %; with two: 3 messages lost"), "{text}");
    }

    fn change(before: [f64; 3], after: [f64; 3]) -> Change {
        let [before, after] = [before, after].map(|[min, median, max]| Statistics { min, median, max });
        Change::between(before, after)
    }

    #[test]
    fn figures_closer_than_a_quarter_are_about_the_same_even_if_no_run_overlaps() {
        assert_eq!(change([9.9, 10.0, 10.1], [12.3, 12.4, 12.5]), Change::StaysTheSame);
        assert_eq!(change([12.3, 12.4, 12.5], [9.9, 10.0, 10.1]), Change::StaysTheSame);
        assert_eq!(change([9.9, 10.0, 10.1], [12.5, 12.6, 12.7]), Change::Rises);
        assert_eq!(change([12.5, 12.6, 12.7], [9.9, 10.0, 10.1]), Change::Falls);
    }

    #[test]
    fn a_change_is_unclear_if_the_runs_differ_as_much() {
        assert_eq!(change([1.0, 2.0, 5.0], [4.0, 6.0, 7.0]), Change::Unclear);
        assert_eq!(change([4.0, 6.0, 7.0], [1.0, 2.0, 5.0]), Change::Unclear);
    }
}

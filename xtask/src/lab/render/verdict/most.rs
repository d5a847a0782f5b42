//! "25,000 connections on one 32-core server."

use everwire_load::Summary;

use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::render::figure::{self, Figure};
use crate::lab::render::results::Results;
use crate::lab::render::runs::{Runs, lost};
use crate::lab::text::{count, in_markdown, milliseconds, time};

pub(super) fn of(results: &Results, cores: usize) -> Option<String> {
    let step = results.steps(Experiment::Most).into_iter().next()?;
    let lines = Contender::ALL.iter().filter_map(|contender| {
        let told = told(&results.runs(Experiment::Most, &step, contender))?;
        Some(format!("\n- {}: {told}", contender.name))
    });
    Some(format!(
        "**“25,000 connections on one server with 32 cores.”** With {} asked for on {cores} cores here:\n{}",
        step.label,
        lines.collect::<String>()
    ))
}

fn told(runs: &Runs<'_>) -> Option<String> {
    let workers = runs.head()?.shape.workers;
    let Some(summary) = runs.summaries().next() else { return Some(runs.troubles().join(", ")) };
    let processes = if workers == 1 { "one process".to_owned() } else { format!("{workers} processes") };
    let time_of =
        |figure: Figure| runs.spread(figure).map_or("unknown".to_owned(), |spread| spread.text(milliseconds, " ms"));
    let times = format!("p50 {}, p99 {}", time_of(figure::p50), time_of(figure::p99));
    let sent = count(runs.total(|summary| summary.round_trips.sent));
    if runs.is_flawless() {
        return Some(format!(
            "all {} open in {processes}, each with a message every {}; {sent} messages, none lost, {times}",
            count(summary.opening.opened),
            time(&summary.setting.ping_period)
        ));
    }
    let reasons: Vec<String> = runs.summaries().flat_map(reasons).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    let troubles = runs.troubles().join(", ");
    Some(format!("in {processes}: {troubles}{reasons}; {} of {sent} messages answered, {times}", answered(runs)))
}

fn answered(runs: &Runs<'_>) -> String {
    count(runs.total(|summary| summary.round_trips.sent).saturating_sub(runs.total(lost)))
}

fn reasons(summary: &Summary) -> impl Iterator<Item = String> + '_ {
    summary.reasons.iter().map(|(reason, times)| format!("{} × {}", count(*times), in_markdown(reason)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render::fixture::{measured, run};
    use crate::lab::trial::Told;

    fn text(told: Told) -> String {
        of(&Results::of(vec![measured(Experiment::Most, vec![told])]), 2).unwrap()
    }

    #[test]
    fn a_server_that_held_all_connections_is_told_with_its_latency() {
        let text = text(run(0, 0, 25_000.0, 20.0, 3.5));
        assert!(text.contains("With 25000 asked for on 2 cores here"), "{text}");
        let line = "Everwire: all 25,000 open in 2 processes, each with a message every 2.5 s; 300,000 messages, none lost, \
                    p50 0.35 ms, p99 3.50 ms";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_server_that_lost_something_is_told_with_what_and_why() {
        let mut told = run(0, 0, 25_000.0, 20.0, 3.5);
        let summary = &mut told.outcome.as_mut().unwrap().summary;
        (summary.round_trips.lost, summary.disconnects) = (7, 6);
        summary.reasons.insert("a | b".to_owned(), 6);
        let text = text(told);
        let line = r"in 2 processes: 7 messages lost, 6 connections lost (6 × a \| b); 299,993 of 300,000 messages answered, p50";
        assert!(text.contains(line) && !text.contains("none lost"), "{text}");
    }

    #[test]
    fn a_server_that_could_not_be_measured_is_told_with_the_reason() {
        let text = text(Told { outcome: Err("it did not come up".to_owned()), ..run(0, 0, 1.0, 0.0, 0.0) });
        assert!(text.contains("- Everwire: left out: it did not come up"), "{text}");
    }
}

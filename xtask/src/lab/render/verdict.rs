//! What the papers claim, and what came of it here.

use everwire_load::Summary;

use super::growth::Growth;
use super::results::{Results, is_flawless};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::machine::Machine;
use crate::lab::text::{count, list, millis, time, times};

pub(super) fn of(results: &Results, machine: &Machine) -> String {
    let mut parts = vec!["## The claims".to_owned()];
    parts.extend(influence(results));
    parts.extend(most(results, machine.cores));
    parts.extend(workers(results));
    parts.join("\n\n")
}

/// "Load grows with pings and connections more than with message size."
fn influence(results: &Results) -> Option<String> {
    let varied = [Experiment::PingPeriod, Experiment::Connections, Experiment::MessageSize];
    let rows = Contender::ALL.iter().filter_map(|contender| {
        let [pings, connections, size] = varied.map(|experiment| Growth::measured(results, experiment, contender));
        Some((contender, [pings?.tenfold(), connections?.tenfold(), size?.tenfold()]))
    });
    let rows: Vec<(&Contender, [f64; 3])> = rows.collect();
    if rows.is_empty() {
        return None;
    }
    let holds = |[pings, connections, size]: &[f64; 3]| pings > size && connections > size;
    let holding: Vec<String> =
        rows.iter().filter(|(_, row)| holds(row)).map(|(contender, _)| contender.name.to_owned()).collect();
    let verdict = match (holding.len(), rows.len()) {
        (some, all) if some == all => "It holds here for every server".to_owned(),
        (0, _) => "It holds here for no server".to_owned(),
        _ => format!("It holds here for {}", list(&holding)),
    };
    let table: String = rows
        .iter()
        .map(|(contender, row)| {
            format!("\n| {} | {} |", contender.name, row.map(|factor| format!("× {}", times(factor))).join(" | "))
        })
        .collect();
    Some(format!(
        "**“Load grows with pings and connections more than with message size.”** {verdict}. Where what is varied grows ten \
         times, the server's processor time grows so many times:\n\n\
         | server | pings a second | connections, each with its pings | message size |\n|---|---:|---:|---:|{table}"
    ))
}

/// "25,000 connections on one 32-core server."
fn most(results: &Results, cores: usize) -> Option<String> {
    let step = results.steps(Experiment::Most).into_iter().next()?;
    let told = Contender::ALL
        .iter()
        .filter_map(|contender| Some((contender, results.told(Experiment::Most, step.number, contender)?)));
    let lines: String = told
        .map(|(contender, told)| match &told.outcome {
            Ok(outcome) => format!("\n- {}: {}", contender.name, held(&outcome.summary, told.head.workers)),
            Err(reason) => format!("\n- {}: left out: {reason}", contender.name),
        })
        .collect();
    Some(format!("**“25,000 connections on one server with 32 cores.”** With {} asked for here:\n{lines}", step.label))
}

fn held(summary: &Summary, workers: u32) -> String {
    let processes = if workers == 1 { "one process".to_owned() } else { format!("{workers} processes") };
    let pings = &summary.round_trips;
    let open = count(summary.opening.opened);
    let p99 = pings.round_trip.map_or("unknown".to_owned(), |times| millis(times.p99_ms));
    if is_flawless(summary) {
        let sent = count(pings.sent);
        return format!(
            "all {open} open in {processes}, each with a message every {}; {sent} messages, none lost, p99 {p99}",
            time(&summary.setting.ping_period)
        );
    }
    let wanted = count(summary.setting.connections.into());
    let reasons: Vec<String> =
        summary.reasons.iter().map(|(reason, times)| format!("{} × {reason}", count(*times))).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
    format!(
        "{open} of {wanted} open in {processes}; {} of {} messages lost, {} connections lost, p99 {p99}{reasons}",
        count(pings.lost),
        count(pings.sent),
        count(summary.disconnects)
    )
}

/// One worker process against two.
fn workers(results: &Results) -> Option<String> {
    let steps = results.steps(Experiment::Workers);
    let [one, two] = steps.as_slice() else { return None };
    let lines: String = Contender::ALL
        .iter()
        .filter_map(|contender| {
            let at = |number| Some(&results.outcome(Experiment::Workers, number, contender)?.summary);
            Some(format!("\n- {}: {}", contender.name, compared(at(one.number)?, at(two.number)?)?))
        })
        .collect();
    let is_any = !lines.is_empty();
    is_any.then(|| format!("**Two worker processes instead of one**, under the same load:\n{lines}"))
}

fn compared(one: &Summary, two: &Summary) -> Option<String> {
    let cpu = |summary: &Summary| summary.server.as_ref().map(|server| server.cpu_percent);
    let p99 = |summary: &Summary| summary.round_trips.round_trip.map(|times| times.p99_ms);
    let more = cpu(two)? / cpu(one)?;
    let (before, after) = (p99(one)?, p99(two)?);
    let change = if after < before { "falls" } else { "rises" };
    let lost = |summary: &Summary| summary.round_trips.lost;
    let losses = match (lost(one), lost(two)) {
        (0, 0) => String::new(),
        (one, two) => format!("; {} and {} messages are lost", count(one), count(two)),
    };
    Some(format!(
        "p99 {change} from {} to {}, for {} times the processor time{losses}",
        millis(before),
        millis(after),
        times(more)
    ))
}

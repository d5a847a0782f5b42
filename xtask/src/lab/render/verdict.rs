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
    Some(format!(
        "**“25,000 connections on one server with 32 cores.”** With {} asked for on {cores} cores here:\n{lines}",
        step.label
    ))
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

#[cfg(test)]
mod tests {
    use everwire_load::{LoadUse, Opening, Percentiles, RoundTrips, ServerUse, Setting};

    use super::*;
    use crate::lab::trial::{Head, Outcome, Told};

    fn summary(lost: u64, cpu_percent: f64, p99_ms: f64) -> Summary {
        let times =
            Percentiles { count: 100, mean_ms: 1.0, p50_ms: 1.0, p90_ms: 1.0, p99_ms, p999_ms: 9.0, max_ms: 9.0 };
        Summary {
            command: String::new(),
            setting: Setting {
                url: String::new(),
                dialect: "plain".into(),
                connections: 25_000,
                subscribers: 0,
                publishers: 0,
                ping_period: "2.5s".into(),
                ping_period_s: 2.5,
                payload_bytes: 64,
                processes: 2,
            },
            opening: Opening { opened: 25_000, seconds: 25.0, handshake: None },
            load_s: 30.0,
            messages_per_second: 10_000.0,
            round_trips: RoundTrips {
                sent: 300_000,
                answered: 300_000 - lost,
                lost,
                unsent: 0,
                duplicates: 0,
                round_trip: Some(times),
                lag: None,
            },
            deliveries: None,
            disconnects: lost,
            reconnects: 0,
            failed_dials: 0,
            reasons: [("cut".to_owned(), lost)].into_iter().filter(|(_, times)| *times > 0).collect(),
            unexpected: 0,
            server: Some(ServerUse {
                processes: 1,
                cpu_percent,
                cpu_percent_max: cpu_percent,
                cpu_us_per_message: None,
                memory_before_bytes: 0,
                memory_open_bytes: 0,
                memory_max_bytes: 0,
            }),
            load: LoadUse { cpu_percent: 10.0, memory_max_bytes: 0 },
        }
    }

    fn told(experiment: Experiment, step: usize, x: f64, summary: Summary) -> Told {
        let head = Head {
            experiment,
            step,
            label: "25,000".into(),
            x,
            contender: "everwire".into(),
            workers: 2,
            server_command: String::new(),
            load_command: String::new(),
        };
        Told { head, outcome: Ok(Outcome { seconds: Vec::new(), summary }) }
    }

    #[test]
    fn a_server_that_held_all_connections_is_told_with_its_latency() {
        let results = Results::of(vec![told(Experiment::Most, 0, 25_000.0, summary(0, 20.0, 3.5))]);
        let text = most(&results, 2).unwrap();
        assert!(text.contains("With 25,000 asked for on 2 cores here"), "{text}");
        assert!(text.contains("Everwire: all 25,000 open in 2 processes, each with a message every 2.5 s; 300,000 messages, none lost, p99 3.50 ms"), "{text}");
    }

    #[test]
    fn a_server_that_lost_something_is_told_with_what_and_why() {
        let results = Results::of(vec![told(Experiment::Most, 0, 25_000.0, summary(7, 20.0, 3.5))]);
        let text = most(&results, 2).unwrap();
        assert!(text.contains("7 of 300,000 messages lost, 7 connections lost, p99 3.50 ms (7 × cut)"), "{text}");
        assert!(!text.contains("none lost"), "{text}");
    }

    #[test]
    fn the_claim_on_influence_is_judged_by_what_was_measured() {
        let judged = |size_cpu| {
            let steps = [
                (Experiment::PingPeriod, 10.0, 50.0),
                (Experiment::Connections, 10.0, 60.0),
                (Experiment::MessageSize, 1000.0, size_cpu),
            ];
            let told = steps.into_iter().flat_map(|(experiment, x, cpu)| {
                [told(experiment, 0, 1.0, summary(0, 10.0, 1.0)), told(experiment, 1, x, summary(0, cpu, 1.0))]
            });
            influence(&Results::of(told.collect())).unwrap()
        };
        let holds = judged(20.0);
        assert!(
            holds.contains("It holds here for every server") && holds.contains("| Everwire | × 5.0 | × 6.0 | × 1.3 |"),
            "{holds}"
        );
        assert!(judged(9_000_000.0).contains("It holds here for no server"));
    }

    #[test]
    fn two_workers_are_compared_with_one() {
        let step = |number, x, cpu, p99| Told {
            head: Head { label: format!("{x}"), ..told(Experiment::Workers, number, x, summary(0, cpu, p99)).head },
            ..told(Experiment::Workers, number, x, summary(0, cpu, p99))
        };
        let text = workers(&Results::of(vec![step(0, 1.0, 40.0, 8.0), step(1, 2.0, 60.0, 4.0)])).unwrap();
        assert!(
            text.contains("Everwire: p99 falls from 8.00 ms to 4.00 ms, for 1.5 times the processor time"),
            "{text}"
        );
    }
}

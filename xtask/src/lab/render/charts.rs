//! Pictures: what is varied to the right, the servers as lines.

use everwire_load::{Chart, Line, Phase, Second, Summary};

use super::results::{Results, memory_each};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;

/// Every chart, with the name of its file.
pub(super) fn of(results: &Results) -> Vec<(String, Chart)> {
    let all = [
        Experiment::Workers,
        Experiment::PingPeriod,
        Experiment::Connections,
        Experiment::MessageSize,
        Experiment::Most,
    ];
    all.into_iter().flat_map(|experiment| of_experiment(results, experiment)).collect()
}

pub(super) fn of_experiment(results: &Results, experiment: Experiment) -> Vec<(String, Chart)> {
    let charts = match experiment {
        Experiment::Most => vec![("latency", latency_over_time(results)), ("memory", memory_over_time(results))],
        Experiment::Connections => vec![
            ("cpu", by_step(results, experiment, "Processor time", "% of a core", false, cpu)),
            ("latency", by_step(results, experiment, P99, "ms", true, p99)),
            ("memory", by_step(results, experiment, "Memory of a connection", "kB", false, memory)),
        ],
        _ => vec![
            ("cpu", by_step(results, experiment, "Processor time", "% of a core", false, cpu)),
            ("latency", by_step(results, experiment, P99, "ms", true, p99)),
        ],
    };
    let charts = charts.into_iter().filter(|(_, chart)| !chart.is_empty());
    charts.map(|(name, chart)| (format!("{}-{name}.svg", experiment.id()), chart)).collect()
}

const P99: &str = "Round trip, 99th percentile";

fn by_step(
    results: &Results,
    experiment: Experiment,
    title: &str,
    y: &str,
    is_logarithmic: bool,
    value: fn(&Summary) -> Option<f64>,
) -> Chart {
    let steps = results.steps(experiment);
    let lines = Contender::ALL.iter().map(|contender| {
        let points = steps.iter().enumerate().filter_map(|(index, step)| {
            let summary = &results.outcome(experiment, step.number, contender)?.summary;
            Some((index as f64, value(summary)?))
        });
        Line { name: contender.name.to_owned(), points: points.collect() }
    });
    let (subtitle, x) = match experiment {
        Experiment::Workers => ("one or two worker processes, the same load", "processes of the server"),
        Experiment::PingPeriod => ("the same connections, which send more and more often", "one message every"),
        Experiment::Connections => ("more and more connections, each sends as often", "connections"),
        Experiment::MessageSize => ("the same connections and messages, larger and larger", "bytes of payload"),
        Experiment::Most => ("", ""),
    };
    let scale = if is_logarithmic { "; each line is ten times the one below" } else { "" };
    Chart {
        title: title.to_owned(),
        subtitle: format!("{subtitle}{scale}"),
        x: x.to_owned(),
        y: y.to_owned(),
        steps: steps.iter().map(|step| step.label.clone()).collect(),
        is_logarithmic,
        lines: lines.collect(),
    }
}

fn cpu(summary: &Summary) -> Option<f64> {
    summary.server.as_ref().map(|server| server.cpu_percent)
}

fn p99(summary: &Summary) -> Option<f64> {
    summary.round_trips.round_trip.map(|times| times.p99_ms)
}

fn memory(summary: &Summary) -> Option<f64> {
    memory_each(summary).map(|bytes| bytes / 1e3)
}

fn latency_over_time(results: &Results) -> Chart {
    let lines = over_time(results, |seconds| {
        let load: Vec<&Second> = seconds.iter().filter(|second| second.phase == Phase::Load).collect();
        let start = load.first().map_or(0.0, |second| second.at_s - second.lasted_s);
        load.into_iter().filter_map(|second| Some((second.at_s - start, second.round_trip?.p99_ms))).collect()
    });
    Chart {
        title: P99.to_owned(),
        subtitle: "of each second while messages were sent; each line is ten times the one below".to_owned(),
        x: "seconds since the first message".to_owned(),
        y: "ms".to_owned(),
        steps: Vec::new(),
        is_logarithmic: true,
        lines,
    }
}

fn memory_over_time(results: &Results) -> Chart {
    let lines = over_time(results, |seconds| {
        let memory = |second: &Second| Some((second.at_s, second.server_memory_bytes? as f64 / f64::from(1 << 20)));
        seconds.iter().filter_map(memory).collect()
    });
    Chart {
        title: "Memory".to_owned(),
        subtitle: "resident in all processes of a server, while connections are opened and then used".to_owned(),
        x: "seconds since the first connection was opened".to_owned(),
        y: "MiB".to_owned(),
        steps: Vec::new(),
        is_logarithmic: false,
        lines,
    }
}

fn over_time(results: &Results, points: impl Fn(&[Second]) -> Vec<(f64, f64)>) -> Vec<Line> {
    let step = results.steps(Experiment::Most).first().map_or(0, |step| step.number);
    let lines = Contender::ALL.iter().map(|contender| {
        let outcome = results.outcome(Experiment::Most, step, contender);
        let points = outcome.map(|outcome| points(&outcome.seconds)).unwrap_or_default();
        Line { name: contender.name.to_owned(), points }
    });
    lines.collect()
}

use super::{Chart, Line};
use crate::record::{Percentiles, Phase, SHORTEST, Second};

/// The charts of one run, each with the name of its file. What was not measured has no chart.
pub fn charts_of_a_run(seconds: &[Second]) -> Vec<(&'static str, Chart)> {
    let charts = [
        ("throughput.svg", throughput(seconds)),
        ("latency.svg", latency(seconds)),
        ("server-cpu.svg", cpu(seconds)),
        ("server-memory.svg", memory(seconds)),
    ];
    charts.into_iter().filter(|(_, chart)| !chart.is_empty()).collect()
}

fn throughput(seconds: &[Second]) -> Chart {
    let per_second = |count: fn(&Second) -> u64| {
        move |second: &Second| match second.phase {
            // What is sent then is not counted, which does not mean that it is none: the line breaks.
            Phase::WarmUp => Some(f64::NAN),
            _ => Some(count(second) as f64 / second.lasted_s).filter(|rate| rate.is_finite()),
        }
    };
    let lines = [
        line("pings sent", seconds, per_second(|second| second.sent)),
        line("answers", seconds, per_second(|second| second.answered)),
        line("deliveries", seconds, per_second(|second| second.delivered)),
    ];
    let lines = lines.into_iter().filter(|line| line.points.iter().any(|(_, y)| *y > 0.0)).collect();
    over_time("Throughput", "messages in each second", "messages a second", lines)
}

fn latency(seconds: &[Second]) -> Chart {
    let times = |second: &Second| second.round_trip.or(second.delivery);
    let at = |pick: fn(&Percentiles) -> f64| move |second: &Second| times(second).as_ref().map(pick);
    let lines = vec![
        line("p50", seconds, at(|times| times.p50_ms)),
        line("p90", seconds, at(|times| times.p90_ms)),
        line("p99", seconds, at(|times| times.p99_ms)),
        line("max", seconds, at(|times| times.max_ms)),
    ];
    let is_delivery = seconds.iter().all(|second| second.round_trip.is_none());
    let what = if is_delivery { "until what is published arrives" } else { "until a message is answered" };
    let subtitle = format!("from the time that it was due {what}; each grid line is ten times the one below");
    Chart { is_logarithmic: true, ..over_time("Latency", &subtitle, "ms", lines) }
}

fn cpu(seconds: &[Second]) -> Chart {
    let lines = vec![
        line("server", seconds, |second| second.server_cpu_percent),
        line("load generator", seconds, |second| second.load_cpu_percent),
    ];
    let lines = if lines.first().is_some_and(|server| server.points.is_empty()) { Vec::new() } else { lines };
    over_time("Processor time", "all processes of each together", "% of a core", lines)
}

fn memory(seconds: &[Second]) -> Chart {
    let mebibytes = |second: &Second| second.server_memory_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
    over_time(
        "The server's memory",
        "resident, all its processes together",
        "MiB",
        vec![line("server", seconds, mebibytes)],
    )
}

fn over_time(title: &str, subtitle: &str, y: &str, lines: Vec<Line>) -> Chart {
    Chart {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        x: "seconds since the first connection was opened".to_owned(),
        y: y.to_owned(),
        steps: Vec::new(),
        is_logarithmic: false,
        lines,
    }
}

fn line(name: &str, seconds: &[Second], value: impl Fn(&Second) -> Option<f64>) -> Line {
    let seconds = seconds.iter().filter(|second| second.lasted_s > SHORTEST.as_secs_f64());
    let points = seconds.filter_map(|second| Some((second.at_s, value(second)?))).collect();
    Line { name: name.to_owned(), points }
}

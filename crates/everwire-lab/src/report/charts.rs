//! Charts: the varied quantity or time to the right, the servers as lines.

use everwire_load::{Chart, Line, Phase, Second};

use super::results::{self, Metric, Results};
use crate::experiment::Experiment;
use crate::server::Implementation;

const P99: &str = "Round trip, 99th percentile";
const SCALE: &str = "logarithmic scale";
const MIB: f64 = (1 << 20) as f64;

/// The charts of an experiment that are not empty, each with the name of its file.
pub(super) fn of(results: &Results, experiment: Experiment) -> Vec<(String, Chart)> {
    let steps = |what: &str, x: &str| StepCharts { results, experiment, what: what.to_owned(), x: x.to_owned() };
    let charts = match experiment {
        Experiment::Most => vec![("latency", latency_over_time(results)), ("memory", memory_over_time(results))],
        Experiment::Workers => {
            steps("one or two worker processes, the same load", "worker processes of the server").cpu_and_latency()
        }
        Experiment::PingPeriod => {
            steps("the same connections with shorter and shorter ping periods", "one message every").cpu_and_latency()
        }
        Experiment::Connections => {
            let steps = steps("the number of connections varies, not the message rate of each", "connections");
            let memory = ("memory", steps.memory());
            steps.cpu_and_latency().into_iter().chain([memory]).collect()
        }
        Experiment::MessageSize => {
            steps("the same connections and message rate with larger and larger messages", "payload").cpu_and_latency()
        }
    };
    let charts = charts.into_iter().filter(|(_, chart)| !chart.is_empty());
    charts.map(|(name, chart)| (format!("{}-{name}.svg", experiment.id()), chart)).collect()
}

/// What the charts of an experiment with steps have in common.
struct StepCharts<'a> {
    results: &'a Results,
    experiment: Experiment,
    what: String,
    x: String,
}

impl StepCharts<'_> {
    fn cpu_and_latency(&self) -> Vec<(&'static str, Chart)> {
        let subtitle = format!("{}; {SCALE}", self.what);
        let latency = Chart { is_logarithmic: true, subtitle, ..self.chart(P99, "ms", results::p99, 1.0) };
        vec![("cpu", self.chart("CPU time", "% of a core", results::cpu, 1.0)), ("latency", latency)]
    }

    fn memory(&self) -> Chart {
        self.chart("Memory of the server", "MiB", results::memory, MIB)
    }

    /// The medians divided by `unit`.
    fn chart(&self, title: &str, y: &str, metric: Metric, unit: f64) -> Chart {
        let steps = self.results.steps(self.experiment);
        let lines = Implementation::ALL.iter().map(|implementation| {
            let points = steps.iter().enumerate().filter_map(|(index, step)| {
                let statistics = self.results.runs(self.experiment, step, implementation).statistics(metric)?;
                Some((index as f64, statistics.median / unit))
            });
            Line { name: implementation.name.to_owned(), points: points.collect() }
        });
        Chart {
            title: title.to_owned(),
            subtitle: self.what.clone(),
            x: self.x.clone(),
            y: y.to_owned(),
            steps: steps.iter().map(|step| step.label.clone()).collect(),
            is_logarithmic: false,
            lines: lines.collect(),
        }
    }
}

fn latency_over_time(results: &Results) -> Chart {
    let lines = over_time(results, |seconds| {
        let load: Vec<&Second> = seconds.iter().filter(|second| second.phase == Phase::Load).collect();
        let start = load.first().map_or(0.0, |second| second.at_s - second.lasted_s);
        load.into_iter().filter_map(|second| Some((second.at_s - start, second.round_trip?.p99_ms))).collect()
    });
    Chart {
        title: P99.to_owned(),
        subtitle: format!("in each second of the load; {SCALE}"),
        x: "seconds since the start of the load".to_owned(),
        y: "ms".to_owned(),
        steps: Vec::new(),
        is_logarithmic: true,
        lines,
    }
}

fn memory_over_time(results: &Results) -> Chart {
    let lines = over_time(results, |seconds| {
        seconds.iter().filter_map(|second| Some((second.at_s, second.server_memory_bytes? as f64 / MIB))).collect()
    });
    Chart {
        title: "Memory of the server".to_owned(),
        subtitle: "resident, all its processes together, while connections open and then send".to_owned(),
        x: "seconds since the first connection attempt".to_owned(),
        y: "MiB".to_owned(),
        steps: Vec::new(),
        is_logarithmic: false,
        lines,
    }
}

/// Of the first run: a series over time has no median.
fn over_time(results: &Results, points: impl Fn(&[Second]) -> Vec<(f64, f64)>) -> Vec<Line> {
    let Some(step) = results.steps(Experiment::Most).into_iter().next() else { return Vec::new() };
    let lines = Implementation::ALL.iter().map(|implementation| {
        let runs = results.runs(Experiment::Most, &step, implementation);
        let points = runs.measurements().next().map(|measurement| points(&measurement.seconds)).unwrap_or_default();
        Line { name: implementation.name.to_owned(), points }
    });
    lines.collect()
}

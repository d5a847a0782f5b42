//! The stored results by experiment, step and server, and the statistics over several runs.

use anyhow::Result;
use clap::ValueEnum;
use everwire_load::{Percentiles, Summary};

use crate::experiment::Experiment;
use crate::server::Implementation;
use crate::store::{Machine, Store, StoredResults};
use crate::text::{Digits, count, in_markdown};
use crate::trial::{Measurement, TrialInfo, TrialResult};

/// All stored results, in the order of the page.
pub(super) struct Results(Vec<(Experiment, StoredResults)>);

/// A step of an experiment as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MeasuredStep {
    pub(super) number: usize,
    pub(super) label: String,
    pub(super) x: f64,
}

impl Results {
    pub(super) fn read(store: &Store) -> Result<Self> {
        let mut all = Vec::new();
        for experiment in Experiment::value_variants() {
            all.extend(store.read(*experiment)?.map(|results| (*experiment, results)));
        }
        Ok(Self(all))
    }

    #[cfg(test)]
    pub(super) fn of(all: Vec<(Experiment, StoredResults)>) -> Self {
        Self(all)
    }

    pub(super) fn experiments(&self) -> impl Iterator<Item = Experiment> {
        self.0.iter().map(|(experiment, _)| *experiment)
    }

    /// The machine of each experiment.
    pub(super) fn machines(&self) -> impl Iterator<Item = (Experiment, &Machine)> {
        self.0.iter().map(|(experiment, results)| (*experiment, &results.machine))
    }

    /// The measured steps of an experiment, in order.
    pub(super) fn steps(&self, experiment: Experiment) -> Vec<MeasuredStep> {
        let infos = self.trials(experiment).iter().map(|trial| &trial.info);
        let mut steps: Vec<MeasuredStep> =
            infos.map(|info| MeasuredStep { number: info.step, label: info.label.clone(), x: info.x }).collect();
        steps.sort_by_key(|step| step.number);
        steps.dedup();
        steps
    }

    pub(super) fn runs(
        &self,
        experiment: Experiment,
        step: &MeasuredStep,
        implementation: &Implementation,
    ) -> Runs<'_> {
        let trials = self.trials(experiment).iter();
        let is_of_server = |info: &TrialInfo| info.step == step.number && info.implementation == implementation.id;
        Runs(trials.filter(|trial| is_of_server(&trial.info)).collect())
    }

    fn trials(&self, experiment: Experiment) -> &[TrialResult] {
        let results = self.0.iter().find(|(its, _)| *its == experiment);
        results.map_or(&[], |(_, results)| &results.trials)
    }
}

/// The runs of one step against one server.
pub(super) struct Runs<'a>(Vec<&'a TrialResult>);

impl<'a> Runs<'a> {
    /// Of the first run; apart from its number it is the same for all. `None` if there is no run.
    pub(super) fn info(&self) -> Option<&'a TrialInfo> {
        self.0.first().map(|trial| &trial.info)
    }

    pub(super) fn measurements(&self) -> impl Iterator<Item = &'a Measurement> {
        self.0.iter().filter_map(|trial| trial.outcome.as_ref().ok())
    }

    pub(super) fn summaries(&self) -> impl Iterator<Item = &'a Summary> {
        self.measurements().map(|measurement| &measurement.summary)
    }

    pub(super) fn statistics(&self, metric: Metric) -> Option<Statistics> {
        Statistics::of(self.summaries().filter_map(metric))
    }

    /// The sum over all runs.
    pub(super) fn total(&self, counter: Counter) -> u64 {
        self.summaries().map(counter).sum()
    }

    /// Whether every connection was opened and stayed open, and every message was answered.
    pub(super) fn is_flawless(&self) -> bool {
        !self.0.is_empty() && self.problems().is_empty()
    }

    /// What went wrong, in Markdown.
    pub(super) fn problems(&self) -> Vec<String> {
        let failures: Vec<&String> = self.0.iter().filter_map(|trial| trial.outcome.as_ref().err()).collect();
        let failure = failures.first().map(|reason| match (failures.len(), self.0.len()) {
            (some, all) if some == all => format!("left out: {}", in_markdown(reason)),
            (some, all) => format!("{some} of {all} runs left out: {}", in_markdown(reason)),
        });
        let counts: [(Counter, &str); 3] =
            [(not_open, "not open"), (lost, "messages lost"), (|summary| summary.disconnects, "connections lost")];
        let counts = counts.into_iter().map(|(counter, what)| (self.total(counter), what));
        let counts = counts.filter(|(count, _)| *count > 0);
        failure.into_iter().chain(counts.map(|(number, what)| format!("{} {what}", count(number)))).collect()
    }
}

/// A figure of one run; several runs give [`Statistics`].
pub(super) type Metric = fn(&Summary) -> Option<f64>;

/// A count of one run; several runs give a sum.
pub(super) type Counter = fn(&Summary) -> u64;

/// CPU time of the server, in per cent of a core.
pub(super) fn cpu(summary: &Summary) -> Option<f64> {
    summary.server.as_ref().map(|server| server.cpu_percent)
}

/// The most memory of the server, in bytes.
pub(super) fn memory(summary: &Summary) -> Option<f64> {
    summary.server.as_ref().map(|server| server.memory_max_bytes as f64)
}

/// Answers per second.
pub(super) fn rate(summary: &Summary) -> Option<f64> {
    Some(summary.messages_per_second)
}

/// The median round trip, in milliseconds.
pub(super) fn p50(summary: &Summary) -> Option<f64> {
    round_trip(summary).map(|times| times.p50_ms)
}

/// The 99th percentile of the round trips, in milliseconds.
pub(super) fn p99(summary: &Summary) -> Option<f64> {
    round_trip(summary).map(|times| times.p99_ms)
}

/// The longest round trip, in milliseconds.
pub(super) fn longest(summary: &Summary) -> Option<f64> {
    round_trip(summary).map(|times| times.max_ms)
}

/// The 99th percentile of how late the load generator itself sent its messages, in milliseconds.
pub(super) fn late(summary: &Summary) -> Option<f64> {
    summary.round_trips.lag.map(|times| times.p99_ms)
}

pub(super) fn lost(summary: &Summary) -> u64 {
    summary.round_trips.lost
}

fn not_open(summary: &Summary) -> u64 {
    u64::from(summary.setting.connections).saturating_sub(summary.opening.opened)
}

fn round_trip(summary: &Summary) -> Option<Percentiles> {
    summary.round_trips.round_trip
}

/// A metric over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Statistics {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Statistics {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { min, median, max })
    }

    /// Whether the ranges overlap: a run of one could as well be a run of the other.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// `3.1 % (2.9–3.4)`; without brackets if they would add nothing.
    pub(super) fn text(self, digits: Digits, unit: &str) -> String {
        let (median, range) = (digits(self.median), self.range(digits));
        if range == median { format!("{median}{unit}") } else { format!("{median}{unit} ({range})") }
    }

    /// `2.9–3.4`; a single number if both are the same.
    pub(super) fn range(self, digits: Digits) -> String {
        let [min, max] = [self.min, self.max].map(digits);
        if min == max { max } else { format!("{min}–{max}") }
    }
}

/// How a server's CPU time grew with the varied quantity, between the first and the last step without a flaw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Growth {
    pub(super) from: MeasuredStep,
    pub(super) to: MeasuredStep,
    /// The CPU time at either, in per cent of a core.
    pub(super) cpu: (f64, f64),
}

impl Growth {
    pub(super) fn between(
        results: &Results,
        experiment: Experiment,
        steps: &[MeasuredStep],
        implementation: &Implementation,
    ) -> Option<Self> {
        let points = steps.iter().filter_map(|step| {
            let runs = results.runs(experiment, step, implementation);
            let cpu = runs.statistics(cpu)?.median;
            (runs.is_flawless() && cpu > 0.0).then_some((step, cpu))
        });
        let points: Vec<(&MeasuredStep, f64)> = points.collect();
        let ((from, less), (to, more)) = (*points.first()?, *points.last()?);
        (to.x > from.x).then(|| Self { from: from.clone(), to: to.clone(), cpu: (less, more) })
    }

    /// The factor by which the CPU time grows when the varied quantity grows tenfold, assuming even (power-law) growth. It makes
    /// experiments with different ranges comparable.
    pub(super) fn tenfold(&self) -> f64 {
        10_f64.powf((self.cpu.1 / self.cpu.0).ln() / (self.to.x / self.from.x).ln())
    }
}

/// Results for the tests of the report.
#[cfg(test)]
pub(super) mod fixture {
    use everwire_load::{Opening, Percentiles, RoundTrips, ServerUse, Setting, Summary};

    use crate::experiment::Experiment;
    use crate::server::Processes;
    use crate::store::{self, StoredResults};
    use crate::trial::{Measurement, TrialInfo, TrialResult};

    /// An experiment on the machine for tests.
    pub(in crate::report) fn stored(experiment: Experiment, trials: Vec<TrialResult>) -> (Experiment, StoredResults) {
        (experiment, StoredResults { machine: store::fixture(), trials })
    }

    /// A run of Everwire without a flaw, with this [`summary`]. The label of the step is its `x`.
    pub(in crate::report) fn run(step: usize, run: u32, x: f64, cpu_percent: f64, p99_ms: f64) -> TrialResult {
        let info = TrialInfo {
            experiment: Experiment::Workers,
            run,
            step,
            label: x.to_string(),
            x,
            implementation: "everwire".into(),
            processes: Processes { workers: 2, threads: None },
            server_command: "serve".into(),
            load_command: format!("load {x}"),
        };
        TrialResult { info, outcome: Ok(Measurement { seconds: Vec::new(), summary: summary(cpu_percent, p99_ms) }) }
    }

    /// The median of the round trips is a tenth of the 99th percentile.
    fn summary(cpu_percent: f64, p99_ms: f64) -> Summary {
        let times = Percentiles {
            count: 100,
            mean_ms: 1.0,
            p50_ms: p99_ms / 10.0,
            p90_ms: p99_ms / 2.0,
            p99_ms,
            p999_ms: p99_ms * 2.0,
            max_ms: p99_ms * 3.0,
        };
        Summary {
            setting: Setting {
                connections: 25_000,
                ping_period: "2.5s".into(),
                payload_bytes: 64,
                warm_up_s: 3.0,
                ..Setting::default()
            },
            opening: Opening { opened: 25_000, seconds: 25.0, handshake: None },
            load_s: 30.0,
            messages_per_second: 10_000.0,
            round_trips: RoundTrips {
                sent: 300_000,
                answered: 300_000,
                round_trip: Some(times),
                lag: Some(Percentiles { p99_ms: 1.5, ..times }),
                ..RoundTrips::default()
            },
            server: Some(ServerUse { processes: 3, cpu_percent, memory_max_bytes: 100 << 20, ..ServerUse::default() }),
            ..Summary::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{run, stored};
    use super::*;
    use crate::text::percent;

    fn statistics(values: &[f64]) -> Statistics {
        Statistics::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_shown_with_the_minimum_and_the_maximum() {
        assert_eq!(statistics(&[30.0, 10.0, 11.0]).text(percent, " %"), "11 % (10–30)");
        assert_eq!(statistics(&[30.0, 10.0, 11.0, 13.0]).text(percent, ""), "12 (10–30)");
        assert_eq!(statistics(&[3.0]).text(percent, " %"), "3.0 %");
        assert_eq!(Statistics::of(std::iter::empty()), None);
    }

    #[test]
    fn runs_overlap_if_one_could_belong_to_either() {
        let overlap = |a: &[f64], b: &[f64]| statistics(a).overlaps(statistics(b));
        assert!(overlap(&[1.0, 3.0], &[2.0, 9.0]) && overlap(&[2.0, 9.0], &[1.0, 3.0]));
        assert!(!overlap(&[1.0, 3.0], &[4.0, 9.0]) && !overlap(&[4.0, 9.0], &[1.0, 3.0]));
    }

    #[test]
    fn what_grows_in_step_grows_tenfold_and_what_does_not_grow_stays() {
        let step = |x| MeasuredStep { number: 0, label: String::new(), x };
        let close = |x: f64, cpu: f64, expected: f64| {
            let growth = Growth { from: step(1.0), to: step(x), cpu: (1.0, cpu) };
            (growth.tenfold() - expected).abs() < 1e-9
        };
        assert!(close(25.0, 25.0, 10.0) && close(1024.0, 1.0, 1.0) && close(100.0, 4.0, 2.0));
    }

    #[test]
    fn a_step_in_which_a_run_lost_something_does_not_count() {
        let trials = [1.0, 2.0, 3.0].into_iter().enumerate().map(|(step, x)| run(step, 0, x, 10.0 * x, 1.0));
        let mut trials: Vec<_> = trials.collect();
        let mut flawed = run(2, 1, 3.0, 30.0, 1.0);
        flawed.outcome.as_mut().unwrap().summary.round_trips.lost = 1;
        trials.push(flawed);
        let results = Results::of(vec![stored(Experiment::Connections, trials)]);
        let steps = results.steps(Experiment::Connections);
        let growth = Growth::between(&results, Experiment::Connections, &steps, &Implementation::ALL[0]).unwrap();
        assert_eq!((growth.from.x, growth.to.x, growth.cpu), (1.0, 2.0, (10.0, 20.0)));
    }
}

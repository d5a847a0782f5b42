use super::figure;
use super::results::{Results, Step};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;

/// How a server's processor time grew with what was varied, between the least and the greatest step that it took without a flaw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Growth {
    pub(super) from: Step,
    pub(super) to: Step,
    /// The processor time at either, in per cent of a core.
    pub(super) cpu: (f64, f64),
}

impl Growth {
    pub(super) fn measured(
        results: &Results,
        experiment: Experiment,
        steps: &[Step],
        contender: &Contender,
    ) -> Option<Self> {
        let points = steps.iter().filter_map(|step| {
            let runs = results.runs(experiment, step, contender);
            let cpu = runs.spread(figure::cpu)?.median;
            (runs.is_flawless() && cpu > 0.0).then_some((step, cpu))
        });
        let points: Vec<(&Step, f64)> = points.collect();
        let ((from, less), (to, more)) = (*points.first()?, *points.last()?);
        (to.x > from.x).then(|| Self { from: from.clone(), to: to.clone(), cpu: (less, more) })
    }

    /// By how much the processor time grows where what is varied grows ten times, if it does so evenly: what makes experiments
    /// with different ranges comparable.
    pub(super) fn tenfold(&self) -> f64 {
        10_f64.powf((self.cpu.1 / self.cpu.0).ln() / (self.to.x / self.from.x).ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render::fixture::{measured, run};

    #[test]
    fn what_grows_in_step_grows_tenfold_and_what_does_not_grow_stays() {
        let step = |x| Step { number: 0, label: String::new(), x };
        let close = |x: f64, cpu: f64, expected: f64| {
            let growth = Growth { from: step(1.0), to: step(x), cpu: (1.0, cpu) };
            (growth.tenfold() - expected).abs() < 1e-9
        };
        assert!(close(25.0, 25.0, 10.0) && close(1024.0, 1.0, 1.0) && close(100.0, 4.0, 2.0));
    }

    #[test]
    fn a_step_in_which_a_run_lost_something_does_not_count() {
        let mut told: Vec<_> =
            [1.0, 2.0, 3.0].into_iter().enumerate().map(|(step, x)| run(step, 0, x, 10.0 * x, 1.0)).collect();
        let mut flawed = run(2, 1, 3.0, 30.0, 1.0);
        flawed.outcome.as_mut().unwrap().summary.round_trips.lost = 1;
        told.push(flawed);
        let results = Results::of(vec![measured(Experiment::Connections, told)]);
        let steps = results.steps(Experiment::Connections);
        let growth = Growth::measured(&results, Experiment::Connections, &steps, &Contender::ALL[0]).unwrap();
        assert_eq!((growth.from.x, growth.to.x, growth.cpu), (1.0, 2.0, (10.0, 20.0)));
    }
}

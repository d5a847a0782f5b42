use super::results::{Results, is_flawless};
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;

/// How a server's processor time grew with what was varied, between the least and the greatest step that it took without a flaw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// By how much what was varied grew.
    pub(super) of: f64,
    /// By how much the processor time did.
    pub(super) cpu: f64,
}

impl Growth {
    pub(super) fn measured(results: &Results, experiment: Experiment, contender: &Contender) -> Option<Self> {
        let points = results.steps(experiment).into_iter().filter_map(|step| {
            let summary = &results.outcome(experiment, step.number, contender)?.summary;
            let cpu = summary.server.as_ref()?.cpu_percent;
            (is_flawless(summary) && cpu > 0.0).then_some((step.x, cpu))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let ((least, cpu), (most, more_cpu)) = (*points.first()?, *points.last()?);
        (most > least).then(|| Self { of: most / least, cpu: more_cpu / cpu })
    }

    /// By how much the processor time grows where what is varied grows ten times, if it does so evenly: what makes experiments
    /// with different ranges comparable.
    pub(super) fn tenfold(self) -> f64 {
        10_f64.powf(self.cpu.ln() / self.of.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_in_step_grows_tenfold_and_what_does_not_grow_stays() {
        let close = |growth: Growth, expected: f64| (growth.tenfold() - expected).abs() < 1e-9;
        assert!(close(Growth { of: 25.0, cpu: 25.0 }, 10.0));
        assert!(close(Growth { of: 1024.0, cpu: 1.0 }, 1.0));
        assert!(close(Growth { of: 100.0, cpu: 4.0 }, 2.0));
    }
}

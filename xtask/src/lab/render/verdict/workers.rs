//! One worker process against two.

use super::change::Change;
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::render::figure::{self, Figure};
use crate::lab::render::results::Results;
use crate::lab::render::runs::Runs;
use crate::lab::text::{Digits, milliseconds, percent};

pub(super) fn of(results: &Results) -> Option<String> {
    let steps = results.steps(Experiment::Workers);
    let [one, two] = steps.as_slice() else { return None };
    let lines: String = Contender::ALL
        .iter()
        .filter_map(|contender| {
            let [one, two] = [one, two].map(|step| results.runs(Experiment::Workers, step, contender));
            Some(format!("\n- {}: {}", contender.name, compared(&one, &two)?))
        })
        .collect();
    (!lines.is_empty()).then(|| format!("**Two worker processes instead of one**, under the same load:\n{lines}"))
}

fn compared(one: &Runs<'_>, two: &Runs<'_>) -> Option<String> {
    let figures: [(&str, Figure, Digits, &str); 3] = [
        ("p50", figure::p50, milliseconds, " ms"),
        ("p99", figure::p99, milliseconds, " ms"),
        ("processor time", figure::cpu, percent, " %"),
    ];
    let clauses = figures.into_iter().map(|(name, figure, digits, unit)| {
        let (before, after) = (one.spread(figure)?, two.spread(figure)?);
        let change = Change::between(before, after);
        Some(change.told(name, &before.text(digits, unit), &after.text(digits, unit)))
    });
    let mut clauses = clauses.collect::<Option<Vec<String>>>()?;
    for (runs, name) in [(one, "one"), (two, "two")] {
        let troubles = runs.troubles();
        clauses.extend((!troubles.is_empty()).then(|| format!("with {name}: {}", troubles.join(", "))));
    }
    Some(clauses.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render::fixture::{measured, run};

    #[test]
    fn two_workers_are_compared_with_one_over_all_runs() {
        let one = [(40.0, 8.0), (41.0, 7.0), (39.0, 9.0)];
        let two = [(60.0, 4.0), (61.0, 3.0), (20.0, 9.5)];
        let told = (0..).zip([one, two]).flat_map(|(step, runs)| {
            (0..).zip(runs).map(move |(number, (cpu, p99))| run(step, number, 1.0 + step as f64, cpu, p99))
        });
        let mut told: Vec<_> = told.collect();
        let text = |told| of(&Results::of(vec![measured(Experiment::Workers, told)])).unwrap();
        let line = "- Everwire: p50 differs no more than its runs do, 0.80 ms (0.70–0.90) and 0.40 ms (0.30–0.95); \
                    p99 differs no more than its runs do, 8.00 ms (7.00–9.00) and 4.00 ms (3.00–9.50); \
                    processor time differs no more than its runs do, 40 % (39–41) and 60 % (20–61)";
        assert!(text(told.clone()).contains(line), "{}", text(told));
        told.pop();
        let line = "p99 falls from 8.00 ms (7.00–9.00) to 3.50 ms (3.00–4.00); \
                    processor time rises from 40 % (39–41) to 60 % (60–61)";
        assert!(text(told.clone()).contains(line), "{}", text(told));
    }

    #[test]
    fn what_was_lost_is_told_beside_the_comparison() {
        let mut told = vec![run(0, 0, 1.0, 40.0, 8.0), run(1, 0, 2.0, 40.0, 8.0)];
        told[1].outcome.as_mut().unwrap().summary.round_trips.lost = 3;
        let text = of(&Results::of(vec![measured(Experiment::Workers, told)])).unwrap();
        assert!(
            text.contains("processor time stays about the same, 40 % and 40 %; with two: 3 messages lost"),
            "{text}"
        );
    }
}

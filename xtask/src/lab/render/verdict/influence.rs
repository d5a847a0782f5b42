//! "Load grows with pings and connections more than with message size."

use super::change::QUARTER;
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;
use crate::lab::render::growth::Growth;
use crate::lab::render::results::{Results, Step};
use crate::lab::text::{list, percent, times};

/// What is said of small messages ends here, in bytes: beyond it, copying outweighs what each message costs.
const SMALL: f64 = 1024.0;

/// Steps between which growth is told: a column of the table.
struct Range {
    experiment: Experiment,
    steps: Vec<Step>,
}

impl Range {
    fn growth(&self, results: &Results, contender: &Contender) -> Option<Growth> {
        Growth::measured(results, self.experiment, &self.steps, contender)
    }

    fn first(&self) -> &str {
        self.steps.first().map_or("", |step| &step.label)
    }

    fn last(&self) -> &str {
        self.steps.last().map_or("", |step| &step.label)
    }

    fn heading(&self) -> String {
        let (first, last) = (self.first(), self.last());
        match self.experiment {
            Experiment::PingPeriod => format!("pings a second: one every {first} to one every {last}"),
            Experiment::Connections => format!("connections, each with its pings: {first} to {last}"),
            _ => format!("message size: {first} to {last}"),
        }
    }

    fn cell(&self, growth: Option<&Growth>) -> String {
        let Some(growth) = growth else { return "–".to_owned() };
        let (less, more) = growth.cpu;
        let (less, more) = (percent(less), percent(more));
        // Where a server lost something at an end of the range, its own is shorter.
        let is_whole = growth.from.label == self.first() && growth.to.label == self.last();
        let own = if is_whole { String::new() } else { format!(", {} to {}", growth.from.label, growth.to.label) };
        format!("× {} ({less} to {more} %{own})", times(growth.tenfold()))
    }
}

pub(super) fn of(results: &Results) -> Option<String> {
    let [pings, connections] = [Experiment::PingPeriod, Experiment::Connections]
        .map(|experiment| Range { experiment, steps: results.steps(experiment) });
    let sizes = sizes(results.steps(Experiment::MessageSize));
    let verdicts: Vec<String> = sizes.iter().filter_map(|size| verdict(results, &pings, &connections, size)).collect();
    if verdicts.is_empty() {
        return None;
    }
    let columns: Vec<&Range> = [&pings, &connections].into_iter().chain(&sizes).collect();
    let rows = Contender::ALL.iter().map(|contender| {
        let cells = columns.iter().map(|range| range.cell(range.growth(results, contender).as_ref()));
        format!("\n| {} | {} |", contender.name, cells.collect::<Vec<_>>().join(" | "))
    });
    Some(format!(
        "**“Load grows with pings and connections more than with message size.”** {}\n\n\
         Where what is varied grows ten times, the server's processor time grows so many times, if it does so evenly between the \
         ends of the range; in brackets what it was there, in per cent of a core:\n\n\
         | server | {} |\n|---|{}{}",
        verdicts.join(" "),
        columns.iter().map(|range| range.heading()).collect::<Vec<_>>().join(" | "),
        "---:|".repeat(columns.len()),
        rows.collect::<String>()
    ))
}

/// Small messages and larger ones; all together where there are not enough steps to tell them apart.
fn sizes(steps: Vec<Step>) -> Vec<Range> {
    let small = steps.iter().filter(|step| step.x <= SMALL).count();
    let experiment = Experiment::MessageSize;
    if small < 2 || small == steps.len() {
        return vec![Range { experiment, steps }];
    }
    let (up_to, beyond) = (steps[..small].to_vec(), steps[small - 1..].to_vec());
    vec![Range { experiment, steps: up_to }, Range { experiment, steps: beyond }]
}

/// For whom the claim holds over a range of sizes; nothing where nobody was measured.
fn verdict(results: &Results, pings: &Range, connections: &Range, size: &Range) -> Option<String> {
    let (mut holding, mut contrary, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for contender in &Contender::ALL {
        let growth = |range: &Range| Some(range.growth(results, contender)?.tenfold());
        let (Some(pings), Some(connections), Some(size)) = (growth(pings), growth(connections), growth(size)) else {
            continue;
        };
        let group = if pings.min(connections) > size * QUARTER {
            &mut holding
        } else if size > pings.max(connections) * QUARTER {
            &mut contrary
        } else {
            &mut open
        };
        group.push(contender.name.to_owned());
    }
    let all = holding.len() + contrary.len() + open.len();
    let groups = [
        (holding, "it holds"),
        (contrary, "it is the other way round"),
        (open, "size weighs about as much as one of the two, or lies between them,"),
    ];
    let clauses = groups.into_iter().filter(|(names, _)| !names.is_empty()).map(|(names, what)| {
        if names.len() == all { format!("{what} for every server") } else { format!("{what} for {}", list(&names)) }
    });
    let clauses = clauses.collect::<Vec<_>>().join("; ");
    (all > 0).then(|| format!("From {} to {} a message, {clauses}.", size.first(), size.last()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render::fixture::{measured, run};

    /// The sizes are 64, 1024 and 65,536 bytes, and take the server 10 % and then these.
    fn judged(sizes: [f64; 2]) -> String {
        let steps = |points: &[(f64, f64)]| {
            (0..).zip(points).map(|(number, (x, cpu))| run(number, 0, *x, *cpu, 1.0)).collect::<Vec<_>>()
        };
        let results = Results::of(vec![
            measured(Experiment::PingPeriod, steps(&[(1.0, 10.0), (10.0, 50.0)])),
            measured(Experiment::Connections, steps(&[(1.0, 10.0), (10.0, 60.0)])),
            measured(Experiment::MessageSize, steps(&[(64.0, 10.0), (1024.0, sizes[0]), (65_536.0, sizes[1])])),
        ]);
        of(&results).unwrap()
    }

    #[test]
    fn small_messages_and_larger_ones_are_judged_by_themselves() {
        let text = judged([11.0, 9000.0]);
        assert!(text.contains("From 64 to 1024 a message, it holds for every server."), "{text}");
        assert!(text.contains("From 1024 to 65536 a message, it is the other way round for every server."), "{text}");
        let row = "| Everwire | × 5.0 (10 to 50 %) | × 6.0 (10 to 60 %) | × 1.1 (10 to 11 %) | × 41 (11 to 9000 %) |";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn what_grows_within_a_quarter_of_pings_or_connections_proves_nothing() {
        // × 4.5 for ten times the size.
        let text = judged([10.0 * 4.5_f64.powf(16_f64.log10()), 1e3]);
        let verdict = "From 64 to 1024 a message, size weighs about as much as one of the two, or lies between them, for every server.";
        assert!(text.contains(verdict), "{text}");
    }

    #[test]
    fn without_a_step_in_between_there_is_one_range() {
        let step = |x: f64| Step { number: 0, label: x.to_string(), x };
        assert_eq!(sizes(vec![step(64.0), step(65_536.0)]).len(), 1);
        assert_eq!(sizes(vec![step(64.0), step(512.0)]).len(), 1);
    }
}

//! The command lines of an experiment.

use super::results::Results;
use crate::lab::contender::Contender;
use crate::lab::experiment::Experiment;

/// For each server how it is started, and below it what is to be run then. What is the same for several steps is there once.
pub(super) fn of(results: &Results, experiment: Experiment) -> String {
    let steps = results.steps(experiment);
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for contender in &Contender::ALL {
        for head in steps.iter().filter_map(|step| results.runs(experiment, step, contender).head()) {
            let (server, load) = (head.server_command.as_str(), head.load_command.as_str());
            match groups.iter_mut().find(|(its, _)| *its == server) {
                Some((_, loads)) if loads.contains(&load) => {}
                Some((_, loads)) => loads.push(load),
                None => groups.push((server, vec![load])),
            }
        }
    }
    let groups = groups.iter().map(|(server, loads)| {
        let lines = server.lines().chain(loads.iter().copied());
        lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    });
    format!("<details><summary>Command lines</summary>\n\n{}\n\n</details>", groups.collect::<Vec<_>>().join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render::fixture::{measured, run};

    #[test]
    fn a_server_is_started_once_for_all_its_steps_and_runs() {
        let told = vec![run(0, 0, 1.0, 1.0, 1.0), run(1, 0, 2.0, 1.0, 1.0), run(0, 1, 1.0, 1.0, 1.0)];
        let mut other = run(2, 0, 3.0, 1.0, 1.0);
        (other.head.server_command, other.head.load_command) = ("serve\nserve".into(), "load 1".into());
        let mut same = run(3, 0, 4.0, 1.0, 1.0);
        same.head.load_command = "load 1".into();
        let told = told.into_iter().chain([other, same]).collect();
        let text = of(&Results::of(vec![measured(Experiment::Workers, told)]), Experiment::Workers);
        let lines = "    serve\n    load 1\n    load 2\n\n    serve\n    serve\n    load 1\n\n";
        assert!(text.contains(&format!("\n\n{lines}</details>")), "{text}");
    }
}

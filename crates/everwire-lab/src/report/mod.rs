//! From the stored results to `docs/results.md` and its charts. Every figure and every statement about one is computed here.
//!
//! # Layout
//! - this module: the page, with a section for each experiment, and where it goes
//! - [`results`]: the stored results by experiment, step and server, and the statistics over several runs
//! - [`tables`], [`charts`]: figures in Markdown and as pictures
//! - [`claims`]: what papers claim about load, and what was measured here

mod charts;
mod claims;
mod results;
mod tables;

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::experiment::Experiment;
use crate::server::Implementation;
use crate::store::{Machine, Store};
use crate::text::{count, list, time};
use results::{Results, Runs};

/// Where the page goes, and its charts: into a folder next to it, with the same name without `.md`.
pub(crate) struct Output {
    page: PathBuf,
    folder: PathBuf,
}

/// Writes the page and its charts.
pub(crate) fn write(store: &Store, output: &Output) -> Result<()> {
    let results = Results::read(store)?;
    let page = page(&results, output.folder_name()?).context("there are no results yet: run `cargo xtask lab`")?;
    output.clear_charts()?;
    for (name, chart) in results.experiments().flat_map(|experiment| charts::of(&results, experiment)) {
        fs::write(output.folder.join(name), chart.svg()?)?;
    }
    let file = output.page.display();
    fs::write(&output.page, page).with_context(|| format!("cannot write {file}"))?;
    println!("{file} and its charts are written.");
    Ok(())
}

impl Output {
    /// The page has to end in `.md`: otherwise its folder would have the same path.
    pub(crate) fn at(page: &Path) -> Result<Self> {
        let is_markdown = page.extension().is_some_and(|extension| extension == "md");
        ensure!(is_markdown, "{} has to end in .md", page.display());
        Ok(Self { page: page.to_owned(), folder: page.with_extension("") })
    }

    /// How the page refers to the folder.
    fn folder_name(&self) -> Result<&str> {
        let name = self.folder.file_name().and_then(OsStr::to_str);
        name.with_context(|| format!("{} is not a name for a folder of charts", self.folder.display()))
    }

    /// Makes the folder, and removes charts of experiments that no longer exist. Other files in it stay.
    fn clear_charts(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "svg") {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// `None` if nothing was measured.
fn page(results: &Results, folder: &str) -> Option<String> {
    // The page describes the machine of the last measurement; a section that differs from it says so.
    let (_, machine) = results.machines().max_by_key(|(_, machine)| &machine.date)?;
    let mut parts = vec![introduction(machine)];
    parts.extend(warning(results));
    parts.push(claims::of(results, machine));
    parts.extend(results.experiments().filter_map(|experiment| section(results, experiment, machine, folder)));
    parts.push(how_to_read(machine));
    let mut text = parts.join("\n\n");
    text.push('\n');
    Some(text)
}

fn introduction(machine: &Machine) -> String {
    format!(
        "# Load experiments: results\n\n\
         `cargo xtask lab` measured this on {} and wrote this page; no figure is written by hand. Servers and load \
         generator (`everwire-load`) shared one machine: {}.",
        machine.day(),
        machine.hardware()
    )
}

fn warning(results: &Results) -> Option<String> {
    let quick = results.machines().filter(|(_, machine)| machine.is_quick);
    let quick: Vec<String> = quick.map(|(experiment, _)| format!("`{}`", experiment.id())).collect();
    let what = if quick.len() == results.machines().count() { "All of this".to_owned() } else { list(&quick) };
    (!quick.is_empty()).then(|| {
        format!(
            "> **{what} was measured with `--quick`: small loads for moments, to see that everything works. Do not quote these \
             figures.**"
        )
    })
}

/// An experiment's part of the page: its settings, tables, charts, and the command lines. `None` if every server was left out.
fn section(results: &Results, experiment: Experiment, machine_of_page: &Machine, folder: &str) -> Option<String> {
    let mut text = format!("## {}\n\n{}\n\n", title(experiment), settings(results, experiment)?);
    let machine = results.machines().find(|(its, _)| *its == experiment).map(|(_, machine)| machine);
    if let Some(difference) = machine.and_then(|machine| machine.difference_from(machine_of_page)) {
        let _ = writeln!(text, "> Unlike the latest measurements, this was measured {difference}.\n");
    }
    let heading = match experiment {
        Experiment::Most | Experiment::Workers => None,
        Experiment::PingPeriod => Some("one message every"),
        Experiment::Connections => Some("connections"),
        Experiment::MessageSize => Some("message"),
    };
    match heading {
        None => text.push_str(&tables::in_full(results, experiment)),
        Some(heading) => text.push_str(&tables_by_step(results, experiment, heading)),
    }
    text.push_str("\n\n");
    for (name, chart) in charts::of(results, experiment) {
        let _ = writeln!(text, "![{}: {}]({folder}/{name})\n", chart.title, chart.subtitle);
    }
    text.push_str(&command_lines(results, experiment));
    Some(text)
}

fn title(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Most => "The maximum number of connections",
        Experiment::Workers => "One worker process or two",
        Experiment::PingPeriod => "The influence of the ping period",
        Experiment::Connections => "The influence of the number of connections",
        Experiment::MessageSize => "The influence of the size of messages",
    }
}

fn settings(results: &Results, experiment: Experiment) -> Option<String> {
    let steps = results.steps(experiment);
    let all = steps.iter().flat_map(|step| Implementation::ALL.map(|its| results.runs(experiment, step, &its)));
    let all: Vec<Runs<'_>> = all.collect();
    let summary = all.iter().find_map(|runs| runs.summaries().next())?;
    let setting = &summary.setting;
    let connections = format!("{} connections", count(setting.connections.into()));
    let every = format!("a message every {}", time(&setting.ping_period));
    let payload = format!("{} bytes", setting.payload_bytes);
    let seconds = format!("for {:.0} s after a warm-up of {:.0} s", summary.load_s, setting.warm_up_s);
    let how_often = match all.iter().map(|runs| runs.summaries().count()).max() {
        None | Some(0 | 1) => "One run.".to_owned(),
        Some(times) => format!("Medians of {times} runs, with the minimum and maximum in brackets."),
    };
    let what = match experiment {
        Experiment::Most => format!(
            "{connections}, each with {every} of {payload}, {seconds}. A server has as many processes as the limit on open files \
             requires."
        ),
        Experiment::Workers => format!(
            "{connections}, each with {every} of {payload}, {seconds}. Each worker process has one thread for its connections, \
             also Everwire's."
        ),
        Experiment::PingPeriod => format!("{connections}, each with messages of {payload}, {seconds}."),
        Experiment::Connections => format!("Each connection sends {every} of {payload}, {seconds}."),
        Experiment::MessageSize => format!("{connections}, each with {every}, {seconds}."),
    };
    Some(format!("{what} {how_often}"))
}

fn tables_by_step(results: &Results, experiment: Experiment, heading: &str) -> String {
    let mut text = format!(
        "CPU time of the server, in per cent of a core:\n\n{}\n\n\
         Round trip in ms, p50 / p99, and by how much the load generator itself was late:\n\n{}",
        tables::cpu(results, experiment, heading),
        tables::round_trips(results, experiment, heading)
    );
    if experiment == Experiment::Connections {
        let table = tables::memory(results, experiment, heading);
        let _ = write!(text, "\n\nPeak memory of all the server's processes:\n\n{table}");
    }
    text
}

/// How each server is started, and the load for it. What is the same for several steps is there once.
fn command_lines(results: &Results, experiment: Experiment) -> String {
    let steps = results.steps(experiment);
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for implementation in &Implementation::ALL {
        for info in steps.iter().filter_map(|step| results.runs(experiment, step, implementation).info()) {
            let (server, load) = (info.server_command.as_str(), info.load_command.as_str());
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

fn how_to_read(machine: &Machine) -> String {
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "## How to read this\n\n\
         - Every connection sends on a schedule of its own that a slow server does not move. A round trip counts from the time \
         that the message was due, so the wait behind a stalled server is part of it. “Sent late by” is the \
         load generator's own delay: its timers take up to 2 ms, which do not count in the round trip; more than that does.\n\
         - A figure is the median of its runs, with the minimum and maximum in brackets. In each run every server takes every step, \
         in turns. Losses are the sum over all runs.\n\
         - The load generator warms the server up with messages that do not count: a just-in-time compiler makes a server faster.\n\
         - CPU time is that of all processes of the server, from the system's scheduler, in per cent of one core. It does \
         not depend on other load, but a server with little to do spends more on each message than one under load.\n\
         - Latency depends on other load: the load generator used a part of the same {} cores.\n\
         - Memory is the peak resident memory of the server's processes, including what they had before the first connection and, in \
         Node.js, garbage that was not collected yet. It excludes the kernel's memory for TCP connections. `cargo xtask bench server` \
         measures the memory of an idle connection.\n\
         - A process of Everwire has a thread for each core, except in “{WORKERS}”, where it has one. A process of Node.js has one for \
         JavaScript. With several workers, Everwire's share a port and the system gives each its connections (`--reuse-port`). \
         Those of Node.js have one more process above them, of its `cluster` module, which hands out connections: `2 + 1` is two that \
         serve and this one; its CPU time and its memory count.\n\
         - The servers that Everwire is compared with are in `bench/reference`: each does no more than echo, without compression. socket.io and \
         SocketCluster give an application more than a bare WebSocket (events, acknowledgements, channels), and each message pays.\n\
         - The command lines work in the project's root after `cargo xtask setup` and `cargo build --release -p everwire-companion -p \
         everwire-load`: start a server in one terminal (two lines are two servers) and the load in another. The lab lets the system \
         choose ports, and adds `--quiet`, `--json` with a file, and `--server-pid` with the server's processes.\n\n\
         Versions: {}.\n\n\
         Measure again with `cargo xtask lab`; `cargo xtask lab --only most` repeats one experiment, and `--render` writes this page \
         again from what was measured last.",
        machine.cores,
        versions.join(", "),
        WORKERS = title(Experiment::Workers),
    )
}

#[cfg(test)]
mod tests {
    use super::results::fixture::{run, stored};
    use super::*;
    use crate::store::StoredResults;

    /// Two experiments; `change` changes the machine of the first.
    fn page_of_two(change: impl Fn(&mut Machine)) -> String {
        let trials = || vec![run(0, 0, 1.0, 10.0, 1.0)];
        let (experiment, StoredResults { mut machine, trials: first }) = stored(Experiment::Workers, trials());
        change(&mut machine);
        let first = (experiment, StoredResults { machine, trials: first });
        page(&Results::of(vec![first, stored(Experiment::PingPeriod, trials())]), "results").unwrap()
    }

    #[test]
    fn one_experiment_that_was_measured_with_quick_causes_a_warning() {
        let text = page_of_two(|machine| machine.is_quick = true);
        assert!(text.contains("> **`workers` was measured with `--quick`"), "{text}");
        assert!(text.contains("this was measured with `--quick`."), "{text}");
        assert!(!page_of_two(|_| ()).contains("--quick"));
    }

    #[test]
    fn an_experiment_that_was_measured_elsewhere_or_earlier_says_so() {
        let text = page_of_two(|machine| {
            machine.date = "2025-12-31T00:00:00Z".into();
            machine.cores = 32;
            machine.versions[0].1 = "22".into();
        });
        let remark =
            "measured on 2025-12-31, on another machine (a processor, 32 cores, 16 GiB, Linux 6) and with Node.js 22.";
        assert!(text.contains(remark) && text.contains("measured this on 2026-01-02"), "{text}");
        assert!(!page_of_two(|_| ()).contains("Unlike the latest"));
    }

    #[test]
    fn a_server_is_started_once_for_all_its_steps_and_runs() {
        let trials = vec![run(0, 0, 1.0, 1.0, 1.0), run(1, 0, 2.0, 1.0, 1.0), run(0, 1, 1.0, 1.0, 1.0)];
        let mut other = run(2, 0, 3.0, 1.0, 1.0);
        (other.info.server_command, other.info.load_command) = ("serve\nserve".into(), "load 1".into());
        let mut same = run(3, 0, 4.0, 1.0, 1.0);
        same.info.load_command = "load 1".into();
        let trials = trials.into_iter().chain([other, same]).collect();
        let text = command_lines(&Results::of(vec![stored(Experiment::Workers, trials)]), Experiment::Workers);
        let lines = "    serve\n    load 1\n    load 2\n\n    serve\n    serve\n    load 1\n\n";
        assert!(text.contains(&format!("\n\n{lines}</details>")), "{text}");
    }

    #[test]
    fn only_charts_are_removed_from_the_folder_of_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("out.md");
        let out = folder.path().join("out");
        fs::create_dir_all(out.join("source")).unwrap();
        for name in ["keep.txt", "source/main.rs", "old.svg"] {
            fs::write(out.join(name), "here").unwrap();
        }
        Output::at(&page).unwrap().clear_charts().unwrap();
        let exists = |name: &str| out.join(name).exists();
        assert!(exists("keep.txt") && exists("source/main.rs") && !exists("old.svg"));
    }

    #[test]
    fn a_page_without_the_extension_of_markdown_is_rejected() {
        for name in ["docs", "docs/results", "docs/results.txt", ".md"] {
            assert!(Output::at(Path::new(name)).is_err(), "{name}");
        }
    }
}

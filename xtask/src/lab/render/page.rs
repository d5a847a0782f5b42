//! The whole document.

use super::results::Results;
use super::{section, verdict};
use crate::lab::machine::Machine;
use crate::lab::text::list;

/// Nothing where nothing was measured.
pub(super) fn of(results: &Results, folder: &str) -> Option<String> {
    // What was measured last speaks for the page; a section that differs says so.
    let (_, machine) = results.machines().max_by_key(|(_, machine)| &machine.date)?;
    let mut parts = vec![introduction(machine)];
    parts.extend(warning(results));
    parts.push(verdict::of(results, machine));
    parts.extend(results.experiments().filter_map(|experiment| section::of(results, experiment, machine, folder)));
    parts.push(how_to_read(machine));
    let mut text = parts.join("\n\n");
    text.push('\n');
    Some(text)
}

fn introduction(machine: &Machine) -> String {
    format!(
        "# Load experiments: results\n\n\
         `cargo xtask lab` has measured this on {} and has written this page; no figure is written by hand. Servers and load \
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

fn how_to_read(machine: &Machine) -> String {
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "## How to read this\n\n\
         - Every connection sends on a schedule of its own that a slow server does not move. A round trip counts from the time \
         that the message was due, so what waits behind a stalled server is in it. “Sent late by” is the load generator's own \
         doing: the first 2 ms, which its timers take, are not in the round trip, and what is beyond them is.\n\
         - A figure is the median of its runs, with the least and the most in brackets. In each run every server takes every step, \
         in turns. What is lost is that of all runs together.\n\
         - Before messages count, some are sent that do not: a server that compiles what runs often works faster after that.\n\
         - Processor time is that of all processes of the server, from the system's scheduler, in per cent of one core. It does \
         not depend on who else was busy, but a server that is asked without haste works less efficiently than one under load.\n\
         - Latency does depend on it: the load generator took a part of the same {} cores.\n\
         - Memory is what the server's processes had resident at the most, with what they had before the first connection and, in \
         Node.js, with garbage that was not collected yet. What the kernel holds for a TCP connection is not in it. What an idle \
         connection takes is measured by `cargo xtask bench server`.\n\
         - A process of Everwire has a thread for each core, but for “{WORKERS}”, where it has one. A process of Node.js has one for \
         JavaScript. With several workers, Everwire's share a port and the system gives each its connections (`--reuse-port`). \
         Those of Node.js have one more process above them, of its `cluster` module, which hands out connections: `2 + 1` is two that \
         serve and this one; its processor time and its memory count.\n\
         - The servers that Everwire's is compared with are in `bench/reference`: each does no more than echo, without compression. socket.io and \
         SocketCluster give an application more than a bare WebSocket (events, acknowledgements, channels), and each message pays.\n\
         - The command lines work in the project's root after `cargo xtask setup` and `cargo build --release -p everwire-companion -p \
         everwire-load`: start a server in one terminal (two lines are two servers) and the load in another. The lab lets the system \
         choose ports, and adds `--quiet`, `--json` with a file, and `--server-pid` with the server's processes.\n\n\
         Versions: {}.\n\n\
         Measure again with `cargo xtask lab`; `cargo xtask lab --only most` repeats one experiment, and `--render` writes this page \
         anew from what was measured last.",
        machine.cores,
        versions.join(", "),
        WORKERS = section::title(crate::lab::experiment::Experiment::Workers),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::experiment::Experiment;
    use crate::lab::render::fixture::{measured, run};
    use crate::lab::store::Measured;

    /// Two experiments, the first as it is told.
    fn page(change: impl Fn(&mut Machine)) -> String {
        let told = || vec![run(0, 0, 1.0, 10.0, 1.0)];
        let (experiment, Measured { mut machine, told: first }) = measured(Experiment::Workers, told());
        change(&mut machine);
        let first = (experiment, Measured { machine, told: first });
        of(&Results::of(vec![first, measured(Experiment::PingPeriod, told())]), "results").unwrap()
    }

    #[test]
    fn one_experiment_that_was_measured_with_quick_is_warned_of() {
        let text = page(|machine| machine.is_quick = true);
        assert!(text.contains("> **`workers` was measured with `--quick`"), "{text}");
        assert!(text.contains("this was measured with `--quick`."), "{text}");
        assert!(!page(|_| ()).contains("--quick"));
    }

    #[test]
    fn an_experiment_that_was_measured_elsewhere_or_earlier_says_so() {
        let text = page(|machine| {
            machine.date = "2025-12-31T00:00:00Z".into();
            machine.cores = 32;
            machine.versions[0].1 = "22".into();
        });
        let remark =
            "measured on 2025-12-31, on another machine (a processor, 32 cores, 16 GiB, Linux 6) and with Node.js 22.";
        assert!(text.contains(remark) && text.contains("has measured this on 2026-01-02"), "{text}");
        assert!(!page(|_| ()).contains("Unlike what"));
    }
}

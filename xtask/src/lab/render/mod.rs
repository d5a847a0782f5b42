//! From the files of the trials to `docs/results.md` and its charts. Every figure and every verdict is computed here.
//!
//! # Layout
//! - [`results`]: what was measured, by experiment, step and server
//! - [`section`]: an experiment's part of the document
//! - [`table`], [`charts`]: its tables and pictures
//! - [`growth`], [`verdict`]: what the papers claim, and what came of it

mod charts;
mod growth;
mod results;
mod section;
mod table;
mod verdict;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::machine::Machine;
use results::Results;

pub(super) fn run(data: &Path, to: &Path) -> Result<()> {
    let machine = data.join("machine.json");
    let machine = fs::read_to_string(&machine).with_context(|| {
        format!("nothing was measured yet ({} is missing): run `cargo xtask lab`", machine.display())
    })?;
    let machine: Machine = serde_json::from_str(&machine)?;
    let results = Results::read(data)?;
    ensure!(!results.is_empty(), "nothing was measured yet: run `cargo xtask lab`");

    let pictures = to.with_extension("");
    // Charts of experiments that are no longer made would stay for ever.
    if pictures.exists() {
        fs::remove_dir_all(&pictures)?;
    }
    fs::create_dir_all(&pictures)?;
    for (name, chart) in charts::of(&results) {
        fs::write(pictures.join(name), chart.svg()?)?;
    }
    let folder = pictures.file_name().context("the document needs a name")?.to_string_lossy();
    fs::write(to, document(&machine, &results, &folder))?;
    println!("{} and its charts are written.", to.display());
    Ok(())
}

fn document(machine: &Machine, results: &Results, folder: &str) -> String {
    let mut parts = vec![introduction(machine), verdict::of(results, machine)];
    parts.extend(section::all(results, folder));
    parts.push(how_to_read(machine));
    let mut text = parts.join("\n\n");
    text.push('\n');
    text
}

fn introduction(machine: &Machine) -> String {
    let Machine { date, is_quick, cpu, cores, memory_gib, kernel, .. } = machine;
    let day = date.split('T').next().unwrap_or(date);
    let warning = if *is_quick {
        "\n\n> **Measured with `--quick`: small loads for seconds, to see that everything works. Do not quote these figures.**"
    } else {
        ""
    };
    format!(
        "# Load experiments: results\n\n\
         `cargo xtask lab` has measured this on {day} and has written this page; no figure is written by hand. Servers and load \
         generator (`everwire-load`) shared one machine: {cpu}, {cores} cores, {memory_gib:.0} GiB, {kernel}.{warning}"
    )
}

fn how_to_read(machine: &Machine) -> String {
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "## How to read this\n\n\
         - Every connection sends on a schedule of its own that a slow server does not move. A round trip counts from the time \
         that the message was due, so what waits behind a stalled server is in it.\n\
         - Processor time is that of all processes of the server, from the system's scheduler, in per cent of one core. It does \
         not depend on who else was busy, but a server that is asked without haste works less efficiently than one under load.\n\
         - Latency does depend on it: the load generator took a part of the same {} cores. Each figure is from one run; small \
         differences mean nothing.\n\
         - Memory is what the server's processes had resident. What the kernel holds for a TCP connection is not in it.\n\
         - The servers beside Everwire's are in `bench/reference`: each does no more than echo, without compression. socket.io and \
         SocketCluster give an application more than a bare WebSocket (events, acknowledgements, channels), and each message pays.\n\
         - To each command line of `everwire-load` were added `--quiet`, `--json` with a file, and `--server-pid` with the server's \
         processes.\n\
         - Several processes of a Node.js server are those of its `cluster` module; Everwire's share a port (`--reuse-port`).\n\n\
         Versions: {}.\n\n\
         Measure again with `cargo xtask lab`; `cargo xtask lab --only most` repeats one experiment, and `--render` writes this page \
         anew from what was measured last.",
        machine.cores,
        versions.join(", ")
    )
}

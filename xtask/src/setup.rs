//! Installs what is missing, or tells the person how to.

use std::fs;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::tools::{self, Need, Source, Tool, apt, cargo, npm, rustup};
use crate::workspace::Workspace;

/// Sees to it that every tool for the needs is there.
pub(crate) fn ensure(workspace: &Workspace, needs: &[Need]) -> Result<()> {
    let missing = tools::missing(workspace, needs)?;
    if missing.is_empty() {
        println!("Set-up: every tool is there.");
        return Ok(());
    }
    println!("Set-up: {} to install:", count(missing.len()));
    for Tool { name, version, why, takes, .. } in &missing {
        println!("  {name}, {version}: {why} ({takes})");
    }
    let start = Instant::now();
    install(workspace, &missing)?;
    // What is there counts, not what an installer said.
    let missing = tools::missing(workspace, needs)?;
    if missing.is_empty() {
        println!("Set-up: done in {} s.", start.elapsed().as_secs());
        return Ok(());
    }
    bail!(plea(&missing))
}

/// Tries every tool, also after one has failed, so that the person hears of all that is left to do at once.
fn install(workspace: &Workspace, missing: &[Tool]) -> Result<()> {
    let builds = workspace.target()?.join("xtask/tools");
    let of_debian = |tool: &&Tool| matches!(tool.source, Source::Apt { .. });
    let packages: Vec<&str> = missing.iter().filter(of_debian).map(|tool| tool.name).collect();
    if !packages.is_empty() {
        report(&packages.join(", "), apt::install(workspace, &packages));
    }
    for tool in missing {
        let Tool { name, version, source, .. } = tool;
        let result = match source {
            Source::Apt { .. } | Source::Person { .. } => continue,
            Source::RustComponent => rustup::add(workspace, "component", name),
            Source::RustTarget => rustup::add(workspace, "target", name),
            Source::Cargo(program) => cargo::install(workspace, &builds, name, version, program),
            Source::Npm => npm::install(workspace),
        };
        report(name, result);
    }
    // Nobody needs it any more, and it is large. It may never have been there.
    let _ = fs::remove_dir_all(builds);
    Ok(())
}

fn report(name: &str, result: Result<()>) {
    if let Err(error) = result {
        eprintln!("Set-up: {name} cannot be installed: {error:#}");
    }
}

/// What the person has to do, tool by tool.
fn plea(missing: &[Tool]) -> String {
    let lines = missing.iter().map(|tool| {
        let Tool { name, version, why, .. } = tool;
        format!("\n  {name}, {version}: {why}\n      {}", tool.command())
    });
    let lines: String = lines.collect();
    let count = count(missing.len());
    format!(
        "{count} could not be installed. Install by hand, then run this again:{lines}\n\
         The names of packages are Debian's; on another system install the same programs by its own means."
    )
}

fn count(tools: usize) -> String {
    match tools {
        1 => "one tool".to_owned(),
        _ => format!("{tools} tools"),
    }
}

//! Checks that the modules of the libraries do not import each other in a cycle.
//!
//! `cargo modules` prints which module uses which. Its own option `--acyclic` also reports cycles between the types and functions within
//! a module, such as a type and its methods, so the cycles between modules are found here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace::Workspace;

/// The libraries that applications and other crates build on.
const LIBRARIES: [&str; 7] = [
    "everwire-core",
    "everwire",
    "everwire-js",
    "everwire-yew",
    "everwire-server",
    "everwire-companion-api",
    "everwire-load",
];

/// The libraries that have other modules in browsers.
const IN_BROWSERS: [&str; 3] = ["everwire", "everwire-js", "everwire-yew"];

const BROWSER: [&str; 2] = ["--target", "wasm32-unknown-unknown"];

/// Reduces the output to modules and what they use of each other. The tool takes items that are not for browsers for tests.
const FLAGS: [&str; 8] = [
    "--all-features",
    "--cfg-test",
    "--no-externs",
    "--no-sysroot",
    "--no-fns",
    "--no-traits",
    "--no-types",
    "--no-owns",
];

#[derive(Args)]
pub(crate) struct Options {
    /// The libraries to check [default: all]
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
}

/// Which module uses which.
type Uses<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if workspace.which("cargo-modules").is_none() {
        bail!("`cargo modules` is missing: install it by `cargo install cargo-modules --version 0.27.0 --locked`");
    }
    let all = LIBRARIES.map(str::to_owned);
    let packages = if options.packages.is_empty() { &all[..] } else { &options.packages };
    for package in packages {
        check(workspace, package, &[])?;
        if IN_BROWSERS.contains(&package.as_str()) {
            check(workspace, package, &BROWSER)?;
        }
    }
    Ok(())
}

fn check(workspace: &Workspace, package: &str, target: &[&str]) -> Result<()> {
    let shown = if target.is_empty() { package.to_owned() } else { format!("{package} in browsers") };
    let command = workspace.command("cargo").args(["modules", "dependencies", "--lib", "--package", package]);
    let graph = command.args(FLAGS).args(target).output().with_context(|| format!("the modules of {shown}"))?;
    let uses = read(&graph);
    if let Some(cycle) = cycle(&uses) {
        bail!("{shown}: modules import each other in a cycle: {}", cycle.join(" → "));
    }
    println!("{shown}: {} modules, no cycle", uses.len());
    Ok(())
}

/// Reads the edges of a Graphviz graph.
fn read(graph: &str) -> Uses<'_> {
    let mut uses = Uses::new();
    for line in graph.lines() {
        let mut names = line.split('"').skip(1).step_by(2);
        if line.contains("\" -> \"")
            && let (Some(user), Some(used)) = (names.next(), names.next())
        {
            uses.entry(user).or_default().insert(used);
            uses.entry(used).or_default();
        }
    }
    uses
}

/// Modules of which each uses the next; the first is also the last.
fn cycle<'a>(uses: &Uses<'a>) -> Option<Vec<&'a str>> {
    let mut left = uses.clone();
    // A module that uses none of the remaining ones is in no cycle with them.
    while let Some(end) = left.iter().find(|(_, used)| used.is_empty()).map(|(name, _)| *name) {
        left.remove(end);
        for used in left.values_mut() {
            used.remove(end);
        }
    }
    let mut path = vec![*left.keys().next()?];
    loop {
        let next = *left[path.last()?].first()?;
        if let Some(start) = path.iter().position(|module| *module == next) {
            path.push(next);
            return Some(path.split_off(start));
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = r#"digraph {
    "app" [label="crate|app"]; // "crate" node
    "app::a" -> "app::b" [label="uses", color="red"] [constraint=false]; // "uses" edge
    "app::b" -> "app::c" [label="uses"] [constraint=false]; // "uses" edge
    "app" -> "app::a" [label="uses"] [constraint=false]; // "uses" edge
}"#;

    #[test]
    fn modules_that_use_each_other_in_one_direction_are_in_no_cycle() {
        let uses = read(GRAPH);
        assert_eq!((uses.len(), cycle(&uses)), (4, None));
    }

    #[test]
    fn a_cycle_is_reported_without_what_leads_to_it() {
        let graph = format!("{GRAPH}\n    \"app::c\" -> \"app::b\" [label=\"uses\"]");
        assert_eq!(cycle(&read(&graph)), Some(vec!["app::b", "app::c", "app::b"]));
    }
}

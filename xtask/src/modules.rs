//! Checks that the modules of the libraries do not import each other in a circle.
//!
//! `cargo modules` prints which module uses which. Its own option `--acyclic` also takes the types and functions within a module into
//! account, whose circles (a type and its methods) are none to avoid, so that the circles are looked for here.

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

/// Those with other modules in browsers.
const IN_BROWSERS: [&str; 3] = ["everwire", "everwire-js", "everwire-yew"];

const BROWSER: [&str; 2] = ["--target", "wasm32-unknown-unknown"];

/// Leaves modules and what they use of each other. The tool takes items that are not for browsers for tests.
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
    if let Some(circle) = circle(&uses) {
        bail!("{shown}: modules import each other in a circle: {}", circle.join(" → "));
    }
    println!("{shown}: {} modules, none in a circle with another", uses.len());
    Ok(())
}

/// Reads the edges of a graph in the language of Graphviz.
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

/// Modules of which each uses the next, and the last the first.
fn circle<'a>(uses: &Uses<'a>) -> Option<Vec<&'a str>> {
    let mut left = uses.clone();
    // A module that uses none of those that are left is in no circle with them.
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
    fn modules_that_use_each_other_in_one_direction_are_in_no_circle() {
        let uses = read(GRAPH);
        assert_eq!((uses.len(), circle(&uses)), (4, None));
    }

    #[test]
    fn a_circle_is_named_without_what_leads_to_it() {
        let graph = format!("{GRAPH}\n    \"app::c\" -> \"app::b\" [label=\"uses\"]");
        assert_eq!(circle(&read(&graph)), Some(vec!["app::b", "app::c", "app::b"]));
    }
}

//! From the files of the trials to `docs/results.md` and its charts. Every figure and every verdict is computed here.
//!
//! # Layout
//! - [`results`], [`runs`]: what was measured, by experiment, step and server
//! - [`figure`], [`spread`]: what is taken from each run, and what several runs give
//! - [`page`], [`section`]: the document, and an experiment's part of it
//! - [`table`], [`charts`], [`commands`]: tables, pictures and command lines
//! - [`growth`], [`verdict`]: what the papers claim, and what came of it
//! - [`place`]: where all of it goes

mod charts;
mod commands;
mod figure;
#[cfg(test)]
mod fixture;
mod growth;
mod page;
mod place;
mod results;
mod runs;
mod section;
mod spread;
mod table;
mod verdict;

use std::fs;

use anyhow::{Context, Result};

use super::store::Store;
use results::Results;

pub(super) use place::Place;

pub(super) fn run(store: &Store, place: &Place) -> Result<()> {
    let results = Results::read(store)?;
    let page = page::of(&results, place.folder()?).context("nothing was measured yet: run `cargo xtask lab`")?;
    place.clear()?;
    for (name, chart) in results.experiments().flat_map(|experiment| charts::of(&results, experiment)) {
        fs::write(place.picture(&name), chart.svg()?)?;
    }
    fs::write(place.document(), page).with_context(|| format!("cannot write {}", place.document().display()))?;
    println!("{} and its charts are written.", place.document().display());
    Ok(())
}

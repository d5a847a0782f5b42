//! What the papers claim, and what came of it here.
//!
//! # Layout
//! - [`influence`], [`most`], [`workers`]: one claim each
//! - [`change`]: when a figure is said to have changed

mod change;
mod influence;
mod most;
mod workers;

use super::results::Results;
use crate::lab::machine::Machine;

pub(super) fn of(results: &Results, machine: &Machine) -> String {
    let mut parts = vec!["## The claims".to_owned()];
    parts.extend(influence::of(results));
    parts.extend(most::of(results, machine.cores));
    parts.extend(workers::of(results));
    parts.join("\n\n")
}

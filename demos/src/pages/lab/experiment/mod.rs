//! Sets of calls: the same number of calls over each transport in turn, set by set.
//!
//! # Layout
//! - [`plan`]: how many, and in which order; [`results`]: what came of it
//! - [`mod@run`]: makes the calls

mod plan;
mod results;
mod run;

pub(super) use plan::Plan;
pub(super) use results::Results;
pub(super) use run::{Environment, run};

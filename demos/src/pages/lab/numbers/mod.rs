//! What is computed of what was measured.
//!
//! # Layout
//! - [`usage`]: the overhead of a transport, after its setup
//! - [`sorted`]: values in order of size; [`summary`]: mean, deviation and percentiles; [`histogram`]: the distribution, with the normal curve that fits it
//! - [`use_cases`]: what the overhead means for thousands of clients
//! - [`csv`]: tables as other programs read them

mod csv;
mod histogram;
mod sorted;

mod summary;
mod usage;
mod use_cases;

pub(super) use csv::Csv;
pub(super) use histogram::Histogram;
pub(super) use sorted::Sorted;
pub(super) use summary::Summary;
pub(super) use usage::RunningUsage;
pub(super) use use_cases::{PAPER_POLLING, PAPER_SOCKET, USE_CASES, megabits};

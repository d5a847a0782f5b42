//! The server's counters.
//!
//! # Layout
//! - `counter`: a counter that scales with the workers
//! - `endpoint`: the counters of each endpoint, and the reasons for drops
//! - `collector` (feature `metrics`): encodes all counters for Prometheus

#[cfg(feature = "metrics")]
mod collector;
mod counter;
mod endpoint;

pub(crate) use counter::{Counter, this_worker};
pub(crate) use endpoint::Metrics;
pub use endpoint::{DropReason, EndpointMetrics, Totals};

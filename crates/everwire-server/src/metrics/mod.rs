//! The server's counters.
//!
//! # Layout
//! - `counter`: a counter that scales with the workers
//! - `endpoint`: the counters of one endpoint, and the reasons for drops
//! - `registry`: all counters of a server; `collector` (feature `metrics`) encodes them for Prometheus

#[cfg(feature = "metrics")]
mod collector;
mod counter;
mod endpoint;
mod registry;

pub(crate) use counter::{Counter, this_worker};
pub use endpoint::{DropReason, EndpointMetrics, Totals};
pub(crate) use registry::Metrics;

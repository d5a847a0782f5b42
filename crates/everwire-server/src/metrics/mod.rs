//! What the server counts, and how Prometheus reads it.

mod counter;
mod drop_reason;
mod endpoint;
mod registry;
mod text;

pub(crate) use counter::{Counter, this_worker};
pub use drop_reason::DropReason;
pub use endpoint::{EndpointMetrics, Totals};
pub(crate) use registry::Metrics;

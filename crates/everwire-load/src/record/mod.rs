//! The lines of `--json`: one a second, then a summary.

mod percentiles;
mod second;
mod summary;

use serde::{Deserialize, Serialize};

pub use percentiles::Percentiles;
pub(crate) use second::SHORTEST;
pub use second::{Phase, Second};
pub use summary::{Deliveries, LoadUse, Opening, RoundTrips, ServerUse, Setting, Summary};

/// One line of `--json`; its `type` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// What happened within a second.
    Second(Box<Second>),
    /// What came of the whole, at the end.
    Summary(Box<Summary>),
}

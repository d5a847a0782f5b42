//! What one client, and all of them together, may use.

mod admission;
mod budget;
mod rate;
mod settings;

pub(crate) use admission::{Admission, Full, Place};
pub use admission::{Permit, network_of};
pub(crate) use budget::{Charge, MemoryBudget};
pub(crate) use rate::RateLimiter;
pub use settings::{ConnectionLimits, Limits};

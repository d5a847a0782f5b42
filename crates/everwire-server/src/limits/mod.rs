//! Limits of one connection, of one address, and of the server.
//!
//! # Layout
//! - `settings`: the limits that an application sets
//! - `admission`: connections and files; `budget`: memory; `rate`: messages a second

mod admission;
mod budget;
mod rate;
mod settings;

pub(crate) use admission::{Admission, Full, Place};
pub use admission::{Permit, network_of};
pub(crate) use budget::{Charge, MemoryBudget};
pub(crate) use rate::RateLimiter;
pub use settings::{ConnectionLimits, Limits};

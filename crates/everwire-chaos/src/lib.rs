//! Chaos runs: clients and a server whose connections and processes break at random, and a check that every message is delivered all the
//! same.
//!
//! # Layout
//!
//! - [`Run`], its [`Options`] and its [`Report`]: one server process with a journal, many programs with clients, and faults
//! - [`Plan`], [`Fault`]: the faults, by a seed
//! - [`oracle`]: compares the deliveries with the publishes
//! - `process`: the server; `program`: the clients

mod faults;
pub mod oracle;
mod process;
mod program;
mod run;

pub use faults::{Fault, Plan};
pub use run::{Options, Report, Run};

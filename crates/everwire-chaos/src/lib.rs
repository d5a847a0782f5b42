//! Clients and a server whose connections and processes break at random, and what must be delivered all the same.
//!
//! # Layout
//!
//! - [`Run`], its [`Options`] and its [`Report`]: one server process with a journal, many programs with clients, and faults
//! - [`Plan`], [`Fault`]: which faults, by a seed
//! - [`oracle`]: compares what was delivered with what was published
//! - `process`: the server; `program`: what clients do, and write down

pub mod oracle;
mod plan;
mod process;
mod program;
mod run;

pub use plan::{Fault, Plan};
pub use run::{Options, Report, Run};

//! A conformance suite for servers of `everwire.v1`.
//!
//! The checks drive a server through WebSockets, as a client that follows `docs/protocol.md` or violates it on purpose. They share nothing
//! with the server but the codec. They read the table of states and lines, and the vectors of malformed lines, from the files that the codec
//! is tested with.
//!
//! ```no_run
//! use everwire_conformance::{Options, checks, run};
//!
//! # async fn example() {
//! let options = Options::new("ws://127.0.0.1:9001/everwire");
//! for check in checks() {
//!     println!("{}", run(&check, &options).await);
//! }
//! # }
//! ```
//!
//! # Layout
//!
//! - [`Options`]: the server and its features; [`Hook`]: operations that no client can perform
//! - [`Check`], [`run`], [`Report`]: a check and its result
//! - [`checks`]: all checks, a module for each subject
//! - [`Fault`], [`FaultyProxy`], [`run_with`]: faults that show that the checks detect what they look for
//! - `client`: the connection of a check

mod checks;
mod client;
mod fault;
mod options;
mod suite;

pub use checks::checks;
pub use fault::{Fault, FaultyProxy, run_with};
pub use options::{Hook, Options};
pub use suite::{Check, Report, Verdict, run};

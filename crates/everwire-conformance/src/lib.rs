//! What any server of `everwire.v1` must pass.
//!
//! The checks drive a server through WebSockets, as a client does that follows `docs/protocol.md` or breaks it on purpose. They share
//! nothing with the server but the codec. The table of states and lines, and the vectors of malformed lines, are read from the files that
//! the codec is tested with.
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
//! - [`Options`]: the server, and what it offers beyond the protocol; [`Hook`]: what no client can do with it
//! - [`Check`], [`run`], [`Report`]: one check and its result
//! - [`checks`]: the list, a module a subject
//! - [`Fault`], [`FaultyProxy`], [`run_with`]: what shows that the checks find what they look for
//! - `client`: a connection that speaks lines, with a time limit on everything; `transport`: TCP or TLS below it; `outcome`: how a check
//!   fails

mod checks;
mod client;
mod fault;
mod hook;
mod options;
mod outcome;
mod proxy;
mod suite;
mod transport;

pub use checks::checks;
pub use fault::Fault;
pub use hook::Hook;
pub use options::Options;
pub use proxy::{FaultyProxy, run_with};
pub use suite::{Check, Report, Verdict, run};

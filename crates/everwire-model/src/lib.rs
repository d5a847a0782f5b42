//! Tries every order in which the events of a session of `everwire.v1` can happen, up to a bound, with the machines that ship.
//!
//! One client and one server, each a machine of [`everwire_core::session`] with the least driver that it needs, are joined by
//! connections that lose and reorder their lines with those of later connections. The server restarts, and its store loses messages or
//! comes back older. [`stateright`] visits every state once, and checks in each that nothing is lost without a gap, nothing is
//! repeated, no gap is reported without a reason, each publish and each request has one outcome, and that the state leads to rest if
//! nothing else goes wrong.
//!
//! A [`Defect`] is a deliberate error in a driver or on the way between them. The tests show that each of them is found.
//!
//! # Layout
//! - [`World`] and [`Action`]: a state, and what can happen in it
//! - [`Scenario`]: how often each thing may happen; [`Defect`]: what is wrong on purpose
//! - [`explore`]: runs the checker
//! - `client`, `server`, `store`, `link`: the parts of the world

mod check;
mod client;
mod link;
mod scenario;
mod server;
mod store;
mod world;

pub use check::{Finding, Report, explore};
pub use scenario::{Counts, Defect, Scenario};
pub use world::{Action, World};

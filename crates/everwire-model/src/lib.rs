//! Tries every order in which the events of a session of `everwire.v1` can happen, up to a bound, with the state machines that ship.
//!
//! One client and one server, each a machine of [`everwire_core::session`] with a minimal driver, are joined by connections that lose their
//! lines, or deliver them after those of later connections. The server restarts, and its store loses messages or is rolled back.
//! [`stateright`] visits every state once. In each it checks that nothing is lost without a gap, nothing is repeated, no gap is reported
//! without a reason, each publish and each request has one outcome, and that the state becomes quiescent if nothing else goes wrong.
//!
//! A [`Defect`] is a deliberate error in a driver or between the machines. The tests show that each of them is found.
//!
//! # Layout
//! - [`Scenario`]: how often each event may happen; [`Defect`]: a deliberate error; [`explore`]: runs the checker
//! - [`State`] and [`Event`]: a state of the model, and the events that lead to the next
//! - `client`, `server`, `store`, `link`: the parts of a state

mod client;
mod link;
mod model;
mod scenario;
mod server;
mod store;

pub use model::{Event, Report, State, explore};
pub use scenario::{Counts, Defect, Scenario, Violation};

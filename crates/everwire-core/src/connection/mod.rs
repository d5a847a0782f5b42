//! The state machine: [`machine`] holds it, one file each has what the application asks for, what the socket reports, what
//! the platform and the clock report, how one socket follows another, and how messages move.

mod application;
mod at;
mod io;
mod machine;
mod phase;
mod platform;
mod socket;
mod state;
mod succession;
mod surroundings;
mod traffic;

pub use at::At;
pub use io::{Action, AtRisk, Cause, Ended, Event, Input, Network, Page, Retry, SocketId};
pub use machine::Connection;
use phase::Phase;
pub use state::State;

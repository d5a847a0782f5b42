//! The connection that keeps a WebSocket alive, as a state machine without I/O.
//!
//! Everything that *decides* lives here: when to dial, when to give a socket up, what is sent again, what may have been
//! lost. Nothing here reads a clock, opens a socket, draws a random number or knows of a browser: time and a seed are
//! handed in, actions come out. So years of a connection's life run in milliseconds, in a native test, and the same
//! decisions drive a browser tab, a worker and a native program.
//!
//! ```
//! use core::time::Duration;
//! use everwire_core::{Action, Config, Connection, Input};
//!
//! let mut connection = Connection::<String>::new(Config::default(), 42);
//! let now = Duration::ZERO;
//! connection.handle(now, Input::Open);
//! let Some(Action::Dial { socket, .. }) = connection.poll_action() else { panic!("it dials at once") };
//! connection.handle(now, Input::Opened { socket, greeting: Vec::new() });
//! connection.send(now, "hello".to_owned(), Default::default()).expect("there is room");
//! ```
//!
//! # Layout
//!
//! - [`Connection`], what goes in ([`Input`]), what comes out ([`Action`], [`Event`]): the state machine
//! - [`Backoff`]: when the next attempt is made
//! - [`Heartbeat`]: when silence means that the link is dead
//! - [`Outbox`]: what waits to be sent, within bounds
//! - [`ping`]: the standard heartbeat as texts
//! - [`Latency`]: round trips, loss, and the offset to the server's clock
//! - [`CloseCode`], [`CloseReason`], [`Protocols`]: values that the platform's WebSocket cannot refuse
//! - [`ClosePolicy`]: which endings are worth another attempt
//! - [`Terms`]: what a driver that keeps its messages itself leaves out

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod backoff;
mod close;
mod close_policy;
mod config;
mod connection;
mod heartbeat;
mod latency;
mod outbox;
mod payload;
pub mod ping;
mod protocols;
mod queue;
mod random;
mod terms;
mod time;

pub use backoff::Backoff;
pub use close::{CloseCode, CloseCodeError, CloseReason, CloseReasonError};
pub use close_policy::{ClosePolicy, Verdict};
pub use config::{Config, Watermarks};
pub use connection::{
    Action, At, AtRisk, Cause, Connection, Ended, Event, Input, Network, Page, Retry, SocketId, State,
};
pub use heartbeat::{Heartbeat, PingSchedule};
pub use latency::{ClockOffset, Histogram, Latency, LatencySummary};
pub use outbox::{DiscardReason, MessageId, Outbox, OutboxLimits, Refusal, Refused, SendOptions, Sent, WhenFull};
pub use payload::Payload;
pub use protocols::{Protocols, ProtocolsError};
pub use terms::{Judge, Terms, Words};
pub use time::Time;

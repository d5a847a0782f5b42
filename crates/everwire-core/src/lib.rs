//! The connection that keeps a WebSocket alive, as a state machine without I/O.
//!
//! Every decision is made here: when to dial, when to give a socket up, what is sent again, what may have been lost. Nothing here
//! reads a clock, opens a socket, draws a random number or depends on a browser: time and a seed are handed in, actions come out.
//! So years of a connection's life run in milliseconds, in a native test, and the same decisions drive a browser tab, a worker and
//! a native program.
//!
//! The core works on numbers only: ids, sizes, codes, times. Payloads, keys, addresses and reasons stay with the driver.
//!
//! ```
//! use everwire_core::{Action, Config, Connection, Input, Time};
//!
//! let mut connection = Connection::new(Config::default(), 42);
//! connection.handle(Time::ZERO, Input::Open { since_last_dial: None });
//! let Some(Action::Dial { socket, .. }) = connection.poll_action() else { panic!("it dials at once") };
//! connection.handle(Time::from_millis(80), Input::Opened { socket });
//! assert!(matches!(connection.poll_action(), Some(Action::Opened { .. })));
//! let id = connection.send_now("hello".len(), false).expect("the connection is open");
//! # _ = id;
//! ```
//!
//! # Layout
//!
//! - [`Connection`], what goes in ([`Input`]) and what comes out ([`Action`]): the state machine and its contract
//! - [`Backoff`]: when the next attempt is made; [`ReconnectRules`]: whether one is made
//! - [`HeartbeatMode`]: when silence means that the link is dead
//! - [`Outbox`]: what waits to be sent, within bounds; [`Watermarks`]: when messages wait
//! - [`ping`]: the standard heartbeat as texts
//! - [`protocol`]: the lines of `everwire.v1`, which carry channels, publishes and requests
//! - [`Channel`]: the name of a channel and the type of its messages
//! - [`session`]: what survives a connection of `everwire.v1`: publishes, requests and subscriptions
//! - [`Latency`]: round trips, loss, and the offset to the server's clock
//! - [`CloseCode`], [`CloseReason`], [`Protocols`]: values that the platform's WebSocket cannot refuse
//! - [`Time`]: the one type for times and spans

#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod actions;
mod backoff;
mod backpressure;
mod channel;
mod close;
mod config;
mod connection;
mod environment;
mod heartbeat;
mod io;
mod latency;
mod outbox;
pub mod ping;
mod policy;
pub mod protocol;
mod protocols;
#[cfg(feature = "socket")]
mod queue;
#[cfg(not(feature = "socket"))]
#[path = "no_queue.rs"]
mod queue;
mod random;
pub mod session;
mod time;

pub use backoff::Backoff;
pub use backpressure::Watermarks;
pub use channel::Channel;
pub use close::{CloseCode, CloseCodeError, CloseReason, CloseReasonError};
pub use config::Config;
pub use connection::{Connection, Phase, Traffic};
pub use heartbeat::{HeartbeatMode, PingSchedule};
pub use io::{
    Action, AtRisk, CloseOutcome, ClosingHandshake, Decision, Delivery, DiscardReason, DropCause, Input, MessageId,
    Network, Page, Retry, SocketId,
};
pub use latency::{ClockOffset, Histogram, Latency, LatencySummary};
pub use outbox::{Outbox, OutboxLimits, QueueOptions, Refusal, WhenFull};
pub use policy::ReconnectRules;
pub use protocols::{Protocols, ProtocolsError};
pub use time::Time;

//! The connection that keeps a WebSocket alive, as a state machine without I/O.
//!
//! Every decision is made here: when to dial, when to give up a socket, what to send again, what may have been lost. Nothing here reads a
//! clock, opens a socket, draws a random number or depends on a browser: the driver hands in times and a seed, and carries out actions.
//! So years of a connection run in milliseconds in a native test, and the same decisions drive a browser tab, a worker and a native
//! program.
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
//! - [`Connection`], its inputs ([`Input`]) and actions ([`Action`]): the state machine and its contract
//! - [`ReconnectRules`]: whether another attempt is made; [`Backoff`]: when
//! - [`HeartbeatMode`]: when silence means that the link is dead
//! - [`Outbox`]: messages that wait to be sent, within bounds; [`Watermarks`]: when messages wait
//! - [`ping`]: the texts of the standard heartbeat
//! - [`protocol`]: the lines of `everwire.v1`, which carry channels, publishes and requests
//! - [`Channel`]: the name of a channel and the type of its messages
//! - [`session`]: publishes, requests and subscriptions, which survive a connection of `everwire.v1`
//! - [`Latency`]: round trips, loss, and the offset to the server's clock
//! - [`CloseCode`], [`CloseReason`], [`Protocols`]: values that the platform's WebSocket accepts
//! - [`Time`]: the one type for times and spans

#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod backpressure;
mod channel;
mod connection;
mod handshake;
mod heartbeat;
mod latency;
mod outbox;
pub mod ping;
pub mod protocol;
mod queue;
pub mod session;
mod time;

pub use backpressure::Watermarks;
pub use channel::Channel;
pub use connection::{
    Action, AtRisk, Backoff, CloseOutcome, ClosingHandshake, Config, Connection, Decision, Delivery, DiscardReason,
    DropCause, Input, MessageId, Network, Page, Phase, ReconnectRules, Retry, SocketId, Traffic,
};
pub use handshake::{CloseCode, CloseCodeError, CloseReason, CloseReasonError, Protocols, ProtocolsError};
pub use heartbeat::{HeartbeatMode, PingSchedule};
pub use latency::{ClockOffset, Histogram, Latency, LatencySummary};
pub use outbox::{Outbox, OutboxLimits, QueueOptions, Refusal, WhenFull};
pub use time::Time;

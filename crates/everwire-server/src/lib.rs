#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../docs/crate.md")]
//!
//! # Layout
//! - `endpoint`, `upgrade`: from a route to a connection; `handshake` checks the request, `host` and `origin` whom it names and
//!   where it comes from
//! - `connection`: [`Handler`], [`Connection`], [`Interceptor`], and the task of one WebSocket
//! - `fan_out`: delivery to many connections, encoded once; `group`: for state that they share
//! - `everwire`: the shared state, of `limits`, `metrics`, `registry` (the open connections) and `drain`
//! - `serve`: the accept loop, on `stream`s with time limits and observers; `probes`: health and metrics
//! - `channels`, `broker` (feature `channels`): sessions, subscriptions, publishes and requests, and where channels keep their messages
//! - [`testing`]: handlers without a network; `cli` (feature): flags and a log for a binary

#[cfg(feature = "channels")]
pub mod broker;
#[cfg(feature = "channels")]
pub mod channels;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod connection;
mod deadline;
mod drain;
mod endpoint;
mod everwire;
mod fan_out;
mod group;
mod handshake;
mod handshake_error;
mod host;
mod limits;
mod message;
mod metrics;
mod origin;
mod probes;
mod registry;
mod serve;
mod stream;
pub mod testing;
mod upgrade;

pub use clock::Clock;
pub use connection::{Closed, Connection, EncodedMessage, Handler, Interceptor, Intervention};
pub use deadline::within;
pub use endpoint::Endpoint;
pub use everwire::{Builder, Everwire, peer_address};
pub use everwire_core::Channel;
pub use group::{Group, Membership};
pub use handshake_error::HandshakeError;
pub use limits::{ConnectionLimits, Limits, Permit, network_of};
pub use message::{Message, Utf8Bytes};
pub use metrics::{DropReason, EndpointMetrics, Totals};
pub use origin::{BadOrigin, Origins};
pub use registry::WorkerLoad;
pub use serve::{RunningServer, Server, ServerConfig, StopSignal};
#[cfg(feature = "tls")]
pub use serve::{Tls, TlsError};
pub use stream::StreamObserver;
pub use upgrade::Upgrade;

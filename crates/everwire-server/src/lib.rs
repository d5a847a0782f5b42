#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../docs/crate.md")]
//!
//! # Layout
//! - `endpoint`: from a route to a connection; `handshake` checks the request, `origin` where it comes from and whom it names
//! - `connection`: [`Handler`], [`Connection`], [`Interceptor`], and the task of one WebSocket
//! - `fan_out`: delivery to many connections, encoded once; `group`: for state that they share
//! - `everwire`: the shared state, of `limits`, `admission`, `metrics` and `registry` (the open connections and their drain)
//! - `server`: the accept loop, on the `stream`s between TCP and HTTP; `probes`: health and metrics
//! - `channels`, `broker` (feature `channels`): sessions, subscriptions, publishes and requests, and where channels keep their messages
//! - [`testing`]: handlers without a network; `cli` (feature): flags and a log for a binary

mod admission;
#[cfg(feature = "channels")]
pub mod broker;
#[cfg(feature = "channels")]
pub mod channels;
#[cfg(feature = "cli")]
pub mod cli;
mod connection;
mod endpoint;
mod everwire;
mod fan_out;
mod group;
mod handshake;
mod limits;
mod message;
mod metrics;
mod origin;
mod probes;
mod registry;
mod server;
mod stream;
mod time;
#[cfg(feature = "tls")]
mod tls;

pub use admission::Permit;
pub use connection::{Closed, Connection, EncodedMessage, Handler, Interceptor, Intervention};
pub use endpoint::{Endpoint, Upgrade};
pub use everwire::{Builder, Everwire, peer_address};
pub use everwire_core::Channel;
pub use group::{Group, Membership};
pub use handshake::HandshakeError;
pub use limits::{ConnectionLimits, Limits, network_of};
pub use message::{Message, Utf8Bytes};
pub use metrics::{DropReason, EndpointMetrics, Totals};
pub use origin::{InvalidOrigin, Origins};
pub use registry::WorkerLoad;
pub use server::{RunningServer, Server, ServerConfig, StopSignal};
pub use stream::StreamObserver;
pub use time::{Clock, within};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

/// For tests of a [`Handler`] without a network.
pub mod testing {
    pub use crate::connection::Recorder;
}

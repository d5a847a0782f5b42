//! One WebSocket connection.
//!
//! # Layout
//! - [`Handler`] is implemented by applications, [`Connection`] sends to a client, [`Interceptor`] injects faults for tests
//! - `task` runs a connection: it reads and writes through `transport`, and `protocol` decides; `closing` ends it
//! - `outbound` is the queue of encoded `frames`; `tcp` lets it write them directly
//! - `decoder` decodes frames of the client, `ping` answers heartbeats
//! - `environment` is shared by the connections of an endpoint

mod closing;
mod decoder;
mod environment;
mod frames;
mod handle;
mod handler;
mod interceptor;
mod outbound;
mod protocol;
mod task;
mod tcp;
mod transport;

pub(crate) use environment::Environment;
pub(crate) use frames::{Frames, FramesMut};
pub use handle::Connection;
pub use handler::{Closed, Handler};
pub use interceptor::{EncodedMessage, Interceptor, Intervention};
pub(crate) use outbound::{End, OutboundQueue};
pub(crate) use protocol::ProtocolHandler;
pub(crate) use task::ConnectionTask;
pub(crate) use tcp::Tcp;
pub(crate) use transport::FramedTransport;

#[cfg(test)]
mod tests;

//! One WebSocket: the loop that reads, answers pings, keeps the limits, counts, and writes everything that is ready in one go.
//!
//! # Layout
//! - [`Connection`] is what an application holds, [`Handler`] what it implements, [`Interceptor`] what a test puts in between
//! - `task` drives a connection: bytes in `transport`, meaning in `protocol`, the end in `ending`
//! - `outbound` queues what waits to be written, as encoded `frames`; `tcp` writes around it
//! - `environment` holds what the connections of one endpoint share

mod decoder;
mod ending;
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
mod turn;

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

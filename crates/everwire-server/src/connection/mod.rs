//! One WebSocket connection.
//!
//! # Layout
//! - `handler`: [`Handler`] is implemented by applications, [`Connection`] sends to a client, [`Interceptor`] injects faults for tests
//! - `task` runs a connection: it reads and writes through `transport`, and closes; `protocol` decides, without I/O
//! - `outbound` is the queue of encoded `frames`; `decoder` decodes those of the client

mod decoder;
mod frames;
mod handler;
mod outbound;
mod protocol;
mod task;
mod transport;

pub(crate) use frames::{Frames, FramesMut};
pub use handler::{Closed, Connection, EncodedMessage, Handler, Interceptor, Intervention, Recorder};
pub(crate) use outbound::{OutboundQueue, QueueEnd};
pub(crate) use protocol::{Environment, ProtocolHandler};
pub(crate) use task::ConnectionTask;
pub(crate) use transport::{FramedTransport, Tcp};

#[cfg(test)]
mod tests;

//! The messages that the companion server and the demos exchange, one module per endpoint.
//!
//! Each type is written and read on both sides, so that a change to a message is a change to one type here. Messages are JSON texts,
//! except for the chunks of [`files`], which are binary. `tests/wire.rs` pins every text.
//!
//! Times are milliseconds since the Unix epoch by the server's clock, and sizes are bytes, unless a field says otherwise.
//!
//! # Layout
//! - [`chat`]: rooms to chat in
//! - [`files`]: files that one client leaves for others
//! - [`lab`]: one feed over every transport, and what each transport costs
//! - [`live`]: the channels of a trading floor
//! - [`monitor`]: what the machine and the server do
//! - [`server`]: who visitors are, and what they can do to the server
//! - [`ticker`]: stock prices
//! - [`tracker`]: positions on a map

pub mod chat;
pub mod files;
pub mod lab;
pub mod live;
pub mod monitor;
pub mod server;
pub mod ticker;
pub mod tracker;

use serde::{Deserialize, Serialize};

/// The answer of any endpoint to a message that it does not expect. It has no `type`, unlike the endpoint's other messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What the client should do, in a sentence.
    pub error: String,
}

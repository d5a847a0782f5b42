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
mod error;
pub mod files;
pub mod lab;
pub mod live;
pub mod monitor;
pub mod server;
pub mod ticker;
pub mod tracker;

pub use error::ErrorMessage;

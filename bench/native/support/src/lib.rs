//! What the load generator and the small servers have in common.
//!
//! # Layout
//! - [`frame`]: WebSocket frames, as bytes
//! - [`handshake`]: the HTTP request that they begin with, and its answer
//! - [`poller`]: which sockets are ready, by epoll

pub mod frame;
pub mod handshake;
pub mod poller;

//! Tests of the channels through real WebSockets: what a client sends, line by line, and what it is answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/chat_server.rs"]
mod chat;

mod channels;
mod drain;
mod endpoint;
mod examples;
mod failures;
mod presence;
mod requests;
#[cfg(feature = "journal")]
mod restart;
mod resume;
mod rules;
mod slow;
mod state;
mod states;
mod support;

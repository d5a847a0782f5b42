//! The checks against this project's server, and against the same server behind a proxy with faults.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod faults;
#[allow(dead_code, reason = "the tests of the protocol read other parts of the page")]
#[path = "../../../everwire-core/tests/protocol/specification.rs"]
mod page;
mod program;
mod server;
mod specification;
mod tls;

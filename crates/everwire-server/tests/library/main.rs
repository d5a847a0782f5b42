//! Tests of the library in an application, by a real client over TCP: served by `axum::serve`, and by the library's own accept loop.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/counter.rs"]
mod counter;
#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/mounted.rs"]
mod mounted;

mod examples;
mod handlers;
mod listener;
mod requests;
mod support;
#[cfg(feature = "tls")]
mod tls;

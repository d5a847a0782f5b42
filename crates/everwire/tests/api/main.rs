//! The public API against the companion server. The same tests run in native programs, and in windows and workers of browsers.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[cfg(target_family = "wasm")]
mod browser;
#[cfg(all(not(target_family = "wasm"), feature = "json"))]
mod client;
mod connection;
mod messages;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
mod proxy;
mod support;
#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
mod tls;
#[cfg(all(not(target_family = "wasm"), feature = "tracing"))]
mod tracing;
mod typed;

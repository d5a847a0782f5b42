//! What the API promises, tried against the companion server. The same tests run in native programs, and in windows and
//! workers of browsers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(not(target_family = "wasm"))]
mod addresses;
#[cfg(target_family = "wasm")]
mod browser;
#[cfg(all(target_family = "wasm", feature = "json"))]
mod browser_client;
mod callback;
#[cfg(all(not(target_family = "wasm"), feature = "json"))]
mod client;
mod closing;
mod faults;
mod flow;
#[cfg(feature = "json")]
mod json;
#[cfg(not(target_family = "wasm"))]
mod large;
mod messages;
#[cfg(not(target_family = "wasm"))]
mod native;
mod opening;
#[cfg(not(target_family = "wasm"))]
mod proxy;
mod reconnecting;
mod server;
#[cfg(all(not(target_family = "wasm"), feature = "rustls-own-roots"))]
mod tls;
mod tools;
#[cfg(all(not(target_family = "wasm"), feature = "tracing"))]
mod tracing;
mod typed;

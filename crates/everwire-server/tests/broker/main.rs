//! Tests of the brokers: what holds for all of them, and what holds for one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod bounds;
mod channels;
mod sessions;
mod state;
mod support;

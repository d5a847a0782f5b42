//! Tests of the brokers: what holds for all of them, and what holds for the journal.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod bounds;
mod channels;
#[cfg(feature = "journal")]
mod corruption;
#[cfg(all(feature = "journal", unix))]
mod crash;
#[cfg(feature = "journal")]
mod journal;
mod sessions;
mod state;
mod support;

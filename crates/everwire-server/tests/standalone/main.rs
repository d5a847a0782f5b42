//! The binary `everwire-server`, as operators, back ends and clients meet it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod access;
mod batch;
mod configuration;
mod documentation;
mod history;
mod process;
mod publish;
mod refusals;
mod repeats;
mod sessions;
mod support;

//! The binary `everwire-server`, as an operator starts it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod process;
mod support;

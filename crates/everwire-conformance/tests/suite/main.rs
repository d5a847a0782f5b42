//! The checks against this project's server, and against the same server behind a proxy with faults.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod faults;
mod program;
mod server;

//! Tests of the companion server by a real client against a real port.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod harness;

mod channels;
mod endpoints;
mod faults;
mod files;
mod lab;
mod limits;
mod monitor;
mod process;
mod serving;
#[cfg(unix)]
mod supervisor;
mod ticker;
mod tracker;
mod uploads;

//! The chaos run, and what its oracle finds.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod oracle;
mod plan;
mod run;

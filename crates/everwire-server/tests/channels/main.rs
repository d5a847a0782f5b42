//! Tests of the channels through real WebSockets: what a client sends, line by line, and what it is answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod channels;
mod resume;
mod support;

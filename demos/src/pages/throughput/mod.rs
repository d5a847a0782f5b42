//! The throughput check: pings counted per second, over as many connections as the visitor opens.
//!
//! # Layout
//! - [`load_profile`]: how many connections, how many pings in flight on each, how large
//! - [`pinger`]: one connection without I/O: which pings are due, at what rate, and what it has counted
//! - [`connection_pool`]: all connections of a run, opened a few at a time
//! - [`statistics`]: what the connections count together, and how long the page was not drawn
//! - [`page`], [`controls`], [`results`]: the views

mod connection_pool;
mod controls;
mod load_profile;
mod page;
mod pinger;
mod results;
mod statistics;

pub(crate) use page::ThroughputPage;

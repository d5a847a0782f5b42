//! The throughput check: pings counted per second, over as many connections as the visitor opens.
//!
//! # Layout
//! - [`choice`]: what the visitor asks for
//! - [`pinger`]: one connection: what it sends and when, and what it has counted; [`allowance`]: how fast it may
//! - [`fleet`]: all connections of a run, dialled a few at a time
//! - [`tally`]: what they count together
//! - [`pauses`]: how long the page was busy in one go
//! - [`page`], [`controls`], [`figures`], [`spread`], [`failures`]: what is seen

mod allowance;
mod choice;
mod controls;
mod failures;
mod figures;
mod fleet;
mod page;
mod pauses;
mod pinger;
mod spread;
mod tally;

pub(crate) use page::ThroughputPage;

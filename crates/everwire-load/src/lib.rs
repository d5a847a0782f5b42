//! A load generator for WebSocket servers, with the native client of Everwire.
//!
//! The program `everwire-load` is this library with a command line; its README says how to use it and how to read its output.
//!
//! # Layout
//! - `record`: the records of `--json` ([`Record`]), which other programs read, and latency distributions ([`Histogram`])
//! - `chart`: line charts of results ([`Chart`])
//!
//! The feature `client`, on by default, adds the load generator itself:
//! - `cli`: the command line ([`Cli`]), which becomes a [`Plan`]; `units`: times, rates, shares and sizes in flags
//! - `plan`: what each connection does and when it sends
//! - `run`: controls a run ([`run`]), from the command line to the output
//! - `worker`: the worker processes, which hold the connections; each calls [`serve`]
//! - `client`: one connection; `dialect`: the protocols of other servers; `payload`: the content of a message
//! - `statistics`: counters in the workers and their sums; `report`: the table for people, and the limits of a result
//! - `machine`: CPU time, memory, open files and ports of this machine
//! - `error`: the public errors

#![cfg_attr(docsrs, feature(doc_cfg))]

mod chart;
mod record;

#[cfg(feature = "client")]
mod cli;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod dialect;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod machine;
#[cfg(feature = "client")]
mod payload;
#[cfg(feature = "client")]
mod plan;
#[cfg(feature = "client")]
mod report;
#[cfg(feature = "client")]
mod run;
#[cfg(feature = "client")]
mod statistics;
#[cfg(feature = "client")]
mod units;
#[cfg(feature = "client")]
mod worker;

pub use chart::{Chart, ChartError, Line, charts_of_a_run};
pub use record::{
    Deliveries, Histogram, LoadUse, Opening, Percentiles, Phase, Record, RoundTrips, Second, ServerUse, Setting,
    Summary,
};

#[cfg(feature = "client")]
pub use cli::Cli;
#[cfg(feature = "client")]
pub use dialect::Dialect;
#[cfg(feature = "client")]
pub use error::{RunError, UsageError, WorkerError};
#[cfg(feature = "client")]
pub use plan::Plan;
#[cfg(feature = "client")]
pub use run::{INTERRUPTED, Outcome, run};
#[cfg(feature = "client")]
pub use worker::{AS_WORKER, serve};

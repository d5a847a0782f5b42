//! A load generator for WebSocket servers, with the native client of Everwire.
//!
//! The program `everwire-load` is this library with a command line; its README says how to use it and how to read what it prints.
//!
//! # Layout
//! - [`Record`] and what it holds: the lines of `--json`, which other programs read and write
//! - [`Chart`]: pictures of them
//!
//! With the feature `client`, which is on by default, what takes part in a run:
//! - [`Cli`] reads the command line into a [`Plan`]; `units` are its times, rates and shares
//! - [`run`]: the program, from the command line to its output
//! - `controller`: controls a run; it starts `workers`, each of which is a process that calls [`serve`], and sends them commands
//! - `interrupt`: the signal that ends it early; `lines`: the output of `--json`; `limits`: the limits of a result
//! - `client`: one connection, which sends by a `schedule` and counts the answers, each once by the numbers that it has `seen`
//! - `window`: when messages are sent, and from when on they count
//! - `dialect`: the protocols of other servers; `stamp`: the content of a message
//! - `meter`: counts in a worker process; `interval`: its report; `statistics`: sums the reports up
//! - `server`: watches the processes of the server

#![cfg_attr(docsrs, feature(doc_cfg))]

mod chart;
mod histogram;
mod record;

#[cfg(feature = "client")]
mod cli;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod clock;
#[cfg(feature = "client")]
mod controller;
#[cfg(feature = "client")]
mod dialect;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod files;
#[cfg(feature = "client")]
mod interrupt;
#[cfg(feature = "client")]
mod interval;
#[cfg(feature = "client")]
mod limits;
#[cfg(feature = "client")]
mod lines;
#[cfg(feature = "client")]
mod meter;
#[cfg(feature = "client")]
mod plan;
#[cfg(feature = "client")]
mod progress;
#[cfg(feature = "client")]
mod reason;
#[cfg(feature = "client")]
mod run;
#[cfg(feature = "client")]
mod schedule;
#[cfg(feature = "client")]
mod seen;
#[cfg(feature = "client")]
mod server;
#[cfg(feature = "client")]
mod stamp;
#[cfg(feature = "client")]
mod statistics;
#[cfg(feature = "client")]
mod table;
#[cfg(feature = "client")]
mod units;
#[cfg(feature = "client")]
mod window;
#[cfg(feature = "client")]
mod worker;
#[cfg(feature = "client")]
mod workers;

pub use chart::of_a_run::charts_of_a_run;
pub use chart::{Chart, ChartError, Line};
pub use histogram::Histogram;
pub use record::{
    Deliveries, LoadUse, Opening, Percentiles, Phase, Record, RoundTrips, Second, ServerUse, Setting, Summary,
};

#[cfg(feature = "client")]
pub use cli::{Cli, Unusable};
#[cfg(feature = "client")]
pub use dialect::Dialect;
#[cfg(feature = "client")]
pub use error::RunError;
#[cfg(feature = "client")]
pub use interrupt::INTERRUPTED;
#[cfg(feature = "client")]
pub use plan::Plan;
#[cfg(feature = "client")]
pub use run::{AS_WORKER, Outcome, run};
#[cfg(feature = "client")]
pub use worker::serve;
#[cfg(feature = "client")]
pub use workers::WorkerError;

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
//! - [`run`] is the program: from the command line to what is printed
//! - `conduct` is a run as it goes on: it starts [`serve`] in one process or several by a `crew`, and tells them when
//! - `interrupt` is the signal that ends it early, `lines` is where `--json` goes, `limits` are what a result has to
//!   keep to
//! - `client` is one connection: it opens, sends when a `schedule` says so, and counts by a list of what it has `seen` what came back
//! - `window` is when messages are sent, and from when on they count
//! - `dialect` speaks the protocols of other servers, `stamp` is what a message says
//! - `meter` counts in a worker process, `interval` is what it tells, `ledger` sums that up
//! - `server` watches the processes of the server

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
mod conduct;
#[cfg(feature = "client")]
mod crew;
#[cfg(feature = "client")]
mod dialect;
#[cfg(feature = "client")]
mod files;
#[cfg(feature = "client")]
mod interrupt;
#[cfg(feature = "client")]
mod interval;
#[cfg(feature = "client")]
mod ledger;
#[cfg(feature = "client")]
mod limits;
#[cfg(feature = "client")]
mod lines;
#[cfg(feature = "client")]
mod meter;
#[cfg(feature = "client")]
mod orders;
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
mod table;
#[cfg(feature = "client")]
mod units;
#[cfg(feature = "client")]
mod window;
#[cfg(feature = "client")]
mod worker;

pub use chart::{Chart, ChartError, Line, charts_of_a_run};
pub use histogram::Histogram;
pub use record::{
    Deliveries, LoadUse, Opening, Percentiles, Phase, Record, RoundTrips, Second, ServerUse, Setting, Summary,
};

#[cfg(feature = "client")]
pub use cli::{Cli, Unusable};
#[cfg(feature = "client")]
pub use crew::CrewError;
#[cfg(feature = "client")]
pub use interrupt::INTERRUPTED;
#[cfg(feature = "client")]
pub use plan::{Dialect, Plan};
#[cfg(feature = "client")]
pub use run::{AS_WORKER, Outcome, RunError, run};
#[cfg(feature = "client")]
pub use worker::serve;

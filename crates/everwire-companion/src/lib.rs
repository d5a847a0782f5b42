//! The companion server: endpoints for the demos, for tests and for measurements, on `everwire-server`.
//!
//! # Layout
//! - [`Config`] says what a server does, [`Cli`] reads it from flags, [`Server`] runs it
//! - `companion`: the state behind the routes; `routes`: all of them; `opening`: what endpoints do first with a handshake
//! - `endpoints`: the small ones; `ticker`, `lab`, `files`, `monitor`: the large ones
//! - `fault`: faults that clients request; `pages`: the files of the demos

mod cli;
mod companion;
mod config;
mod endpoints;
mod fault;
mod files;
mod json;
mod lab;
mod memory;
mod monitor;
mod opening;
mod pages;
mod parameters;
mod routes;
mod server;
mod ticker;

pub use cli::{Cli, UnusableFlags};
pub use companion::Companion;
pub use config::Config;
pub use files::FileLimits;
pub use server::{RunningServer, Server};
pub use ticker::{FeedSource, Recording, RecordingError, TickerLimits};

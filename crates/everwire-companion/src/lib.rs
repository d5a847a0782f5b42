//! The companion server: endpoints for the demos, for tests and for measurements, on `everwire-server`.
//!
//! # Layout
//! - [`Config`] says what a server does, [`Cli`] reads it from flags, [`Server`] runs it
//! - `companion`: the state behind the routes; `routes`: all of them
//! - `upgrade`: checks a handshake and applies its faults; `protocol`: paths, query parameters and JSON messages
//! - `cross_origin`: which pages may read what HTTP answers
//! - `endpoints`: the small ones; `ticker`, `lab`, `files`, `monitor`: the large ones
//! - `channels`: the channels of `everwire.v1`
//! - `supervisor`: a process that keeps another one serving
//! - `fault`: faults that clients request; `pages`: the files of the demos

mod channels;
mod cli;
mod companion;
mod config;
mod cross_origin;
mod endpoints;
mod fault;
mod files;
mod lab;
mod monitor;
mod pages;
mod protocol;
mod routes;
mod server;
#[cfg(unix)]
mod supervisor;
mod ticker;
mod tracker;
mod upgrade;

pub use channels::LogTap;
pub use cli::{Cli, Role, UnusableFlags};
pub use companion::Companion;
pub use config::Config;
pub use files::FileLimits;
pub use server::{RunningServer, Server, StartError};
#[cfg(unix)]
pub use supervisor::{inherit_listener, supervise};
pub use ticker::{FeedSource, Recording, RecordingError, TickerLimits};

//! The companion server: endpoints for the demos, for tests and for measurements, on `everwire-server`.
//!
//! # Layout
//! - [`Config`] says what a server does, [`Cli`] reads it from flags, [`Server`] runs it
//! - [`Companion`]: the state behind the routes, and the routes; `pages`: the files of the demos
//! - `protocol`: what the endpoints have in common, from query parameters to faults in a handshake; `fault`: the faults themselves
//! - `endpoints`: the small ones; `ticker`, `tracker`, `lab`, `files`, `monitor`: the large ones, with their channels
//! - `channels`: the rules of all channels of `everwire.v1`, the chat, and the trading floor
//! - `supervisor`: a process that keeps another one serving

mod channels;
mod companion;
mod config;
mod endpoints;
mod fault;
mod files;
mod lab;
mod monitor;
mod pages;
mod protocol;
mod server;
#[cfg(unix)]
mod supervisor;
mod ticker;
mod tracker;

pub use channels::LogTap;
pub use companion::Companion;
pub use config::{Cli, Config, FlagsError, Role};
pub use files::FileLimits;
pub use server::{RunningServer, Server, StartError};
#[cfg(unix)]
pub use supervisor::{inherit_listener, supervise};
pub use ticker::{FeedSource, Recording, RecordingError, TickerLimits};

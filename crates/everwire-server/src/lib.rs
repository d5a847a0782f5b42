//! The companion server of Everwire: small WebSocket endpoints for demos, tests and measurements, behind limits
//! that hold for anyone who connects.
//!
//! The binary `everwire-server` is this library with a command line. To mount the endpoints in an axum
//! application of your own, merge or nest [`router`] into it, or [`Everwire::router`] to have a hand on what is behind:
//!
//! ```
//! use axum::Router;
//! use everwire_server::{Config, Everwire};
//!
//! let everwire = Everwire::new(Config::default());
//! let app: Router = Router::new().nest("/live", everwire.router()).nest("/live", everwire.probes());
//! # drop(app);
//! ```
//!
//! To run it inside a test, start a [`Server`] on a free port and stop it when done:
//!
//! ```
//! use everwire_server::{Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
//! let server = Server::bind(config).await?.start();
//! println!("echo at ws://{}/echo", server.local_addr());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - what a server is made of: [`Config`], [`Limits`], [`Origins`], [`FileLimits`], [`FeedSource`], [`Tls`], [`Clock`]
//! - how it runs: [`Server`] accepts connections, [`Everwire`] is the state behind the routes, [`router`] the routes
//! - `handshake` decides whether a request becomes a WebSocket, `upgrade` speaks the HTTP of it; `host` and `origin` say by which
//!   names and from which pages
//! - `connection` is the one loop that every endpoint shares: pings, limits, faults, counters, coalesced writes
//! - `endpoints` and `ticker` say what each path does, as a `Handler` inside that loop
//! - `group` sends one encoded message to many, `metrics` counts, `monitor` tells what the machine does
//! - `files` keeps what one client leaves for others

mod cli;
mod clock;
mod config;
mod connection;
mod deadline;
mod drain;
mod endpoints;
mod everwire;
mod fault;
mod files;
mod group;
mod handler;
mod handshake;
mod handshake_error;
mod held;
mod host;
mod lab;
mod limits;
mod metrics;
mod monitor;
mod origin;
mod pages;
mod query;
mod registry;
mod router;
mod serve;
mod ticker;
mod upgrade;

pub use cli::{Cli, UnusableFlags};
pub use clock::Clock;
pub use config::Config;
pub use everwire::Everwire;
pub use files::FileLimits;
pub use limits::Limits;
pub use origin::{BadOrigin, Origins};
pub use router::router;
pub use serve::{RunningServer, Server, StopSignal, Tls, TlsError};
pub use ticker::{FeedSource, Recording, RecordingError};

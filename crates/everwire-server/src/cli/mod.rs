//! Command line flags and a log for the binary of a server: what does not depend on the application.
//!
//! Flatten [`ServerFlags`] into the application's own [`clap`] parser, and make the [`Everwire`] and the [`Server`] of what
//! they say:
//!
//! ```no_run
//! use clap::Parser;
//! use everwire_server::cli::ServerFlags;
//! use everwire_server::Server;
//!
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     server: ServerFlags,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Cli { server } = Cli::parse();
//! let everwire = server.builder()?.build();
//! let server = Server::bind(&everwire, server.config()?).await?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! [`Everwire`]: crate::Everwire
//! [`Server`]: crate::Server

mod flags;
mod log;
mod open_files;

pub use flags::{LimitFlags, ServerFlags, TlsFlags, UnusableFlags, parse_positive_seconds, parse_seconds, parse_size};
pub use log::Log;
pub use open_files::raise_open_file_limit;

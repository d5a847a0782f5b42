//! Accepts connections, with or without TLS, until the server stops.

mod accept;
mod server;
mod signal;
#[cfg(feature = "tls")]
mod tls;

pub use server::{RunningServer, Server, ServerConfig};
pub use signal::StopSignal;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

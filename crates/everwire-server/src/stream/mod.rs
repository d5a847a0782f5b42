//! The streams between the accept loop's TCP and hyper, and the way back to TCP.

mod observed;
mod timeout;

pub(crate) use observed::ObservedStream;
pub use observed::StreamObserver;
pub(crate) use timeout::{RequestProgress, TimeoutStream};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::net::TcpStream;

/// What the accept loop serves HTTP on, where there is no TLS.
type AcceptedStream = TokioIo<TimeoutStream<ObservedStream<TcpStream>>>;

/// The TCP stream below a connection that was upgraded, and what was read from it too soon; or the connection as it
/// is, where something is between it and TCP that has to stay.
pub(crate) fn bare_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<AcceptedStream>() {
        Ok(parts) => Ok((parts.io.into_inner().into_inner().into_inner(), parts.read_buf)),
        // `axum::serve` has accepted it, whose HTTP keeps the stream in a type of its own.
        Err(upgraded) => downcast::<TokioIo<TcpStream>>(upgraded).map(|parts| (parts.io.into_inner(), parts.read_buf)),
    }
}

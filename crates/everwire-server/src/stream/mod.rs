//! The streams between TCP and hyper in the accept loop, and the way back to TCP after an upgrade.

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

/// The stream that the accept loop serves HTTP on without TLS.
type AcceptedStream = TokioIo<TimeoutStream<ObservedStream<TcpStream>>>;

/// Returns the TCP stream below an upgraded connection, with the bytes that HTTP has read ahead; or the connection as it is, if a layer
/// above TCP has to stay.
pub(crate) fn bare_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<AcceptedStream>() {
        Ok(parts) => Ok((parts.io.into_inner().into_inner().into_inner(), parts.read_buf)),
        // A connection of `axum::serve`, whose HTTP implementation wraps the stream in another type.
        Err(upgraded) => downcast::<TokioIo<TcpStream>>(upgraded).map(|parts| (parts.io.into_inner(), parts.read_buf)),
    }
}

use std::hint::black_box;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::environment::Environment;
use super::frames::Frames;

/// A TCP stream that the task of its connection reads and writes, and that its outbound queue may write to directly.
#[derive(Debug)]
pub(crate) struct Tcp {
    read: OwnedReadHalf,
    write: Arc<OwnedWriteHalf>,
}

/// Writes frames to TCP without the connection's task, for a connection that needs no more than the write: no TLS, no
/// interceptor, no observer.
#[derive(Debug)]
pub(crate) struct DirectWriter {
    stream: Arc<OwnedWriteHalf>,
    environment: Arc<Environment>,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Small messages must go out at once, also if another server accepted the stream. The error of a broken stream is found
        // when it is read.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        Self { read, write: Arc::new(write) }
    }

    pub(crate) fn direct_writer(&self, environment: &Arc<Environment>) -> DirectWriter {
        DirectWriter { stream: Arc::clone(&self.write), environment: Arc::clone(environment) }
    }
}

impl DirectWriter {
    /// Writes as many bytes as the socket takes and returns their number. That is 0 for a broken connection, which is found when
    /// it is read.
    pub(super) fn write(&self, frames: &Frames) -> usize {
        // Bypasses the runtime's readiness check and tries the socket itself.
        let count = self.socket().send(frames.bytes()).unwrap_or(0);
        if count == frames.bytes().len() {
            self.environment.metrics.record_sent(frames.messages(), frames.payload());
        }
        count
    }

    /// Touches the memory that [`write`](Self::write) needs, so that it is cached then.
    pub(super) fn prefetch(&self) {
        black_box(&*self.socket());
    }

    fn socket(&self) -> SockRef<'_> {
        let stream: &TcpStream = (*self.stream).as_ref();
        SockRef::from(stream)
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream: &TcpStream = (*self.write).as_ref();
        loop {
            match stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(stream.poll_write_ready(cx))?,
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP has no buffer that a flush could write.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.write).as_ref();
        Poll::Ready(SockRef::from(stream).shutdown(Shutdown::Write))
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        // Others may hold the outbound queue, and so the write half, for a while. Fails if the connection is closed already.
        let stream: &TcpStream = (*self.write).as_ref();
        let _ = SockRef::from(stream).shutdown(Shutdown::Write);
    }
}

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

/// A TCP stream that its connection reads and writes, and that its outbound queue may write to as well.
#[derive(Debug)]
pub(crate) struct Tcp {
    read: OwnedReadHalf,
    write: Arc<OwnedWriteHalf>,
}

/// The way around an outbound queue, for a connection that has nothing to do to a message but write it.
#[derive(Debug)]
pub(crate) struct Direct {
    stream: Arc<OwnedWriteHalf>,
    environment: Arc<Environment>,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Small messages must go out at once. An application that has the routes may not have seen to it, and a stream that is
        // broken is found out when it is read.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        Self { read, write: Arc::new(write) }
    }

    pub(crate) fn direct(&self, environment: &Arc<Environment>) -> Direct {
        Direct { stream: Arc::clone(&self.write), environment: Arc::clone(environment) }
    }
}

impl Direct {
    /// Writes as much as there is room for, and says how much that was. Where the connection is broken that is nothing;
    /// its reader finds out.
    pub(super) fn write(&self, frames: &Frames) -> usize {
        // Not by way of the runtime, which would only look first whether it knows of room.
        let count = self.socket().send(frames.bytes()).unwrap_or(0);
        if count == frames.bytes().len() {
            self.environment.metrics.record_sent(frames.messages(), frames.payload());
        }
        count
    }

    /// Touches the memory that [`write`](Self::write) needs.
    pub(super) fn prepare(&self) {
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
        // TCP keeps nothing back that a flush could send.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.write).as_ref();
        Poll::Ready(SockRef::from(stream).shutdown(Shutdown::Write))
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        // The outbound queue may be held on to for a while by others; the connection is over now. It may have been before.
        let stream: &TcpStream = (*self.write).as_ref();
        let _ = SockRef::from(stream).shutdown(Shutdown::Write);
    }
}

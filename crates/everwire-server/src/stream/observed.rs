use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Sees the bytes of one TCP connection that [`Server`](crate::Server) accepts, above TLS: the requests and answers of HTTP, and those of
/// a WebSocket whose [`Upgrade`](crate::Upgrade) asks for it. See [`Server::observe`](crate::Server::observe).
pub trait StreamObserver: Send + Sync + 'static {
    /// So many bytes were read.
    fn on_read(&self, bytes: usize);

    /// So many bytes are about to be written. What the system does not take of them is reported by
    /// [`on_unwritten`](Self::on_unwritten) right after: bytes are seen before the client can have them.
    fn on_write(&self, bytes: usize);

    /// So many of the bytes that were about to be written were not.
    fn on_unwritten(&self, bytes: usize);

    /// The head of a request has been read. What is inserted here is found by the request's handler in its extensions.
    fn on_request(self: Arc<Self>, extensions: &mut Extensions);
}

/// A stream that an observer may see.
pub(crate) struct ObservedStream<S> {
    stream: S,
    observer: Option<Arc<dyn StreamObserver>>,
}

impl<S> ObservedStream<S> {
    pub(crate) fn new(stream: S, observer: Option<Arc<dyn StreamObserver>>) -> Self {
        Self { stream, observer }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Counts what is offered, and takes back what was not taken. So bytes are counted before the peer can have them, and what
    /// it asks about them is answered with them in it.
    fn observe(
        &mut self,
        offered: usize,
        write: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>>
    where
        S: Unpin,
    {
        let Some(observer) = &self.observer else { return write(Pin::new(&mut self.stream)) };
        observer.on_write(offered);
        let written = write(Pin::new(&mut self.stream));
        let taken = if let Poll::Ready(Ok(taken)) = written { taken } else { 0 };
        if taken < offered {
            observer.on_unwritten(offered - taken);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ObservedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if let Some(observer) = &self.observer {
            observer.on_read(buffer.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ObservedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.observe(bytes.len(), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.observe(offered, |stream| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

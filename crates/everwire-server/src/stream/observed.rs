use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Observes the bytes of a connection that [`Server`](crate::Server) accepts, above TLS: those of HTTP, and those of a WebSocket with
/// [`Upgrade::observe`](crate::Upgrade::observe). See [`Server::observe`](crate::Server::observe).
pub trait StreamObserver: Send + Sync + 'static {
    /// Bytes have been read.
    fn on_read(&self, bytes: usize);

    /// Bytes are about to be written. Those that the system does not accept are reported by [`on_unwritten`](Self::on_unwritten)
    /// right afterwards, so that bytes are observed before the client can receive them.
    fn on_write(&self, bytes: usize);

    /// Bytes reported by [`on_write`](Self::on_write) have not been written.
    fn on_unwritten(&self, bytes: usize);

    /// The head of a request has been read. The handler of the request finds in its extensions what is inserted here.
    fn on_request(self: Arc<Self>, extensions: &mut Extensions);
}

/// A stream with an optional observer.
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

    /// Reports all bytes before the write and the rejected ones afterwards. Otherwise the peer could receive bytes, and ask for their
    /// count, before they are counted.
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
        let accepted = if let Poll::Ready(Ok(accepted)) = written { accepted } else { 0 };
        if accepted < offered {
            observer.on_unwritten(offered - accepted);
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

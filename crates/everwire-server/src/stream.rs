//! The streams between TCP and hyper in the accept loop, and the way back to TCP after an upgrade.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::Extensions;
use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::time::Deadline;

const TIMEOUT_RESPONSE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    connection: close\r\n\
    content-length: 50\r\n\r\n\
    The request did not arrive in time; send it again.";

/// A stream with time limits for HTTP: one that gets no whole request in time ends with a 408, and one whose peer accepts no
/// bytes for too long fails. Connections that become WebSockets leave it, and have time limits of their own.
///
/// hyper limits the time of a request as well, but closes without a response, and does not limit writes.
#[derive(Debug)]
pub(crate) struct TimeoutStream<S> {
    stream: S,
    /// `None` once the first request has arrived.
    first_request: Option<FirstRequest>,
    write_limit: Duration,
    progress: RequestProgress,
    /// Set while writes are blocked.
    write_deadline: Option<Deadline>,
}

#[derive(Debug)]
struct FirstRequest {
    deadline: Deadline,
    /// Bytes of the timeout response that were written.
    written: usize,
}

/// Shared with the service, which reports the progress of the stream's requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestProgress(Arc<ProgressFlags>);

#[derive(Debug, Default)]
struct ProgressFlags {
    has_begun: AtomicBool,
    is_over: AtomicBool,
}

impl RequestProgress {
    /// Reports that a request has arrived.
    pub(crate) fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Relaxed);
    }

    /// Reports that HTTP is over on this stream.
    pub(crate) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }
}

impl<S> TimeoutStream<S> {
    /// The time for the first request counts from `accepted`.
    pub(crate) fn new(stream: S, accepted: Instant, limits: &Limits, progress: &RequestProgress) -> Self {
        let first_request = FirstRequest { deadline: Deadline::at(accepted + limits.handshake), written: 0 };
        Self {
            stream,
            first_request: Some(first_request),
            write_limit: limits.response,
            progress: progress.clone(),
            write_deadline: None,
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Turns a write that has been blocked for too long into an error.
    fn limit_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() || self.progress.is_over() {
            self.write_deadline = None;
            return written;
        }
        let time_limit = self.write_limit;
        let deadline = self.write_deadline.get_or_insert_with(|| Deadline::after(time_limit));
        Pin::new(deadline).poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TimeoutStream<S> {
    /// Ready with whether the first request is late, in which case the timeout response has been written.
    fn poll_request_timeout(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(first) = &mut self.first_request else { return Poll::Ready(Ok(false)) };
        if self.progress.has_begun() {
            self.first_request = None;
            return Poll::Ready(Ok(false));
        }
        if Pin::new(&mut first.deadline).poll(cx).is_pending() {
            return Poll::Ready(Ok(false));
        }
        while first.written < TIMEOUT_RESPONSE.len() {
            first.written += ready!(Pin::new(&mut self.stream).poll_write(cx, &TIMEOUT_RESPONSE[first.written..]))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TimeoutStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_request_timeout(cx))? {
            // An empty read is the end of the stream.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limit_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.limit_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // A TLS stream buffers a write that would block, so that a stalled peer shows only in these.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.limit_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limit_write(cx, shut)
    }
}

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

/// The stream that the accept loop serves HTTP on without TLS.
type AcceptedStream = TokioIo<TimeoutStream<ObservedStream<TcpStream>>>;

/// Unwraps the TCP stream below an upgraded connection, with the bytes that HTTP has read ahead; or the connection unchanged, if a layer
/// above TCP must stay.
pub(crate) fn into_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<AcceptedStream>() {
        Ok(parts) => Ok((parts.io.into_inner().into_inner().into_inner(), parts.read_buf)),
        // A connection of `axum::serve`, whose HTTP implementation wraps the stream in another type.
        Err(upgraded) => downcast::<TokioIo<TcpStream>>(upgraded).map(|parts| (parts.io.into_inner(), parts.read_buf)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, duplex};
    use tokio::time::{advance, sleep, timeout};

    use super::*;
    use crate::time::GRACE;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_fails_the_stream_and_one_that_reads_a_little_does_not() {
        let limits = Limits { response: Duration::from_secs(30), ..Limits::default() };
        let (mut peer, stream) = duplex(4);
        let progress = RequestProgress::default();
        progress.begin();
        let mut stream = TimeoutStream::new(stream, Instant::now(), &limits, &progress);
        stream.write_all(b"full").await.unwrap();
        let start = Instant::now();
        let writing = tokio::spawn(async move { stream.write_all(b"more").await });
        sleep(Duration::from_secs(29)).await;
        peer.read_exact(&mut [0; 2]).await.unwrap();
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 29 + 30);
    }

    /// As with TLS, which has a buffer of its own.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_of_a_buffer_fails_the_stream_at_flush_or_shutdown() {
        let limits = Limits { response: Duration::from_secs(30), ..Limits::default() };
        for shuts_down in [false, true] {
            let (_peer, stream) = duplex(4);
            let progress = RequestProgress::default();
            progress.begin();
            let mut stream = BufWriter::new(stream);
            stream.write_all(b"more than four").await.unwrap();
            let mut stream = TimeoutStream::new(stream, Instant::now(), &limits, &progress);
            let start = Instant::now();
            let written = async { if shuts_down { stream.shutdown().await } else { stream.flush().await } };
            let written = timeout(Duration::from_secs(3600), written).await.expect("an end");
            assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(start.elapsed(), limits.response + GRACE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_arrived_in_time_is_read_after_the_deadline_and_one_that_drips_in_is_not() {
        let limits = Limits::default();
        let (mut peer, stream) = duplex(1 << 10);
        let mut stream = TimeoutStream::new(stream, Instant::now(), &limits, &RequestProgress::default());
        peer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        // Nothing runs while the process is stopped.
        advance(2 * limits.handshake).await;
        let mut buffer = [0; 100];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 16);
        advance(2 * GRACE).await;
        peer.write_all(b"a: b\r\n").await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0, "the end");
        assert!(peer.read(&mut buffer).await.unwrap() > 0 && buffer.starts_with(b"HTTP/1.1 408 "));
    }
}

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::Limits;
use crate::deadline::Deadline;

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    connection: close\r\n\
    content-length: 49\r\n\r\n\
    The request did not arrive in time; send it anew.";

/// A stream whose peer must send its first request in time, or it is told so and the stream ends; and whose peer must take
/// what is written, or the stream breaks. Once it is a WebSocket, that one has time limits of its own.
///
/// hyper has a time limit for requests but closes without an answer when it is over, and none for answers.
#[derive(Debug)]
pub(super) struct TimeoutStream<S> {
    stream: S,
    /// Until the first request is there.
    wait: Option<Wait>,
    write: Duration,
    progress: Progress,
    /// Since a write found no room.
    stalled: Option<Deadline>,
}

#[derive(Debug)]
struct Wait {
    deadline: Deadline,
    /// Bytes of the refusal that were written.
    refused: usize,
}

/// Tells the stream how far its requests are.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    has_begun: AtomicBool,
    is_over: AtomicBool,
}

impl Progress {
    /// A request is there.
    pub(super) fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Relaxed);
    }

    /// There will be no more requests.
    pub(super) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }
}

impl<S> TimeoutStream<S> {
    /// Waits as long as the limits say, from when it was `accepted` for a handshake, and for each write.
    pub(super) fn new(stream: S, accepted: Instant, limits: &Limits, progress: &Progress) -> Self {
        let wait = Wait { deadline: Deadline::at(accepted + limits.handshake), refused: 0 };
        Self { stream, wait: Some(wait), write: limits.write, progress: progress.clone(), stalled: None }
    }
}

impl<S> TimeoutStream<S> {
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// What a write leads to: a peer that takes nothing for too long has gone, as far as anybody can tell.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() || self.progress.is_over() {
            self.stalled = None;
            return written;
        }
        let time_limit = self.write;
        let deadline = self.stalled.get_or_insert_with(|| Deadline::after(time_limit));
        Pin::new(deadline).poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TimeoutStream<S> {
    /// Ready with whether the time is over, once the peer has been told.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(wait) = &mut self.wait else { return Poll::Ready(Ok(false)) };
        if self.progress.has_begun() {
            self.wait = None;
            return Poll::Ready(Ok(false));
        }
        if Pin::new(&mut wait.deadline).poll(cx).is_pending() {
            return Poll::Ready(Ok(false));
        }
        while wait.refused < TOO_SLOW.len() {
            wait.refused += ready!(Pin::new(&mut self.stream).poll_write(cx, &TOO_SLOW[wait.refused..]))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TimeoutStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_too_slow(cx))? {
            // Reads as the end of the stream.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // With TLS a write that found no room has ended all the same: what it left is written by these.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, duplex};
    use tokio::time::{advance, sleep, timeout};

    use super::*;
    use crate::deadline::GRACE;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_breaks_the_stream_and_one_that_takes_a_little_does_not() {
        let limits = Limits { write: Duration::from_secs(30), ..Limits::default() };
        let (mut peer, stream) = duplex(4);
        let progress = Progress::default();
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

    /// As TLS does, which has a buffer of its own.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_of_what_is_buffered_breaks_the_stream_when_it_is_flushed_or_shut() {
        let limits = Limits { write: Duration::from_secs(30), ..Limits::default() };
        for shuts in [false, true] {
            let (_peer, stream) = duplex(4);
            let progress = Progress::default();
            progress.begin();
            let mut stream = BufWriter::new(stream);
            stream.write_all(b"more than four").await.unwrap();
            let mut stream = TimeoutStream::new(stream, Instant::now(), &limits, &progress);
            let start = Instant::now();
            let written = async { if shuts { stream.shutdown().await } else { stream.flush().await } };
            let written = timeout(Duration::from_secs(3600), written).await.expect("an end");
            assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(start.elapsed(), limits.write + GRACE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_came_in_time_is_read_although_the_time_is_over_and_drips_are_not() {
        let limits = Limits::default();
        let (mut peer, stream) = duplex(1 << 10);
        let mut stream = TimeoutStream::new(stream, Instant::now(), &limits, &Progress::default());
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

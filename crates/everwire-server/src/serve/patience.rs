use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    connection: close\r\n\
    content-length: 49\r\n\r\n\
    The request did not arrive in time; send it anew.";

/// A stream whose peer must send its first request in time; otherwise it is told so, and the stream ends.
///
/// hyper has a time limit of its own but closes without an answer when it is over.
#[derive(Debug)]
pub(super) struct Patience<S> {
    stream: S,
    /// Until the first request is there.
    wait: Option<Wait>,
}

#[derive(Debug)]
struct Wait {
    timer: Pin<Box<Sleep>>,
    arrived: Arc<AtomicBool>,
    /// Bytes of the refusal that were written.
    refused: usize,
}

/// Tells the stream that a request is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrival(Arc<AtomicBool>);

impl Arrival {
    pub(super) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Patience<S> {
    pub(super) fn new(stream: S, time: Duration, arrival: &Arrival) -> Self {
        let arrived = Arc::clone(&arrival.0);
        Self { stream, wait: Some(Wait { timer: Box::pin(sleep(time)), arrived, refused: 0 }) }
    }
}

impl<S> Patience<S> {
    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> Patience<S> {
    /// Ready with whether the time is over, once the peer has been told.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(wait) = &mut self.wait else { return Poll::Ready(Ok(false)) };
        if wait.arrived.load(Ordering::Relaxed) {
            self.wait = None;
            return Poll::Ready(Ok(false));
        }
        if wait.timer.as_mut().poll(cx).is_pending() {
            return Poll::Ready(Ok(false));
        }
        while wait.refused < TOO_SLOW.len() {
            wait.refused += ready!(Pin::new(&mut self.stream).poll_write(cx, &TOO_SLOW[wait.refused..]))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patience<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_too_slow(cx))? {
            // Reads as the end of the stream.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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

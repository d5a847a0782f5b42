//! The I/O of a connection: decodes what a stream receives and writes encoded frames to it, from the connection's task or directly.

use std::cell::RefCell;
use std::hint::black_box;
use std::io;
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::yield_now;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::decoder::{Decoder, Progress};
use super::frames::{Frames, Pieces};
use crate::limits::Charge;
use crate::metrics::EndpointMetrics;

/// Size of the read buffer, and of the buffer in which small pieces are combined for one write.
const BUFFER_BYTES: usize = 32 << 10;
/// The greatest size of one write.
const MAX_WRITE_BYTES: usize = 128 << 10;

/// Reads between two yields; each may bring up to 128 messages.
const READS_PER_YIELD: usize = 4;
/// Bytes written between two yields. The last write may exceed them.
const BYTES_PER_YIELD: usize = 128 << 10;

thread_local! {
    /// Shared by the connections of a worker, so that one that waits holds no buffer.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Decodes what a stream receives and writes encoded frames to it.
///
/// Senders encode messages, once for all receivers, so that only the write is left to do for each connection.
#[derive(Debug)]
pub(crate) struct FramedTransport<S> {
    stream: S,
    decoder: Decoder,
    /// Bytes read from the stream that are not decoded yet.
    undecoded: Bytes,
    pending: PendingWrite,
    /// The peer's close frame, if it sent one; it is answered when the connection closes.
    peer_closed: Option<Option<CloseFrame>>,
}

/// Frames that are being written.
#[derive(Debug, Default)]
struct PendingWrite {
    pieces: Pieces,
    /// The number of pieces that are written.
    done: usize,
    /// The bytes of the next piece that are written.
    offset: usize,
}

/// Counts what has been written completely.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) pieces: usize,
    pub(super) messages: u64,
    pub(super) payload: u64,
}

/// The work that a connection does before it yields to other tasks: about 100 µs, so that one echo among hundreds of busy
/// connections waits for milliseconds. tokio's own budget counts operations, of which each may be a large one, and does not
/// see writes that do not block.
#[derive(Debug)]
pub(super) struct PollBudget {
    reads: usize,
    bytes: usize,
}

impl Written {
    /// Adds to the metrics of the endpoint.
    pub(super) fn record(&self, metrics: &EndpointMetrics) {
        metrics.record_sent(self.messages, self.payload);
    }
}

impl<S> FramedTransport<S> {
    /// The server's end of a stream after the handshake; `undecoded` was read along with the handshake. A message has at most
    /// `message_bytes`, which are charged while it arrives.
    pub(crate) fn new(stream: S, undecoded: Bytes, message_bytes: usize, charge: Charge) -> Self {
        let decoder = Decoder::new(message_bytes, charge);
        Self { stream, decoder, undecoded, pending: PendingWrite::default(), peer_closed: None }
    }

    /// The stream, to shut it down.
    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Queues frames behind those that are being written. `offset` bytes of the first piece have been written already, which is
    /// only possible while nothing else is queued.
    pub(super) fn write(&mut self, pieces: Pieces, offset: usize) {
        self.pending.add(pieces, offset);
    }

    /// Queues a close frame: the given one, or else the answer to the peer's, if it sent one.
    pub(super) fn write_close(&mut self, frame: Option<CloseFrame>) {
        let frame = frame.map_or_else(|| self.peer_closed.take(), |frame| Some(Some(frame)));
        self.pending.pieces.extend(frame.map(Frames::close));
    }

    /// Drops the frames that are not partly written. The rest of one that is must follow, or the peer could not find the next.
    pub(super) fn drop_unstarted(&mut self) {
        let PendingWrite { pieces, done, offset } = &mut self.pending;
        let incomplete = pieces.get(*done).and_then(|piece| piece.up_to_incomplete(*offset));
        if incomplete.is_none() {
            *offset = 0;
        }
        pieces.truncate(*done);
        pieces.extend(incomplete);
    }

    /// The peer's close frame, if it sent one; the inner option is `None` if that has no code.
    pub(super) fn peer_closed(&self) -> Option<&Option<CloseFrame>> {
        self.peer_closed.as_ref()
    }

    /// The state of the message that is arriving.
    pub(super) fn progress(&self) -> Progress {
        self.decoder.progress()
    }

    /// Decodes `input` until `receive` breaks. Returns the number of bytes decoded.
    fn decode(
        &mut self,
        input: &[u8],
        has_ended: bool,
        receive: &mut impl FnMut(Result<Message, Error>) -> ControlFlow<()>,
    ) -> usize {
        let mut rest = input;
        while let Some(next) = self.decoder.next(&mut rest) {
            let is_last = next.is_err();
            if let Ok(Message::Close(frame)) = &next {
                self.peer_closed = Some(frame.clone());
            }
            if receive(next).is_break() || is_last {
                return input.len() - rest.len();
            }
        }
        if has_ended {
            let _ = receive(Err(ProtocolError::ResetWithoutClosingHandshake.into()));
        }
        input.len() - rest.len()
    }
}

impl<S: AsyncRead + Unpin> FramedTransport<S> {
    /// Reads from the stream and passes messages to `receive` until it breaks. An error is the last. Ready if there may be more
    /// to read.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(Result<Message, Error>) -> ControlFlow<()>,
    ) -> Poll<()> {
        ready!(self.decoder.poll_room(cx));
        if !self.undecoded.is_empty() {
            let mut input = std::mem::take(&mut self.undecoded);
            let decoded = self.decode(&input, false, &mut receive);
            input.advance(decoded);
            self.undecoded = input;
            return Poll::Ready(());
        }
        READ.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) => {
                    let has_ended = buffer.filled().is_empty();
                    let decoded = self.decode(buffer.filled(), has_ended, &mut receive);
                    self.undecoded = Bytes::copy_from_slice(&buffer.filled()[decoded..]);
                }
                Err(error) => drop(receive(Err(error.into()))),
            }
            Poll::Ready(())
        })
    }
}

impl<S: AsyncWrite + Unpin> FramedTransport<S> {
    /// Writes until nothing is left or the budget is exhausted, and adds to `written`.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        budget: &mut PollBudget,
        written: &mut Written,
    ) -> Poll<io::Result<()>> {
        let stream = &mut self.stream;
        while let Some(count) = self.pending.write_next(|bytes| Pin::new(&mut *stream).poll_write(cx, bytes)) {
            match ready!(count)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.pending.advance(count, written);
                    budget.spend_write(count);
                }
            }
            if budget.is_exhausted() && !self.pending.is_done() {
                return Poll::Pending;
            }
        }
        self.pending = PendingWrite::default();
        Pin::new(stream).poll_flush(cx)
    }
}

impl PollBudget {
    pub(super) fn spend_read(&mut self) {
        self.reads = self.reads.saturating_sub(1);
    }

    pub(super) fn spend_write(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.reads == 0 || self.bytes == 0
    }

    /// Has the task polled again after the other tasks that are ready and after the runtime has polled its sockets.
    pub(super) fn yield_now(cx: &mut Context<'_>) {
        // The first poll is always pending and registers the waker with the runtime's deferred tasks.
        let _ = pin!(yield_now()).poll(cx);
    }
}

impl Default for PollBudget {
    fn default() -> Self {
        Self { reads: READS_PER_YIELD, bytes: BYTES_PER_YIELD }
    }
}

impl PendingWrite {
    fn add(&mut self, pieces: Pieces, offset: usize) {
        if self.pieces.is_empty() {
            (self.pieces, self.offset) = (pieces, offset);
        } else {
            debug_assert_eq!(offset, 0, "no direct writes while something is pending");
            self.pieces.extend(pieces);
        }
    }

    /// Calls `write` with the bytes of the next write; `None` if there are none.
    fn write_next<T>(&self, write: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (first, more) = self.pieces[self.done..].split_first()?;
        let first = &first.bytes()[self.offset..];
        if more.is_empty() || first.len() >= BUFFER_BYTES {
            return Some(write(&first[..first.len().min(MAX_WRITE_BYTES)]));
        }
        // Copying short pieces is cheaper than a vectored write.
        Some(WRITE.with_borrow_mut(|buffer| {
            buffer.clear();
            buffer.extend_from_slice(first);
            for piece in more {
                if buffer.len() + piece.bytes().len() > BUFFER_BYTES {
                    break;
                }
                buffer.extend_from_slice(piece.bytes());
            }
            write(buffer)
        }))
    }

    fn is_done(&self) -> bool {
        self.done == self.pieces.len()
    }

    fn advance(&mut self, count: usize, written: &mut Written) {
        self.offset += count;
        while let Some(piece) = self.pieces.get(self.done)
            && let Some(beyond) = self.offset.checked_sub(piece.bytes().len())
        {
            written.pieces += 1;
            written.messages += piece.messages();
            written.payload += piece.payload();
            self.done += 1;
            self.offset = beyond;
        }
    }
}

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
    metrics: Arc<EndpointMetrics>,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Small messages must go out at once, also if another server accepted the stream. The error of a broken stream is found
        // when it is read.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        Self { read, write: Arc::new(write) }
    }

    pub(crate) fn direct_writer(&self, metrics: &Arc<EndpointMetrics>) -> DirectWriter {
        DirectWriter { stream: Arc::clone(&self.write), metrics: Arc::clone(metrics) }
    }
}

impl DirectWriter {
    /// Writes as many bytes as the socket takes and returns their number. That is 0 for a broken connection, which is found when
    /// it is read.
    pub(super) fn write(&self, frames: &Frames) -> usize {
        // Bypasses the runtime's readiness check and tries the socket itself.
        let count = self.socket().send(frames.bytes()).unwrap_or(0);
        if count == frames.bytes().len() {
            self.metrics.record_sent(frames.messages(), frames.payload());
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

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::decoder::{Decoder, Progress};
use super::frames::Frames;
use super::outbound::Pieces;
use super::turn::Turn;
use crate::limits::Charge;
use crate::metrics::EndpointMetrics;

/// Bytes read in one go, and bytes of small pieces that are put together for one write.
const AT_ONCE: usize = 32 << 10;
/// Bytes of one write.
const MOST_A_WRITE: usize = 128 << 10;

thread_local! {
    /// A connection that waits needs no memory to read into: one that reads borrows this.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; AT_ONCE]);
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A WebSocket on a stream.
///
/// What goes out is encoded by whoever sends it, once for all receivers, so that the only thing left to do for each of them
/// is the write.
#[derive(Debug)]
pub(crate) struct FramedTransport<S> {
    stream: S,
    decoder: Decoder,
    /// Read from the stream, and not decoded yet.
    unread: Bytes,
    unwritten: Unwritten,
    /// The peer's close frame, which is to be answered.
    peer_closed: Option<Option<CloseFrame>>,
}

/// What is being written.
#[derive(Debug, Default)]
struct Unwritten {
    pieces: Pieces,
    /// How many of them are done, and how much of the next.
    done: usize,
    offset: usize,
}

/// What was written to its end.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) pieces: usize,
    pub(super) messages: u64,
    pub(super) payload: u64,
}

impl Written {
    pub(super) fn count(&self, metrics: &EndpointMetrics) {
        metrics.record_sent(self.messages, self.payload);
    }
}

impl<S> FramedTransport<S> {
    /// The server's end of a stream whose handshake is done; `unread` came together with it. A message has at most `message_bytes`, and
    /// is charged while it arrives.
    pub(crate) fn new(stream: S, unread: Bytes, message_bytes: usize, charge: Charge) -> Self {
        let decoder = Decoder::new(message_bytes, charge);
        Self { stream, decoder, unread, unwritten: Unwritten::default(), peer_closed: None }
    }

    /// The stream below, for what is no WebSocket any more.
    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Lets these be written after what already is. Some of the first may be written: then nothing else is waiting.
    pub(super) fn write(&mut self, pieces: Pieces, begun: usize) {
        self.unwritten.add(pieces, begun);
    }

    /// Lets the close frame be written; where there is none, the answer to the peer's if it sent one.
    pub(super) fn write_close(&mut self, frame: Option<CloseFrame>) {
        let frame = frame.map_or_else(|| self.peer_closed.take(), |frame| Some(Some(frame)));
        self.unwritten.pieces.extend(frame.map(Frames::close));
    }

    /// Forgets what is not begun. The frame that is must be finished, or the peer could not tell where the next starts.
    pub(super) fn forget_unbegun(&mut self) {
        let Unwritten { pieces, done, offset } = &mut self.unwritten;
        let under_way = pieces.get(*done).and_then(|piece| piece.up_to_incomplete(*offset));
        if under_way.is_none() {
            *offset = 0;
        }
        pieces.truncate(*done);
        pieces.extend(under_way);
    }

    /// What the peer's close frame says, if it sent one.
    pub(super) fn peer_closed(&self) -> Option<&Option<CloseFrame>> {
        self.peer_closed.as_ref()
    }

    /// What there is of the next message.
    pub(super) fn progress(&self) -> Progress {
        self.decoder.progress()
    }

    /// Hands over what `input` holds until `receive` has enough, and says how much that was.
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
    /// Hands over messages that have arrived until `receive` has enough; an error is the last. Ready when there may be more.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(Result<Message, Error>) -> ControlFlow<()>,
    ) -> Poll<()> {
        ready!(self.decoder.poll_room(cx));
        if !self.unread.is_empty() {
            let mut input = std::mem::take(&mut self.unread);
            let decoded = self.decode(&input, false, &mut receive);
            input.advance(decoded);
            self.unread = input;
            return Poll::Ready(());
        }
        READ.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) => {
                    let has_ended = buffer.filled().is_empty();
                    let decoded = self.decode(buffer.filled(), has_ended, &mut receive);
                    self.unread = Bytes::copy_from_slice(&buffer.filled()[decoded..]);
                }
                Err(error) => drop(receive(Err(error.into()))),
            }
            Poll::Ready(())
        })
    }
}

impl<S: AsyncWrite + Unpin> FramedTransport<S> {
    /// Writes until nothing is left, or the turn is over; `written` learns what got out on the way.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        turn: &mut Turn,
        written: &mut Written,
    ) -> Poll<io::Result<()>> {
        let stream = &mut self.stream;
        while let Some(count) = self.unwritten.in_one_go(|bytes| Pin::new(&mut *stream).poll_write(cx, bytes)) {
            match ready!(count)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.unwritten.advance(count, written);
                    turn.wrote(count);
                }
            }
            if turn.is_over() && !self.unwritten.is_done() {
                return Poll::Pending;
            }
        }
        self.unwritten = Unwritten::default();
        Pin::new(stream).poll_flush(cx)
    }
}

impl Unwritten {
    fn add(&mut self, pieces: Pieces, begun: usize) {
        if self.pieces.is_empty() {
            (self.pieces, self.offset) = (pieces, begun);
        } else {
            debug_assert_eq!(begun, 0, "nobody writes directly while something is unwritten");
            self.pieces.extend(pieces);
        }
    }

    /// Calls `write` with what should go out in one write; `None` when there is nothing.
    fn in_one_go<T>(&self, write: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (first, more) = self.pieces[self.done..].split_first()?;
        let first = &first.bytes()[self.offset..];
        if more.is_empty() || first.len() >= AT_ONCE {
            return Some(write(&first[..first.len().min(MOST_A_WRITE)]));
        }
        // To copy short pieces is cheaper than to have the system gather them.
        Some(WRITE.with_borrow_mut(|together| {
            together.clear();
            together.extend_from_slice(first);
            for piece in more {
                if together.len() + piece.bytes().len() > AT_ONCE {
                    break;
                }
                together.extend_from_slice(piece.bytes());
            }
            write(together)
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

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::environment::Environment;
use super::handler::Closed;
use super::interceptor::Intervention;
use super::transport::{FramedTransport, Written};
use super::turn::Turn;
use crate::deadline::within;
use crate::message::Utf8Bytes;
use crate::metrics::{DropReason, EndpointMetrics};

/// How long a half-open connection is kept: far longer than any client should need to notice.
const HALF_OPEN: Duration = Duration::from_secs(600);

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The peer closed or vanished; nothing more can be said to it.
    Gone,
    /// We close, with a code and a reason, and count it unless the endpoint was simply done.
    Close { code: u16, reason: Cow<'static, str>, counted: Option<DropReason>, bytes_follow: bool },
    /// An interceptor cuts TCP without a close frame.
    Cut,
    /// An interceptor keeps TCP and does nothing.
    HalfOpen,
}

impl Ending {
    /// A close by the endpoint, which is the peer's fault only if it is counted.
    pub(crate) fn done(code: u16, reason: Cow<'static, str>, counted: Option<DropReason>) -> Self {
        Self::Close { code, reason, counted, bytes_follow: false }
    }

    /// A close that is counted under `why`.
    pub(crate) fn refused(code: u16, why: DropReason, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Close { code, reason: reason.into(), counted: Some(why), bytes_follow: false }
    }

    pub(crate) fn slow_reader() -> Self {
        Self::refused(1013, DropReason::SlowReader, "reading too slowly: what waited was dropped")
    }

    pub(crate) fn no_room() -> Self {
        Self::refused(1013, DropReason::NoRoom, "the server has no room for more messages; come back later")
    }

    pub(crate) fn drained() -> Self {
        Self::refused(1001, DropReason::Draining, "the server is stopping")
    }

    /// What an error while reading or writing leads to.
    pub(crate) fn from_error(error: Error) -> Self {
        let (code, counted, reason) = match error {
            Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
                (1009, DropReason::MessageTooBig, format!("a message may have {max_size} bytes"))
            }
            Error::Utf8(_) => (1007, DropReason::Malformed, "text must be UTF-8".to_owned()),
            // Both are ways to say that the peer is gone, not that it broke a rule.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                return Self::Gone;
            }
            Error::Protocol(error) => (1002, DropReason::Malformed, error.to_string()),
            _ => return Self::Gone,
        };
        // What follows the offending header cannot be read as frames any more.
        Self::Close { code, reason: at_most_123_bytes(reason).into(), counted: Some(counted), bytes_follow: true }
    }

    pub(crate) fn from_intervention(intervention: Intervention) -> Self {
        match intervention {
            Intervention::Cut => Self::Cut,
            Intervention::HalfOpen => Self::HalfOpen,
            Intervention::Close(code, reason) => Self::refused(code, DropReason::Fault, reason),
        }
    }

    /// How the handler learns of it.
    pub(crate) fn closed<S>(&self, transport: &FramedTransport<S>) -> Closed {
        match self {
            Self::Close { code, reason, counted, .. } => {
                Closed::ByServer { code: *code, reason: reason.clone().into_owned(), counted: *counted }
            }
            Self::Gone => match transport.peer_closed() {
                Some(Some(CloseFrame { code, reason })) => {
                    Closed::ByPeer { code: Some((*code).into()), reason: reason.clone() }
                }
                Some(None) => Closed::ByPeer { code: None, reason: Utf8Bytes::default() },
                None => Closed::Lost,
            },
            Self::Cut | Self::HalfOpen => Closed::Lost,
        }
    }

    /// What it is counted as.
    pub(crate) fn drop_reason(&self) -> Option<DropReason> {
        match self {
            Self::Gone => None,
            Self::Close { counted, .. } => *counted,
            Self::Cut | Self::HalfOpen => Some(DropReason::Fault),
        }
    }

    /// Ends the connection; takes at most the time for closing, but for a half-open one.
    pub(crate) async fn carry_out<S>(self, transport: FramedTransport<S>, environment: &Environment)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let metrics = &*environment.metrics;
        if let Some(reason) = self.drop_reason() {
            metrics.record_drop(reason);
        }
        let mut goodbye = Goodbye { transport, metrics };
        let time_limit = environment.limits.close;
        match self {
            Self::Cut => {}
            Self::HalfOpen => {
                tokio::select! {
                    () = tokio::time::sleep(HALF_OPEN) => {}
                    () = environment.stopping.cancelled() => {}
                }
            }
            Self::Gone => {
                let _ = within(time_limit, goodbye.answer_close()).await;
            }
            Self::Close { code, reason, bytes_follow, counted } => {
                if counted == Some(DropReason::SlowReader) {
                    goodbye.transport.forget_unbegun();
                }
                let frame = CloseFrame { code: code.into(), reason: reason.as_ref().into() };
                // A peer that never answers, or never reads, is cut when the time is over.
                let _ = within(time_limit, goodbye.close(frame, bytes_follow)).await;
            }
        }
    }
}

/// A connection that only has to be ended.
struct Goodbye<'a, S> {
    transport: FramedTransport<S>,
    metrics: &'a EndpointMetrics,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Goodbye<'_, S> {
    /// Answers the peer's close frame, if it sent one, behind what was said before.
    async fn answer_close(&mut self) -> io::Result<()> {
        self.transport.write_close(None);
        self.flush().await?;
        self.transport.stream().shutdown().await
    }

    /// Sends a close frame and waits until the peer has surely been able to read it.
    async fn close(&mut self, frame: CloseFrame, bytes_follow: bool) -> io::Result<()> {
        self.transport.write_close(Some(frame));
        self.flush().await?;
        if !bytes_follow {
            // Ends with the peer's close frame; then nothing is unread, and TCP can be closed.
            let mut has_ended = false;
            while !has_ended {
                poll_fn(|cx| {
                    // After a close frame nothing is answered any more.
                    let receive = |message| {
                        has_ended = matches!(message, Err(_) | Ok(Message::Close(_)));
                        if has_ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    };
                    self.transport.poll_receive(cx, receive)
                })
                .await;
            }
            return Ok(());
        }
        // Closing TCP while unread bytes are in our buffer sends a reset, which can destroy the close frame before
        // the peer reads it. So we finish our side and read on until the peer has finished its own.
        let stream = self.transport.stream();
        stream.shutdown().await?;
        let mut discarded = [0; 1024];
        while stream.read(&mut discarded).await? > 0 {}
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut written = Written::default();
        let result = poll_fn(|cx| {
            let mut turn = Turn::default();
            let flushed = self.transport.poll_flush(cx, &mut turn, &mut written);
            if flushed.is_pending() && turn.is_over() {
                Turn::pass_on(cx);
            }
            flushed
        })
        .await;
        written.count(self.metrics);
        result
    }
}

/// RFC 6455 section 5.5: a control frame's payload has at most 125 bytes, two of which are the code.
fn at_most_123_bytes(mut reason: String) -> String {
    while reason.len() > 123 {
        reason.pop();
    }
    reason
}

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
use super::handle::shortened;
use super::handler::Closed;
use super::interceptor::Intervention;
use super::transport::{FramedTransport, PollBudget, Written};
use crate::deadline::within;
use crate::message::Utf8Bytes;
use crate::metrics::{DropReason, EndpointMetrics};

/// How long a half-open connection is kept: far longer than a client should need to detect it.
const HALF_OPEN_TIME: Duration = Duration::from_secs(600);

/// How the server closes a connection.
#[derive(Debug)]
pub(crate) enum CloseAction {
    /// The peer has closed or lost the connection. Answers its close frame, if it sent one.
    PeerGone,
    /// Closes with a code and a reason.
    Close {
        code: u16,
        reason: Cow<'static, str>,
        /// The drop reason to count; `None` if the handler was done.
        counted: Option<DropReason>,
        /// Whether more bytes may arrive that cannot be decoded as frames.
        is_undecodable: bool,
    },
    /// An interceptor cuts TCP without a close frame.
    Cut,
    /// An interceptor keeps TCP open, and reads and writes nothing.
    HalfOpen,
}

impl CloseAction {
    /// A close by the handler. It is counted if the peer broke a rule.
    pub(crate) fn by_handler(code: u16, reason: Cow<'static, str>, counted: Option<DropReason>) -> Self {
        Self::Close { code, reason, counted, is_undecodable: false }
    }

    /// A close that is counted as a drop.
    pub(crate) fn drop_connection(code: u16, why: DropReason, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Close { code, reason: reason.into(), counted: Some(why), is_undecodable: false }
    }

    pub(crate) fn slow_reader() -> Self {
        Self::drop_connection(1013, DropReason::SlowReader, "reading too slowly: what waited was dropped")
    }

    pub(crate) fn no_room() -> Self {
        Self::drop_connection(1013, DropReason::NoRoom, "the server has no room for more messages; come back later")
    }

    pub(crate) fn drained() -> Self {
        Self::drop_connection(1001, DropReason::Draining, "the server is stopping")
    }

    /// The close for an error while reading or writing.
    pub(crate) fn from_error(error: Error) -> Self {
        let (code, counted, reason) = match error {
            Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
                (1009, DropReason::MessageTooBig, format!("a message may have {max_size} bytes"))
            }
            Error::Utf8(_) => (1007, DropReason::Malformed, "text must be UTF-8".to_owned()),
            // Neither is a violation: the peer is gone.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                return Self::PeerGone;
            }
            Error::Protocol(error) => (1002, DropReason::Malformed, error.to_string()),
            _ => return Self::PeerGone,
        };
        // Decoding cannot continue after an invalid header.
        Self::Close { code, reason: reason.into(), counted: Some(counted), is_undecodable: true }
    }

    pub(crate) fn from_intervention(intervention: Intervention) -> Self {
        match intervention {
            Intervention::Cut => Self::Cut,
            Intervention::HalfOpen => Self::HalfOpen,
            Intervention::Close(code, reason) => Self::drop_connection(code, DropReason::Fault, reason),
        }
    }

    /// The argument of [`Handler::on_close`](super::handler::Handler::on_close).
    pub(crate) fn closed<S>(&self, transport: &FramedTransport<S>) -> Closed {
        match self {
            Self::Close { code, reason, counted, .. } => {
                Closed::ByServer { code: *code, reason: reason.clone().into_owned(), counted: *counted }
            }
            Self::PeerGone => match transport.peer_closed() {
                Some(Some(CloseFrame { code, reason })) => {
                    Closed::ByPeer { code: Some((*code).into()), reason: reason.clone() }
                }
                Some(None) => Closed::ByPeer { code: None, reason: Utf8Bytes::default() },
                None => Closed::Lost,
            },
            Self::Cut | Self::HalfOpen => Closed::Lost,
        }
    }

    /// The reason that is counted.
    pub(crate) fn drop_reason(&self) -> Option<DropReason> {
        match self {
            Self::PeerGone => None,
            Self::Close { counted, .. } => *counted,
            Self::Cut | Self::HalfOpen => Some(DropReason::Fault),
        }
    }

    /// Closes the connection within the time limit for closing; a half-open one stays longer.
    pub(crate) async fn execute<S>(self, transport: FramedTransport<S>, environment: &Environment)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let metrics = &*environment.metrics;
        if let Some(reason) = self.drop_reason() {
            metrics.record_drop(reason);
        }
        let mut handshake = ClosingHandshake { transport, metrics };
        let time_limit = environment.limits.close;
        match self {
            Self::Cut => {}
            Self::HalfOpen => {
                tokio::select! {
                    () = tokio::time::sleep(HALF_OPEN_TIME) => {}
                    () = environment.stopping.cancelled() => {}
                }
            }
            Self::PeerGone => {
                let _ = within(time_limit, handshake.answer_close()).await;
            }
            Self::Close { code, reason, is_undecodable, counted } => {
                if counted == Some(DropReason::SlowReader) {
                    handshake.transport.drop_unstarted();
                }
                let frame = CloseFrame { code: code.into(), reason: shortened(reason).as_ref().into() };
                // After the time limit, TCP is cut for a peer that does not answer or does not read.
                let _ = within(time_limit, handshake.close(frame, is_undecodable)).await;
            }
        }
    }
}

/// The closing handshake of RFC 6455 section 7.
struct ClosingHandshake<'a, S> {
    transport: FramedTransport<S>,
    metrics: &'a EndpointMetrics,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClosingHandshake<'_, S> {
    /// Answers the peer's close frame, if it sent one, behind everything that was queued before.
    async fn answer_close(&mut self) -> io::Result<()> {
        self.transport.write_close(None);
        self.flush().await?;
        self.transport.stream().shutdown().await
    }

    /// Sends a close frame and waits until the peer has certainly been able to read it.
    async fn close(&mut self, frame: CloseFrame, is_undecodable: bool) -> io::Result<()> {
        self.transport.write_close(Some(frame));
        self.flush().await?;
        if !is_undecodable {
            // After the peer's close frame nothing is unread, and TCP can be closed.
            let mut has_ended = false;
            while !has_ended {
                poll_fn(|cx| {
                    // Nothing is answered after our close frame.
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
        // Closing TCP with unread bytes in the receive buffer sends a reset, which can destroy the close frame before the
        // peer reads it. So shut down the write half and read until the peer has shut down its own.
        let stream = self.transport.stream();
        stream.shutdown().await?;
        let mut discarded = [0; 1024];
        while stream.read(&mut discarded).await? > 0 {}
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut written = Written::default();
        let result = poll_fn(|cx| {
            let mut budget = PollBudget::default();
            let flushed = self.transport.poll_flush(cx, &mut budget, &mut written);
            if flushed.is_pending() && budget.is_exhausted() {
                PollBudget::yield_now(cx);
            }
            flushed
        })
        .await;
        written.record(self.metrics);
        result
    }
}

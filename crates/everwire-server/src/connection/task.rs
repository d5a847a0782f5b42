//! The task of one connection: moves messages between its transport and its protocol handler, and closes it.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::handler::shortened;
use super::outbound::QueueContent;
use super::protocol::{CloseAction, Environment, InboundBatch, ProtocolHandler};
use super::transport::{FramedTransport, PollBudget, Written};
use crate::metrics::{DropReason, EndpointMetrics};
use crate::time::within;

/// How long a half-open connection is kept: far longer than a client should need to detect it.
const HALF_OPEN_TIME: Duration = Duration::from_secs(600);

/// Serves one WebSocket: moves messages between its transport and its protocol handler.
pub(crate) struct ConnectionTask<S> {
    transport: FramedTransport<S>,
    pub(super) protocol: ProtocolHandler,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ConnectionTask<S> {
    pub(crate) fn new(transport: FramedTransport<S>, protocol: ProtocolHandler) -> Self {
        Self { transport, protocol }
    }

    /// Serves the connection to its end. `guard` is dropped as soon as no more messages can be sent.
    pub(crate) async fn run<G>(mut self, guard: G) {
        let environment = Arc::clone(&self.protocol.environment);
        let outbound = Arc::clone(&self.protocol.outbound);
        let action = {
            let mut timer = pin!(sleep_until(self.protocol.deadline()));
            poll_fn(|cx| self.poll_close(cx, timer.as_mut())).await
        };
        tracing::debug!(endpoint = environment.metrics.name(), ?action, "connection ends");
        let Self { mut transport, mut protocol } = self;
        protocol.on_close(&action.closed(transport.peer_closed()));
        // Leaves the groups and the registry, so that nothing more is sent to a connection that only has to close.
        drop((guard, protocol));
        // Messages that came before the violation or the peer's close frame still get their answers.
        let QueueContent { pieces, offset, .. } = outbound.close_and_take();
        transport.write(pieces, offset);
        // Boxed, so that the future of an open connection does not reserve memory for it.
        Box::pin(close(action, transport, &environment)).await;
    }

    /// Ready with how the connection has to be closed; pending while it is open.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<CloseAction> {
        let mut budget = PollBudget::default();
        loop {
            // Nothing is read while writes are blocked, so that TCP slows down a peer that sends without reading, and its answers
            // do not fill the memory.
            let has_written = match self.poll_write(cx, &mut budget) {
                Poll::Ready(Err(action)) => return Poll::Ready(action),
                written => written.is_ready(),
            };
            let may_read = has_written && self.protocol.is_ready(cx.waker());
            // Activity moves the deadline back with each message, but the timer is only reset when it elapses.
            let deadline = self.protocol.deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_ready() {
                // After a stop of the process, data that proves the peer's activity may have been waiting for long.
                if may_read && let Poll::Ready(Some(action)) = self.poll_read(cx) {
                    return Poll::Ready(action);
                }
                match self.protocol.on_timer() {
                    Some(action) => return Poll::Ready(action),
                    None => continue,
                }
            }
            if budget.is_exhausted() {
                PollBudget::yield_now(cx);
                return Poll::Pending;
            }
            if !may_read {
                return Poll::Pending;
            }
            if let Some(action) = ready!(self.poll_read(cx)) {
                return Poll::Ready(action);
            }
            budget.spend_read();
        }
    }

    /// Writes until the outbound queue is empty, writes are blocked, or the budget is exhausted.
    fn poll_write(&mut self, cx: &mut Context<'_>, budget: &mut PollBudget) -> Poll<Result<(), CloseAction>> {
        let Self { transport, protocol } = self;
        loop {
            let mut written = Written::default();
            let flushed = transport.poll_flush(cx, budget, &mut written);
            protocol.on_written(&written);
            match flushed {
                Poll::Ready(Ok(())) => protocol.on_all_written(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(CloseAction::from_error(error.into()))),
                Poll::Pending if budget.is_exhausted() => return Poll::Pending,
                Poll::Pending => {
                    return protocol
                        .on_write_blocked(cx.waker())
                        .map_or(Poll::Pending, |action| Poll::Ready(Err(action)));
                }
            }
            match protocol.next_frames(cx.waker()) {
                Ok(taken) if taken.pieces.is_empty() => return Poll::Ready(Ok(())),
                Ok(taken) => transport.write(taken.pieces, taken.offset),
                Err(action) => return Poll::Ready(Err(action)),
            }
        }
    }

    /// Reads and handles what has arrived. Ready if there may be more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<CloseAction>> {
        let Self { transport, protocol } = self;
        let mut batch = InboundBatch::default();
        ready!(transport.poll_receive(cx, |message| protocol.on_message(message, &mut batch)));
        Poll::Ready(protocol.end_batch(batch, transport.progress()))
    }
}

/// Closes the connection within the time limit for closing; a half-open one stays longer.
async fn close<S>(action: CloseAction, transport: FramedTransport<S>, environment: &Environment)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let metrics = &*environment.metrics;
    if let Some(reason) = action.drop_reason() {
        metrics.record_drop(reason);
    }
    let mut handshake = ClosingHandshake { transport, metrics };
    let time_limit = environment.limits.close;
    match action {
        CloseAction::Cut => {}
        CloseAction::HalfOpen => {
            tokio::select! {
                () = tokio::time::sleep(HALF_OPEN_TIME) => {}
                () = environment.stopping.cancelled() => {}
            }
        }
        CloseAction::PeerGone => {
            let _ = within(time_limit, handshake.answer_close()).await;
        }
        CloseAction::Close { code, reason, is_undecodable, counted } => {
            if counted == Some(DropReason::SlowReader) {
                handshake.transport.drop_unstarted();
            }
            let frame = CloseFrame { code: code.into(), reason: shortened(reason).as_ref().into() };
            // After the time limit, TCP is cut for a peer that does not answer or does not read.
            let _ = within(time_limit, handshake.close(frame, is_undecodable)).await;
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

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep_until};

use super::ending::Ending;
use super::outbound::Taken;
use super::protocol::ProtocolHandler;
use super::transport::{FramedTransport, Written};
use super::turn::Turn;

/// A WebSocket and everything that belongs to it.
pub(crate) struct ConnectionTask<S> {
    transport: FramedTransport<S>,
    pub(super) protocol: ProtocolHandler,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ConnectionTask<S> {
    pub(crate) fn new(transport: FramedTransport<S>, protocol: ProtocolHandler) -> Self {
        Self { transport, protocol }
    }

    /// Serves the connection to its end. The guard is dropped as soon as nothing more can be sent.
    pub(crate) async fn run<G>(mut self, guard: G) {
        let environment = Arc::clone(&self.protocol.environment);
        let outbound = Arc::clone(&self.protocol.outbound);
        let ending = {
            let mut alarm = pin!(sleep_until(self.protocol.deadline()));
            poll_fn(|cx| self.poll_end(cx, alarm.as_mut())).await
        };
        tracing::debug!(endpoint = environment.metrics.name(), ?ending, "connection ends");
        let Self { mut transport, mut protocol } = self;
        protocol.on_close(&ending.closed(&transport));
        // Others must not go on sending to somebody who only has to say goodbye.
        drop((guard, protocol));
        // What was right before the mistake, or before the peer closed, still gets its answer.
        let Taken { pieces, begun, .. } = outbound.retire();
        transport.write(pieces, begun);
        // Boxed, since it would make every connection larger for as long as it lives.
        Box::pin(ending.carry_out(transport, &environment)).await;
    }

    /// Ready with how the connection ends; until then it goes on.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>, mut alarm: Pin<&mut Sleep>) -> Poll<Ending> {
        let mut turn = Turn::default();
        loop {
            // While the peer does not take what is written nothing is read either, so that one that sends without
            // reading is slowed by TCP and not by our memory.
            let has_written = match self.poll_write(cx, &mut turn) {
                Poll::Ready(Err(ending)) => return Poll::Ready(ending),
                written => written.is_ready(),
            };
            let may_read = has_written && self.protocol.is_ready(cx.waker());
            // Activity only moves the deadline back; the alarm is set anew when it rings, not for each message.
            let deadline = self.protocol.deadline();
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_ready() {
                // Where all of us was held up, what tells that the peer is active may have come long ago.
                if may_read && let Poll::Ready(Some(ending)) = self.poll_read(cx) {
                    return Poll::Ready(ending);
                }
                match self.protocol.on_alarm() {
                    Some(ending) => return Poll::Ready(ending),
                    None => continue,
                }
            }
            if turn.is_over() {
                Turn::pass_on(cx);
                return Poll::Pending;
            }
            if !may_read {
                return Poll::Pending;
            }
            if let Some(ending) = ready!(self.poll_read(cx)) {
                return Poll::Ready(ending);
            }
            turn.read();
        }
    }

    /// Writes until there is nothing more to write now, or the turn is over.
    fn poll_write(&mut self, cx: &mut Context<'_>, turn: &mut Turn) -> Poll<Result<(), Ending>> {
        let Self { transport, protocol } = self;
        loop {
            let mut written = Written::default();
            let flushed = transport.poll_flush(cx, turn, &mut written);
            protocol.wrote(&written);
            match flushed {
                Poll::Ready(Ok(())) => protocol.caught_up(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Ending::from_error(error.into()))),
                Poll::Pending if turn.is_over() => return Poll::Pending,
                Poll::Pending => return protocol.stalls(cx.waker()).map_or(Poll::Pending, |end| Poll::Ready(Err(end))),
            }
            match protocol.next(cx.waker()) {
                Ok(taken) if taken.pieces.is_empty() => return Poll::Ready(Ok(())),
                Ok(taken) => transport.write(taken.pieces, taken.begun),
                Err(ending) => return Poll::Ready(Err(ending)),
            }
        }
    }

    /// Reads what has arrived; ready when there may be more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ending>> {
        let Self { transport, protocol } = self;
        let (read, ending) = protocol.receive(|receive| transport.poll_receive(cx, receive));
        if read.is_ready() {
            protocol.has_received(transport.progress());
        }
        read.map(|()| ending)
    }
}

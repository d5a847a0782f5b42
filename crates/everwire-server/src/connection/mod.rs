//! The one loop that every endpoint shares: it reads, answers pings, keeps the limits, plays faults, counts, and
//! writes everything that is ready in one go.

mod decoder;
mod dialogue;
mod ending;
mod frames;
mod mailbox;
mod ping;
mod tcp;
mod turn;
mod wire;

pub(crate) use dialogue::Dialogue;
pub(crate) use ending::Ending;
pub(crate) use frames::{Frames, FramesMut};
pub(crate) use mailbox::{End, Mailbox, json};
pub(crate) use tcp::{Direct, Tcp};
pub(crate) use wire::Wire;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep_until};

use mailbox::Taken;
use turn::Turn;
use wire::Written;

/// A WebSocket and everything that belongs to it.
pub(crate) struct Connection<S> {
    wire: Wire<S>,
    dialogue: Dialogue,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(wire: Wire<S>, dialogue: Dialogue) -> Self {
        Self { wire, dialogue }
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(mut self) {
        let everwire = self.dialogue.everwire.clone();
        let mailbox = Arc::clone(&self.dialogue.mailbox);
        let endpoint = self.dialogue.endpoint();
        let presence = everwire.enter(endpoint, &mailbox);
        let ending = {
            let mut alarm = pin!(sleep_until(self.dialogue.deadline()));
            poll_fn(|cx| self.poll_end(cx, alarm.as_mut())).await
        };
        tracing::debug!(endpoint = endpoint.path(), ?ending, "connection ends");
        let Self { mut wire, dialogue } = self;
        // Others must not go on sending to somebody who only has to say goodbye.
        drop((presence, dialogue));
        // What was right before the mistake, or before the peer closed, still gets its answer.
        let Taken { pieces, begun, .. } = mailbox.retire();
        wire.write(pieces, begun);
        // Boxed, since it would make every connection larger for as long as it lives.
        Box::pin(ending.carry_out(wire, &everwire, endpoint)).await;
    }

    /// Ready with how the connection ends; until then it goes on.
    fn poll_end(&mut self, cx: &mut Context<'_>, mut alarm: Pin<&mut Sleep>) -> Poll<Ending> {
        let mut turn = Turn::default();
        loop {
            // While the peer does not take what is written nothing is read either, so that one that sends without
            // reading is slowed by TCP and not by our memory.
            let has_written = match self.poll_write(cx, &mut turn) {
                Poll::Ready(Err(ending)) => return Poll::Ready(ending),
                written => written.is_ready(),
            };
            let may_read = has_written && self.dialogue.is_ready(cx.waker());
            // Activity only moves the deadline back; the alarm is set anew when it rings, not for each message.
            let deadline = self.dialogue.deadline();
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_ready() {
                // Where all of us was held up, what tells that the peer is active may have come long ago.
                if may_read && let Poll::Ready(Some(ending)) = self.poll_read(cx) {
                    return Poll::Ready(ending);
                }
                match self.dialogue.on_alarm() {
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
        let Self { wire, dialogue } = self;
        loop {
            let mut written = Written::default();
            let flushed = wire.poll_flush(cx, turn, &mut written);
            dialogue.wrote(&written);
            match flushed {
                Poll::Ready(Ok(())) => dialogue.caught_up(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Ending::from_error(error.into()))),
                Poll::Pending if turn.is_over() => return Poll::Pending,
                Poll::Pending => return dialogue.stalls(cx.waker()).map_or(Poll::Pending, |end| Poll::Ready(Err(end))),
            }
            match dialogue.next(cx.waker()) {
                Ok(taken) if taken.pieces.is_empty() => return Poll::Ready(Ok(())),
                Ok(taken) => wire.write(taken.pieces, taken.begun),
                Err(ending) => return Poll::Ready(Err(ending)),
            }
        }
    }

    /// Reads what has arrived; ready when there may be more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ending>> {
        let Self { wire, dialogue } = self;
        let (read, ending) = dialogue.receive(|receive| wire.poll_receive(cx, receive));
        if read.is_ready() {
            dialogue.has_received(wire.progress());
        }
        read.map(|()| ending)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use frames::tests::decoded;

use core::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::{Input, Phase};
use futures_core::Stream;
use futures_sink::Sink;

use crate::{Event, Message, SendError, Socket, SocketHandle};

impl Stream for Socket {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.handle
            .shared
            .poll_event(context.waker(), |payload| Ok::<_, Infallible>(payload.into_message()))
            .map(|event| event.map(|Ok(event)| event))
    }
}

impl Sink<Message> for Socket {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.handle.poll_ready(context)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        self.send(message).map(|_| ())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.handle.poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // To close twice has no effect, so that every poll may ask for it.
        self.close().poll_closed(context).map(|_| Ok(()))
    }
}

impl SocketHandle {
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.shared.poll_for(context.waker(), |connection| match connection.phase() {
            Phase::Closing { .. } | Phase::Closed => Some(Err(SendError::ClosedWhileWaiting)),
            _ => connection.is_ready().then_some(Ok(())),
        })
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // The platform has no event for a drained buffer: the core measures it while a flush is pending.
        self.shared.request(Input::Flush);
        self.shared.poll_for(context.waker(), |connection| match connection.phase() {
            Phase::Closed => Some(Err(SendError::ClosedWhileWaiting)),
            _ => connection.is_flushed().then_some(Ok(())),
        })
    }
}

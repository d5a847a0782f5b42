use core::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_sink::Sink;

use super::Socket;
use crate::{Event, Message, SendError};

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

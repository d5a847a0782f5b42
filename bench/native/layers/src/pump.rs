//! What is the same over layers that are both a stream and a sink of messages.

use anyhow::Result;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};

use crate::hub::Hub;

/// A layer's own message.
pub(crate) trait Message: Clone {
    /// Whether it is text or binary, and not a ping or the like.
    fn is_data(&self) -> bool;
}

pub(crate) async fn broadcast<S, M, E>(mut socket: S, hub: &Hub<M>) -> Result<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: Message,
    anyhow::Error: From<E>,
{
    let mailbox = hub.join();
    loop {
        tokio::select! {
            biased;
            messages = mailbox.take() => {
                for message in messages {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
            received = socket.next() => {
                let Some(message) = received else { return Ok(()) };
                let message = message?;
                if message.is_data() {
                    hub.publish(&message);
                }
            }
        }
    }
}

pub(crate) async fn echo<S, M, E>(mut socket: S) -> Result<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: Message,
    anyhow::Error: From<E>,
{
    let mut ready = Vec::new();
    while let Some(first) = socket.next().await {
        // All that is ready, before anything is written: some layers write what waits whenever they are asked to read.
        ready.push(first?);
        while let Some(next) = socket.next().now_or_never() {
            let Some(message) = next else { return Ok(()) };
            ready.push(message?);
        }
        for message in ready.drain(..).filter(Message::is_data) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

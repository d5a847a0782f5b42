//! The layers that are both a stream and a sink of messages.

use anyhow::Result;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_websockets::ServerBuilder;

use crate::Layer;
use crate::group::Group;

/// The read buffer is allocated with the connection, and filled with zeros before each read.
const READ_BUFFER: usize = 4096;

/// tungstenite, with small buffers.
pub(crate) struct Tungstenite;

impl Layer for Tungstenite {
    type Message = tungstenite::Message;

    async fn broadcast(stream: TcpStream, group: &Group<tungstenite::Message>) -> Result<()> {
        broadcast(open(stream).await, group).await
    }

    async fn echo(stream: TcpStream) -> Result<()> {
        echo(open(stream).await).await
    }
}

impl LayerMessage for tungstenite::Message {
    fn is_data(&self) -> bool {
        self.is_text() || self.is_binary()
    }
}

async fn open(stream: TcpStream) -> WebSocketStream<TcpStream> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
}

/// tokio-websockets with its defaults.
pub(crate) struct TokioWebSockets;

impl Layer for TokioWebSockets {
    type Message = tokio_websockets::Message;

    async fn broadcast(stream: TcpStream, group: &Group<tokio_websockets::Message>) -> Result<()> {
        broadcast(ServerBuilder::new().serve(stream), group).await
    }

    async fn echo(stream: TcpStream) -> Result<()> {
        echo(ServerBuilder::new().serve(stream)).await
    }
}

impl LayerMessage for tokio_websockets::Message {
    fn is_data(&self) -> bool {
        self.is_text() || self.is_binary()
    }
}

/// A layer's own message.
trait LayerMessage: Clone {
    /// Whether it is text or binary, and not a ping or the like.
    fn is_data(&self) -> bool;
}

async fn broadcast<S, M, E>(mut socket: S, group: &Group<M>) -> Result<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: LayerMessage,
    anyhow::Error: From<E>,
{
    let queue = group.join();
    loop {
        tokio::select! {
            biased;
            messages = queue.take() => {
                for message in messages {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
            received = socket.next() => {
                let Some(message) = received else { return Ok(()) };
                let message = message?;
                if message.is_data() {
                    group.publish(&message);
                }
            }
        }
    }
}

async fn echo<S, M, E>(mut socket: S) -> Result<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: LayerMessage,
    anyhow::Error: From<E>,
{
    let mut ready = Vec::new();
    while let Some(first) = socket.next().await {
        // Reads all that is ready before it writes: some layers write whenever they are read.
        ready.push(first?);
        while let Some(next) = socket.next().now_or_never() {
            let Some(message) = next else { return Ok(()) };
            ready.push(message?);
        }
        for message in ready.drain(..).filter(LayerMessage::is_data) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

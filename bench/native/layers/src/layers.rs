//! The WebSocket layers: tungstenite and tokio-websockets, each a stream and a sink of messages, and fastwebsockets, with a writer that
//! gathers frames.

use std::io;
use std::pin::{Pin, pin};
use std::task::{self, Poll, ready};

use anyhow::Result;
use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload, WebSocketRead, WebSocketWrite, after_handshake_split};
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt, poll};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_websockets::ServerBuilder;

use crate::{Group, Layer};

/// Small, since tungstenite allocates the read buffer with the connection, and fills it with zeros before each read.
const READ_BUFFER: usize = 4096;

/// tungstenite, with a small read buffer.
pub(crate) struct Tungstenite;

impl Layer for Tungstenite {
    type Message = tungstenite::Message;

    async fn broadcast(stream: TcpStream, group: &Group<tungstenite::Message>) -> Result<()> {
        broadcast(open_tungstenite(stream).await, group).await
    }

    async fn echo(stream: TcpStream) -> Result<()> {
        echo(open_tungstenite(stream).await).await
    }
}

impl LayerMessage for tungstenite::Message {
    fn is_data(&self) -> bool {
        self.is_text() || self.is_binary()
    }
}

async fn open_tungstenite(stream: TcpStream) -> WebSocketStream<TcpStream> {
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

/// The message type of a layer.
trait LayerMessage: Clone {
    /// Whether it is a text or binary message, and not a control frame.
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
        // Reads everything that is ready before writing, since some layers flush whenever they are read.
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

/// fastwebsockets, with a writer that gathers frames, since the library writes each frame by itself. Reading a frame is not cancel-safe,
/// so one future reads from the first frame to the last, and another one writes.
pub(crate) struct FastWebSockets;

/// A message that several connections share.
#[derive(Clone)]
pub(crate) struct SharedMessage {
    opcode: OpCode,
    payload: Bytes,
}

impl Layer for FastWebSockets {
    type Message = SharedMessage;

    async fn broadcast(stream: TcpStream, group: &Group<SharedMessage>) -> Result<()> {
        let (mut source, mut sink) = open_fastwebsockets(stream);
        let queue = group.join();
        let read = async {
            loop {
                let frame = source.read_frame(&mut ignore).await?;
                if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                    let payload = Bytes::copy_from_slice(&frame.payload);
                    group.publish(&SharedMessage { opcode: frame.opcode, payload });
                }
            }
        };
        let write = async {
            loop {
                for message in queue.take().await {
                    sink.write_frame(Frame::new(true, message.opcode, None, Payload::Borrowed(&message.payload)))
                        .await?;
                }
                sink.flush().await?;
            }
        };
        tokio::select! {
            result = read => result,
            result = write => result,
        }
    }

    async fn echo(stream: TcpStream) -> Result<()> {
        let (mut source, mut sink) = open_fastwebsockets(stream);
        let mut answer = ignore;
        loop {
            let frame = {
                let mut read = pin!(source.read_frame(&mut answer));
                match poll!(read.as_mut()) {
                    Poll::Ready(frame) => frame?,
                    Poll::Pending => {
                        sink.flush().await?;
                        read.await?
                    }
                }
            };
            if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                sink.write_frame(Frame::new(true, frame.opcode, None, frame.payload)).await?;
            }
        }
    }
}

type Halves = (WebSocketRead<OwnedReadHalf>, WebSocketWrite<GatheringWriter>);

fn open_fastwebsockets(stream: TcpStream) -> Halves {
    let (read, write) = stream.into_split();
    after_handshake_split(read, GatheringWriter { to: write, waiting: Vec::new() }, fastwebsockets::Role::Server)
}

/// Sends no answers to pings and closes, which the load generator does not send.
async fn ignore(_: Frame<'_>) -> io::Result<()> {
    Ok(())
}

/// Gathers writes until a flush, and holds no memory while it is empty.
struct GatheringWriter {
    to: OwnedWriteHalf,
    waiting: Vec<u8>,
}

impl AsyncWrite for GatheringWriter {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.waiting.is_empty() {
            let written = ready!(Pin::new(&mut this.to).poll_write(context, &this.waiting))?;
            this.waiting.drain(..written);
        }
        this.waiting = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_shutdown(context)
    }
}

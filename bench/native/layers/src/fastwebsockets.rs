//! fastwebsockets, with a writer that gathers frames, since the library writes each frame by itself. Reading a frame must not be
//! cancelled, so one future reads from the first frame to the last, and another one writes.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use anyhow::Result;
use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketRead, WebSocketWrite, after_handshake_split};
use futures_util::poll;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::Layer;
use crate::group::Group;

pub(crate) struct FastWebSockets;

/// A message that several connections share.
#[derive(Clone)]
pub(crate) struct Message {
    opcode: OpCode,
    payload: Bytes,
}

impl Layer for FastWebSockets {
    type Message = Message;

    async fn broadcast(stream: TcpStream, group: &Group<Message>) -> Result<()> {
        let (mut source, mut sink) = open(stream);
        let queue = group.join();
        let read = async {
            loop {
                let frame = source.read_frame(&mut ignore).await?;
                if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                    let payload = Bytes::copy_from_slice(&frame.payload);
                    group.publish(&Message { opcode: frame.opcode, payload });
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
        let (mut source, mut sink) = open(stream);
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

type Halves = (WebSocketRead<OwnedReadHalf>, WebSocketWrite<Gather>);

fn open(stream: TcpStream) -> Halves {
    let (read, write) = stream.into_split();
    after_handshake_split(read, Gather { to: write, waiting: Vec::new() }, Role::Server)
}

/// The answers to pings and closes, which the load generator does not send.
async fn ignore(_: Frame<'_>) -> io::Result<()> {
    Ok(())
}

/// Gathers what is written until it is flushed, and holds no memory while it is empty.
struct Gather {
    to: OwnedWriteHalf,
    waiting: Vec<u8>,
}

impl AsyncWrite for Gather {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.waiting.is_empty() {
            let written = ready!(Pin::new(&mut this.to).poll_write(context, &this.waiting))?;
            this.waiting.drain(..written);
        }
        this.waiting = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_shutdown(context)
    }
}

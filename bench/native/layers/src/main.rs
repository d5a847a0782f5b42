//! The same small server over three WebSocket layers, which differ only in what encodes and decodes. All messages that wait for a
//! connection are encoded together, and written with one write.
//!
//! # Layout
//! - [`layers`]: the WebSocket layers

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use bench_native_support::handshake;
use clap::{Parser, ValueEnum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use layers::{FastWebSockets, TokioWebSockets, Tungstenite};

mod layers;

/// A small server over one of three WebSocket layers.
#[derive(Parser)]
#[command(name = "bench-layers")]
struct Cli {
    /// The layer to use.
    #[arg(value_enum)]
    layer: Choice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Tungstenite,
    TokioWebsockets,
    Fastwebsockets,
}

/// A WebSocket layer under the server.
trait Layer: 'static {
    /// A message that several connections receive.
    type Message: Clone + Send + 'static;

    /// Publishes the messages of a client until it disconnects.
    fn broadcast(stream: TcpStream, group: &Group<Self::Message>) -> impl Future<Output = Result<()>> + Send;

    /// Echoes the messages of a client until it disconnects.
    fn echo(stream: TcpStream) -> impl Future<Output = Result<()>> + Send;
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().layer {
        Choice::Tungstenite => serve::<Tungstenite>().await,
        Choice::TokioWebsockets => serve::<TokioWebSockets>().await,
        Choice::Fastwebsockets => serve::<FastWebSockets>().await,
    }
}

async fn serve<L: Layer>() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let group = Group::<L::Message>::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let group = group.clone();
        // How a client disconnects is not measured.
        tokio::spawn(async move { drop(serve_one::<L>(stream, &group).await) });
    }
}

async fn serve_one<L: Layer>(mut stream: TcpStream, group: &Group<L::Message>) -> Result<()> {
    stream.set_nodelay(true)?;
    // Boxed, so that the task does not keep the memory of the handshake.
    match Box::pin(accept(&mut stream)).await?.as_str() {
        "/echo" => L::echo(stream).await,
        _ => L::broadcast(stream, group).await,
    }
}

/// Performs the handshake, and returns the path of the request. A client sends nothing before the response, so no frame is read along
/// with the request.
async fn accept(stream: &mut TcpStream) -> Result<String> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = handshake::end_of_head(&request) {
            break end;
        }
        ensure!(stream.read_buf(&mut request).await? > 0, "the client closed the connection");
    };
    let head = str::from_utf8(&request[..end])?;
    let response = handshake::response(head).context("not a WebSocket request")?;
    stream.write_all(response.as_bytes()).await?;
    Ok(handshake::path(head).unwrap_or_default().to_owned())
}

/// The connections that receive every published message.
struct Group<M> {
    queues: Arc<Mutex<Vec<Arc<OutboundQueue<M>>>>>,
}

/// The messages that wait for one connection.
struct OutboundQueue<M> {
    messages: Mutex<Vec<M>>,
    is_ready: Notify,
}

impl<M: Clone> Group<M> {
    fn join(&self) -> Arc<OutboundQueue<M>> {
        let queue = Arc::new(OutboundQueue { messages: Mutex::new(Vec::new()), is_ready: Notify::new() });
        lock(&self.queues).push(Arc::clone(&queue));
        queue
    }

    /// Queues a message for every member. Removes the queues that no connection holds any more.
    fn publish(&self, message: &M) {
        lock(&self.queues).retain(|queue| {
            let is_held = Arc::strong_count(queue) > 1;
            if is_held {
                lock(&queue.messages).push(message.clone());
                queue.is_ready.notify_one();
            }
            is_held
        });
    }
}

impl<M> OutboundQueue<M> {
    /// Waits for messages and takes all of them. Cancel-safe.
    async fn take(&self) -> Vec<M> {
        loop {
            let messages = std::mem::take(&mut *lock(&self.messages));
            if !messages.is_empty() {
                return messages;
            }
            self.is_ready.notified().await;
        }
    }
}

impl<M> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self { queues: Arc::clone(&self.queues) }
    }
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self { queues: Arc::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

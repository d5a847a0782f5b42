//! The same small server over three WebSocket layers, which differ only in what encodes and decodes. All messages that wait for a
//! connection are encoded together, and written with one write.
//!
//! # Layout
//! - [`group`]: the members of a broadcast, and the messages that wait for them
//! - [`stream`]: tungstenite and tokio-websockets, each a stream and a sink of messages
//! - [`mod@fastwebsockets`]: fastwebsockets, with a writer that gathers frames

use anyhow::{Context, Result, ensure};
use bench_native_support::handshake;
use clap::{Parser, ValueEnum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use fastwebsockets::FastWebSockets;
use group::Group;
use stream::{TokioWebSockets, Tungstenite};

mod fastwebsockets;
mod group;
mod stream;

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

    /// Publishes the messages of the client until it leaves.
    fn broadcast(stream: TcpStream, group: &Group<Self::Message>) -> impl Future<Output = Result<()>> + Send;

    /// Sends the messages of the client back until it leaves.
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
        // The way in which a client leaves is not measured.
        tokio::spawn(async move { drop(serve_one::<L>(stream, &group).await) });
    }
}

async fn serve_one<L: Layer>(mut stream: TcpStream, group: &Group<L::Message>) -> Result<()> {
    stream.set_nodelay(true)?;
    // Boxed, so that the connection does not keep the memory of the handshake.
    match Box::pin(accept(&mut stream)).await?.as_str() {
        "/echo" => L::echo(stream).await,
        _ => L::broadcast(stream, group).await,
    }
}

/// Performs the handshake, and returns the path of the request. A client sends nothing before the response, so nothing behind the
/// request can be read.
async fn accept(stream: &mut TcpStream) -> Result<String> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = handshake::end_of_head(&request) {
            break end;
        }
        ensure!(stream.read_buf(&mut request).await? > 0, "the client has gone");
    };
    let head = str::from_utf8(&request[..end])?;
    let response = handshake::response(head).context("this is no WebSocket")?;
    stream.write_all(response.as_bytes()).await?;
    Ok(handshake::path(head).unwrap_or_default().to_owned())
}

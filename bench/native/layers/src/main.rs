//! The same small server over three WebSocket layers: it differs in nothing but what encodes and decodes. What waits for a
//! connection is encoded all together, and written with one write.
//!
//! # Layout
//! - [`hub`]: who is connected, and what waits for them
//! - [`accept`]: the handshake, which is the same for all
//! - [`tungstenite`], [`tokio_websockets`], [`fastwebsockets`]: the layers
//! - [`pump`]: what is the same over the first two

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tokio::net::{TcpListener, TcpStream};

use accept::accept;
use fastwebsockets::FastWebSockets;
use hub::Hub;
use tokio_websockets::TokioWebSockets;
use tungstenite::Tungstenite;

mod accept;
mod fastwebsockets;
mod hub;
mod pump;
mod tokio_websockets;
mod tungstenite;

/// A small server over one of three WebSocket layers.
#[derive(Parser)]
#[command(name = "bench-layers")]
struct Cli {
    /// Which.
    #[arg(value_enum)]
    layer: Choice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Tungstenite,
    TokioWebsockets,
    Fastwebsockets,
}

/// What a layer has to do for a connection.
trait Layer: 'static {
    /// How it holds a message that several connections get.
    type Message: Clone + Send + 'static;

    /// Tells everybody what the client says, until it goes.
    fn broadcast(stream: TcpStream, hub: &Hub<Self::Message>) -> impl Future<Output = Result<()>> + Send;

    /// Sends back what the client says, until it goes.
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
    let hub = Hub::<L::Message>::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let hub = hub.clone();
        // How a client goes is nothing to measure.
        tokio::spawn(async move { drop(serve_one::<L>(stream, &hub).await) });
    }
}

async fn serve_one<L: Layer>(mut stream: TcpStream, hub: &Hub<L::Message>) -> Result<()> {
    stream.set_nodelay(true)?;
    // In a future of its own, so that what it takes is not kept for as long as the connection.
    match Box::pin(accept(&mut stream)).await?.as_str() {
        "/echo" => L::echo(stream).await,
        _ => L::broadcast(stream, hub).await,
    }
}

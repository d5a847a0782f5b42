//! Loads a WebSocket server, checks the messages that come back, and reports the cost to the server. It has one thread and handles
//! raw bytes, so that the load generator is not the bottleneck.
//!
//! # Layout
//! - [`fanout`], [`echo`], [`idle`]: the measurements
//! - [`clients`]: many connections, which are read as they become ready
//! - [`connection`]: one connection, from the handshake to messages
//! - [`inbox`]: checks the messages that one connection receives
//! - [`message`]: the 64 bytes that are sent, and their encoding for socket.io
//! - [`server`]: the processor time and the memory of the server's processes

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use message::Dialect;
use server::Server;

mod clients;
mod connection;
mod echo;
mod fanout;
mod idle;
mod inbox;
mod message;
mod server;

/// Load a WebSocket server and print the cost to it as JSON.
#[derive(Parser)]
#[command(name = "bench-load")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// One connection publishes, all get every message: µs of processor time for each delivery
    Fanout {
        #[command(flatten)]
        target: Target,
        /// How many messages are published at a time; the next when all connections have received these. Several values are measured
        /// in turn.
        #[arg(long, value_delimiter = ',', default_value = "1,8")]
        in_flight: Vec<usize>,
    },
    /// Each connection sends messages, and more when these are back: µs of processor time for each message
    Echo {
        #[command(flatten)]
        target: Target,
        /// How many messages each connection sends at a time.
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
    },
    /// Each connection gets one message back and then does nothing: bytes of resident memory for each
    Idle {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Args)]
struct Target {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// The path to connect to.
    #[arg(long)]
    path: String,
    /// The server's process; its children count as well.
    #[arg(long)]
    pid: u32,
    /// How many connections to open.
    #[arg(long)]
    connections: usize,
    /// For how long to measure each, in seconds.
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// The protocol of the server.
    #[arg(long, value_enum, default_value = "plain")]
    dialect: Dialect,
}

impl Target {
    const fn server(&self) -> Server {
        Server::new(self.pid)
    }
}

fn main() -> Result<()> {
    let result = match Cli::parse().task {
        Task::Fanout { target, in_flight } => fanout::measure(&target, &in_flight),
        Task::Echo { target, in_flight } => echo::measure(&target, in_flight),
        Task::Idle { target } => idle::measure(&target),
    }?;
    println!("{result}");
    Ok(())
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

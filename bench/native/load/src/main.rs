//! Loads a WebSocket server, checks the messages that come back, and reports the cost to the server. It has one thread and handles
//! raw bytes, so that the load generator is not the bottleneck.
//!
//! # Layout
//! - [`fanout`], [`echo`], [`idle`], [`publish`], [`resume`], [`storm`]: the measurements
//! - [`clients`]: many connections, which are read as they become ready
//! - [`connection`]: one connection, from the handshake to messages
//! - [`inbox`]: checks the messages that one connection receives
//! - [`dialect`]: the protocols of the servers
//! - [`message`]: the 64 bytes that are sent
//! - [`counters`]: what the server of sessions counts
//! - [`server`]: the processor time and the memory of the server's processes

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use clients::Start;
use dialect::Dialect;
use idle::Then;
use server::Server;

mod clients;
mod connection;
mod counters;
mod dialect;
mod echo;
mod fanout;
mod idle;
mod inbox;
mod message;
mod publish;
mod resume;
mod server;
mod statistics;
mod storm;

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
        /// Each session has a subscription.
        #[arg(long, conflicts_with = "detached")]
        subscribed: bool,
        /// Connections end, and their sessions stay: bytes for each of these.
        #[arg(long)]
        detached: bool,
    },
    /// Connections publish, and the next when one is acknowledged: how many a second, and how long each takes
    Publish {
        #[command(flatten)]
        target: Target,
        /// How many publishes of all connections together are not acknowledged.
        #[arg(long, default_value_t = 1_000)]
        in_flight: usize,
    },
    /// A client misses messages and resumes its session: ms from connecting to the last message
    Resume {
        #[command(flatten)]
        target: Target,
        /// How many messages it misses.
        #[arg(long, default_value_t = 1_000)]
        missed: u64,
        /// How often.
        #[arg(long, default_value_t = 10)]
        rounds: usize,
    },
    /// All clients resume at once: how often the broker is read, and how long another channel's messages take meanwhile
    Storm {
        #[command(flatten)]
        target: Target,
        /// How many messages each channel's clients miss.
        #[arg(long, default_value_t = 100)]
        missed: u64,
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
    /// How many channels the connections take in turns, where the server has channels.
    #[arg(long, default_value_t = 1)]
    channels: usize,
}

impl Target {
    const fn server(&self) -> Server {
        Server::new(self.pid)
    }

    /// The channel of a connection.
    fn channel(&self, connection: usize) -> String {
        format!("channel-{}", connection % self.channels)
    }
}

fn main() -> Result<()> {
    let result = match Cli::parse().task {
        Task::Fanout { target, in_flight } => fanout::measure(&target, &in_flight),
        Task::Echo { target, in_flight } => echo::measure(&target, in_flight),
        Task::Idle { target, subscribed, detached } => {
            let start = if subscribed { Start::Subscribed } else { Start::Attached };
            idle::measure(&target, if detached { Then::Detaches } else { Then::Stays(start) })
        }
        Task::Publish { target, in_flight } => publish::measure(&target, in_flight),
        Task::Resume { target, missed, rounds } => resume::measure(&target, missed, rounds),
        Task::Storm { target, missed } => storm::measure(&target, missed),
    }?;
    println!("{result}");
    Ok(())
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

//! Loads a WebSocket server, checks the messages that come back, and reports the cost to the server. It has one thread and handles
//! raw bytes, so that the load generator is not the bottleneck.
//!
//! # Layout
//! - [`throughput`], [`resume`]: the measurements
//! - [`connection`]: connections, and the check of what they receive
//! - [`dialect`]: the protocols of the servers, and the content of messages
//! - [`server`]: the CPU time, the memory and the counters of the server

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use connection::Start;
use dialect::Dialect;
use server::ServerProcess;
use throughput::Idle;

mod connection;
mod dialect;
mod resume;
mod server;
mod throughput;

/// Load a WebSocket server and print the cost to it as JSON.
#[derive(Parser)]
#[command(name = "bench-load")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// One connection publishes, all receive every message: µs of CPU time per delivery
    Fanout {
        #[command(flatten)]
        target: Target,
        /// How many messages are published at a time; the next ones follow when all connections have received these. Several values are
        /// measured in turn.
        #[arg(long, value_delimiter = ',', default_value = "1,8")]
        in_flight: Vec<usize>,
    },
    /// Each connection sends messages, and more when these are back: µs of CPU time per message
    Echo {
        #[command(flatten)]
        target: Target,
        /// How many messages each connection sends at a time.
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
    },
    /// Each connection gets one message back and then does nothing: bytes of resident memory per connection
    Idle {
        #[command(flatten)]
        target: Target,
        /// Each session has a subscription.
        #[arg(long, conflicts_with = "detached")]
        subscribed: bool,
        /// Connections close, and their sessions stay: bytes per session.
        #[arg(long)]
        detached: bool,
    },
    /// Connections publish, and again when a publish is acknowledged: publishes per second, and their latency
    Publish {
        #[command(flatten)]
        target: Target,
        /// The number of publishes in flight, over all connections.
        #[arg(long, default_value_t = 1_000)]
        in_flight: usize,
    },
    /// A client misses messages and resumes its session: ms from connecting to the last message
    Resume {
        #[command(flatten)]
        target: Target,
        /// The number of missed messages.
        #[arg(long, default_value_t = 1_000)]
        missed: u64,
        /// How often it resumes.
        #[arg(long, default_value_t = 10)]
        rounds: usize,
    },
    /// All clients resume at once: reads of the broker, and the latency of another channel meanwhile
    Storm {
        #[command(flatten)]
        target: Target,
        /// The number of messages that the clients of each channel miss.
        #[arg(long, default_value_t = 100)]
        missed: u64,
    },
}

#[derive(Args)]
struct Target {
    /// The address of the server.
    #[arg(long)]
    address: SocketAddr,
    /// The path to connect to.
    #[arg(long)]
    path: String,
    /// The process ID of the server; its descendants count as well.
    #[arg(long)]
    pid: u32,
    /// The number of connections.
    #[arg(long)]
    connections: usize,
    /// The duration of each measurement, in seconds.
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// The protocol of the server.
    #[arg(long, value_enum, default_value = "plain")]
    dialect: Dialect,
    /// The number of channels that the connections use in turn, if the server has channels.
    #[arg(long, default_value_t = 1)]
    channels: usize,
}

impl Target {
    const fn server(&self) -> ServerProcess {
        ServerProcess::new(self.pid)
    }

    /// The channel of a connection.
    fn channel(&self, connection: usize) -> String {
        format!("channel-{}", connection % self.channels)
    }
}

fn main() -> Result<()> {
    let result = match Cli::parse().task {
        Task::Fanout { target, in_flight } => throughput::measure_fanout(&target, &in_flight),
        Task::Echo { target, in_flight } => throughput::measure_echo(&target, in_flight),
        Task::Idle { target, subscribed, detached } => {
            let start = if subscribed { Start::Subscribed } else { Start::Attached };
            throughput::measure_idle(&target, if detached { Idle::Detached } else { Idle::Connected(start) })
        }
        Task::Publish { target, in_flight } => throughput::measure_publish(&target, in_flight),
        Task::Resume { target, missed, rounds } => resume::measure_resume(&target, missed, rounds),
        Task::Storm { target, missed } => resume::measure_storm(&target, missed),
    }?;
    println!("{result}");
    Ok(())
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// The value that this part of the sorted values does not exceed.
fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let index = (sorted.len() as f64 * part) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

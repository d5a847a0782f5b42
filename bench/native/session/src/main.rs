//! The server of `cargo xtask bench session`: channels by everwire.v1 on `/everwire`, a plain group on `/broadcast` and an echo on
//! `/echo`, all with the public API of the server library.
//!
//! `GET /calls` answers how often the broker was read, and `GET /sessions` how many sessions are attached and detached.
//!
//! # Layout
//! - [`counting`]: a broker that counts how often another one is read

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use clap::{Parser, ValueEnum};
use everwire_server::broker::{Broker, Journal, Memory};
use everwire_server::channels::{AllowAll, SessionChange};
use everwire_server::cli::raise_open_file_limit;
use everwire_server::{
    Connection, Endpoint, Everwire, Group, Handler, Membership, Message, Server, ServerConfig, Upgrade,
};

use counting::{Calls, Counting};

mod counting;

/// The allocator of the companion server, so that memory is comparable.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// More connections than are measured.
const CONNECTIONS: usize = 100_000;

/// Serve channels for measurements.
#[derive(Parser)]
struct Options {
    /// Where channels keep their messages.
    #[arg(long, value_enum, default_value = "memory")]
    broker: BrokerKind,
    /// The directory of the journal. What is in it is removed.
    #[arg(long, required_if_eq("broker", "journal"))]
    directory: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum BrokerKind {
    Memory,
    Journal,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    raise_open_file_limit();
    let (calls, sessions) = (Arc::new(Calls::default()), Arc::new(Sessions::default()));
    let builder = Everwire::builder();
    let builder = match options.broker {
        BrokerKind::Memory => builder.broker(Counting::new(Memory::default(), &calls)),
        BrokerKind::Journal => builder.broker(Counting::new(open_journal(&options)?, &calls)),
    };
    let observed = Arc::clone(&sessions);
    let everwire = builder
        .authorize(AllowAll)
        .limits(|limits| (limits.connections, limits.connections_per_address) = (CONNECTIONS, CONNECTIONS))
        .connection_limits(|limits| limits.messages_per_second = 0)
        .on_session(move |event| observed.count(event.change))
        .build();

    let counters = Router::new()
        .route("/calls", get(async move || calls.to_string()))
        .route("/sessions", get(async move || sessions.to_string()));
    let app = Router::new()
        .route("/broadcast", Endpoint::new(&everwire, "/broadcast").route(broadcast))
        .with_state(Group::new(()))
        .route("/echo", Endpoint::new(&everwire, "/echo").route(echo))
        .merge(everwire.router())
        .merge(counters);
    let config = ServerConfig::new(([127, 0, 0, 1], 0)).drain(Duration::ZERO);
    let server = Server::bind(&everwire, config).await?;
    println!("listening on {}", server.url());
    server.run_until(app, pending()).await;
    Ok(())
}

fn open_journal(options: &Options) -> Result<impl Broker + use<>> {
    let directory = options.directory.as_ref().context("a journal needs --directory")?;
    if directory.exists() {
        std::fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(Journal::open(directory)?)
}

/// How many sessions there are.
#[derive(Debug, Default)]
struct Sessions {
    attached: AtomicI64,
    detached: AtomicI64,
}

impl Sessions {
    fn count(&self, change: SessionChange) {
        let (attached, detached) = match change {
            SessionChange::Started => (1, 0),
            SessionChange::Resumed => (1, -1),
            SessionChange::Detached => (-1, 1),
            _ => (0, -1),
        };
        self.attached.fetch_add(attached, Ordering::Relaxed);
        self.detached.fetch_add(detached, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [attached, detached] = [&self.attached, &self.detached].map(|count| count.load(Ordering::Relaxed));
        write!(f, "attached={attached} detached={detached}")
    }
}

async fn broadcast(State(group): State<Group<()>>, upgrade: Upgrade) -> Response {
    upgrade.accept(move |connection| BroadcastHandler(group.join(connection, |_, _| [])))
}

async fn echo(upgrade: Upgrade) -> Response {
    upgrade.accept(|connection| EchoHandler(connection.clone()))
}

/// Sends every message to all clients, the sender included, as the companion server does.
struct BroadcastHandler(Membership<()>);

impl Handler for BroadcastHandler {
    fn on_message(&mut self, message: Message) {
        self.0.group().enqueue(|_, _| Some(message));
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.0.group().flush();
    }
}

/// Returns every message.
struct EchoHandler(Connection);

impl Handler for EchoHandler {
    fn on_message(&mut self, message: Message) {
        self.0.send(message);
    }
}

//! The server of `cargo xtask bench session`: channels of everwire.v1 on `/everwire`, a plain group on `/broadcast` and an echo on
//! `/echo`, all with the public API of the server library.
//!
//! `GET /calls` returns how often the broker was read, and `GET /sessions` how many sessions are attached and detached.

use std::fmt;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use everwire_server::broker::{
    BoxFuture, Broker, BrokerError, ChannelName, Cursor, History, Journal, Listener, Memory, Page, PageLimits,
    Publication, SessionExpiry, SessionId, StoredSession,
};
use everwire_server::channels::{AllowAll, SessionChange};
use everwire_server::cli::raise_open_file_limit;
use everwire_server::{
    Connection, Endpoint, Everwire, Group, Handler, Membership, Message, Server, ServerConfig, Upgrade,
};

/// The allocator of the companion server, so that their memory is comparable.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// More connections than any task opens.
const CONNECTIONS: usize = 100_000;

/// Serve channels for measurements.
#[derive(Parser)]
struct Options {
    /// The broker of the channels.
    #[arg(long, value_enum, default_value = "memory")]
    broker: BrokerKind,
    /// The directory of the journal, whose content is removed.
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
    let (calls, sessions) = (Arc::new(BrokerCalls::default()), Arc::new(Sessions::default()));
    let builder = Everwire::builder();
    let builder = match options.broker {
        BrokerKind::Memory => builder.broker(CountingBroker::new(Memory::default(), &calls)),
        BrokerKind::Journal => builder.broker(CountingBroker::new(open_journal(&options)?, &calls)),
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

/// The number of calls of a broker.
#[derive(Debug, Default)]
struct BrokerCalls {
    /// Reads of a page of messages.
    reads: AtomicU64,
    /// Lookups of the position of a channel.
    histories: AtomicU64,
}

impl fmt::Display for BrokerCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [reads, histories] = [&self.reads, &self.histories].map(|count| count.load(Ordering::Relaxed));
        write!(f, "reads={reads} histories={histories}")
    }
}

/// A broker that counts the reads of another one.
#[derive(Debug)]
struct CountingBroker<B> {
    broker: B,
    calls: Arc<BrokerCalls>,
}

impl<B> CountingBroker<B> {
    fn new(broker: B, calls: &Arc<BrokerCalls>) -> Self {
        Self { broker, calls: Arc::clone(calls) }
    }
}

impl<B: Broker> Broker for CountingBroker<B> {
    fn publish(&self, publication: Publication) -> BoxFuture<Result<Cursor, BrokerError>> {
        self.broker.publish(publication)
    }

    fn publish_all(&self, publications: Vec<Publication>) -> Vec<BoxFuture<Result<Cursor, BrokerError>>> {
        self.broker.publish_all(publications)
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.broker.poll_ready(context)
    }

    fn history(&self, channel: &ChannelName, at: u64) -> BoxFuture<Result<History, BrokerError>> {
        self.calls.histories.fetch_add(1, Ordering::Relaxed);
        self.broker.history(channel, at)
    }

    fn read(&self, channel: &ChannelName, after: u64, limits: PageLimits) -> BoxFuture<Result<Page, BrokerError>> {
        self.calls.reads.fetch_add(1, Ordering::Relaxed);
        self.broker.read(channel, after, limits)
    }

    fn read_state(
        &self,
        channel: &ChannelName,
        after: u64,
        limits: PageLimits,
    ) -> BoxFuture<Result<Page, BrokerError>> {
        self.calls.reads.fetch_add(1, Ordering::Relaxed);
        self.broker.read_state(channel, after, limits)
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.broker.listen(listener);
    }

    fn store_session(&self, id: SessionId, record: Bytes, expiry: SessionExpiry) -> BoxFuture<Result<(), BrokerError>> {
        self.broker.store_session(id, record, expiry)
    }

    fn load_session(&self, id: &SessionId) -> BoxFuture<Result<Option<StoredSession>, BrokerError>> {
        self.broker.load_session(id)
    }

    fn remove_session(&self, id: &SessionId) -> BoxFuture<Result<(), BrokerError>> {
        self.broker.remove_session(id)
    }
}

/// The numbers of sessions.
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

impl fmt::Display for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Sends every message back.
struct EchoHandler(Connection);

impl Handler for EchoHandler {
    fn on_message(&mut self, message: Message) {
        self.0.send(message);
    }
}

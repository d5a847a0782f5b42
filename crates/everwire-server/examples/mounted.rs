//! Echo and broadcast in an application that has routes, state and a fallback of its own, and is served by `axum::serve`:
//! `cargo run -p everwire-server --example mounted`, then connect to ws://127.0.0.1:3000/live/echo

use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use everwire_server::{Connection, Endpoint, Everwire, Group, Handler, Membership, Message, StopSignal, Upgrade};
use tokio::net::TcpListener;

/// Sends every message back.
struct Echo(Connection);

impl Handler for Echo {
    fn on_message(&mut self, message: Message) {
        self.0.send(message);
    }
}

/// Sends every message to everyone.
struct Broadcast(Membership<()>);

impl Handler for Broadcast {
    fn on_message(&mut self, message: Message) {
        self.0.group().enqueue(|_, _| Some(message));
    }

    /// Messages that arrived together leave together.
    fn on_batch_end(&mut self) {
        self.0.group().flush();
    }

    /// A client that sends more than the others can receive is slowed down.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.group().poll_ready(context)
    }
}

async fn echo(upgrade: Upgrade) -> Response {
    upgrade.accept(|connection| Echo(connection.clone()))
}

async fn broadcast(State(everyone): State<Group<()>>, upgrade: Upgrade) -> Response {
    upgrade.accept(move |connection| Broadcast(everyone.join(connection, |_, _| [])))
}

pub(crate) fn app(everwire: &Everwire) -> Router {
    let live = Router::new()
        .route("/echo", Endpoint::new(everwire, "/live/echo").route(echo))
        .route("/broadcast", Endpoint::new(everwire, "/live/broadcast").route(broadcast))
        .with_state(Group::new(()));
    Router::new()
        .route("/", get(|| async { "my page" }))
        .nest("/live", live)
        .nest("/ops", everwire.probes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "my fallback") })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (everwire, mut stop) = (Everwire::default(), StopSignal::listen()?);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    // With the address of each client, so that the limit of connections per address holds.
    let app = app(&everwire).into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        served = axum::serve(listener, app) => served,
        () = stop.received() => {
            // Closes the WebSockets one after another, so that their clients do not all reconnect at once.
            everwire.drain(Duration::from_secs(5)).await;
            Ok(())
        }
    }
}

//! WebSockets for axum applications that hold thousands of them: with limits, an origin check, heartbeats, metrics, fan-out to groups and
//! an orderly drain.
//!
//! An [`Everwire`] is the state that all WebSockets of a server share. An [`Endpoint`] gives one kind of them a name, limits and a
//! route. The function on that route takes an [`Upgrade`] among axum's other extractors, so that it can authenticate and refuse, and
//! answers with a [`Handler`], which then receives the messages of one [`Connection`]. A [`Group`] sends to many.
//!
//! ```
//! use axum::Router;
//! use axum::extract::State;
//! use axum::response::Response;
//! use everwire_server::{Connection, Everwire, Group, Handler, Membership, Message, Upgrade};
//!
//! /// Sends every message to everyone.
//! struct Chat(Membership<()>);
//!
//! impl Handler for Chat {
//!     fn on_message(&mut self, message: Message) {
//!         self.0.group().publish(message);
//!     }
//! }
//!
//! async fn chat(State(room): State<Group<()>>, upgrade: Upgrade) -> Response {
//!     upgrade.accept(move |connection| Chat(room.join(connection, |_, _| ["Welcome!".into()])))
//! }
//!
//! let everwire = Everwire::default();
//! let app: Router = Router::new()
//!     .route("/chat", everwire.endpoint("/chat").route(chat))
//!     .with_state(Group::new(()))
//!     .merge(everwire.probes());
//! # drop(app);
//! ```
//!
//! Serve the application by a [`Server`], whose accept loop limits and times connections before they are WebSockets; or by
//! `axum::serve` with `into_make_service_with_connect_info::<SocketAddr>()`, and call [`Everwire::drain`] when it stops.
//!
//! # How fast
//! A message to a [`Group`] is encoded once, and written straight to the TCP stream of each member that has nothing queued. That needs a
//! plain TCP stream, as [`Server`] without TLS and `axum::serve` with a [`TcpListener`](tokio::net::TcpListener) have. With TLS, an
//! [`Interceptor`], an observed stream or another listener the message goes through the member's queue and wakes its task, which costs about as much
//! again as the write. The metric `everwire_indirect_connections_total` counts such connections.
//!
//! # Layout
//! - `endpoint` and `upgrade`: from a route to a connection; `handshake` reads the request, `host` and `origin` say by which
//!   names and from which pages
//! - `connection`: the task of one WebSocket, and [`Handler`], [`Connection`], [`Interceptor`]
//! - `group`: fan-out
//! - `everwire`: the shared state, of `limits`, `metrics`, `registry` (the open connections) and `drain`
//! - `serve`: the accept loop, on `stream`s that have time limits and observers; `probes`: health and metrics
//! - [`testing`]: handlers without a network; `cli` (feature): flags and a log for a binary

#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod connection;
mod deadline;
mod drain;
mod endpoint;
mod everwire;
mod group;
mod handshake;
mod handshake_error;
mod held;
mod host;
mod limits;
mod message;
mod metrics;
mod origin;
mod probes;
mod registry;
mod serve;
mod stream;
pub mod testing;
mod upgrade;

pub use clock::Clock;
pub use connection::{Closed, Connection, EncodedMessage, Handler, Interceptor, Intervention};
pub use deadline::within;
pub use endpoint::Endpoint;
pub use everwire::{Builder, Everwire, peer_address};
pub use group::{Group, Membership};
pub use handshake_error::HandshakeError;
pub use limits::{ConnectionLimits, Limits, Permit, network_of};
pub use message::{Message, Utf8Bytes};
pub use metrics::{DropReason, EndpointMetrics, Totals};
pub use origin::{BadOrigin, Origins};
pub use registry::WorkerLoad;
pub use serve::{RunningServer, Server, ServerConfig, StopSignal};
#[cfg(feature = "tls")]
pub use serve::{Tls, TlsError};
pub use stream::StreamObserver;
pub use upgrade::Upgrade;

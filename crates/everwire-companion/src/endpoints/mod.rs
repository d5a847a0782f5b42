//! The WebSocket endpoints and their routes.
//!
//! # Layout
//! - `simple`: the small endpoints; `tracker`: positions on a map
//! - The large ones are modules of the crate: `ticker`, `lab`, `files`, `monitor`

mod simple;
mod tracker;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::Response;
use everwire_server::{Endpoint, Group, HandshakeError};

use crate::companion::Companion;
use crate::files::FilesHandler;
use crate::protocol::{EVERWIRE, FILES, LAB, PATHS, STREAMS_FULL};
use crate::upgrade::UpgradeRequest;
use crate::{lab, monitor, ticker};
use simple::{
    BroadcastHandler, ClockHandler, CountdownHandler, CountdownParameters, EchoHandler, HelloHandler, SumHandler, Total,
};
use tracker::TrackerHandler;

/// The groups that the connections of endpoints share.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    broadcast: Group<()>,
    sum: Group<Total>,
}

/// The routes of the WebSockets.
pub(crate) fn routes(companion: &Companion) -> Router<Companion> {
    let everwire = companion.everwire();
    // The metrics list them in this order.
    let [echo_, broadcast_, hello_, countdown_, sum_, clock_, ticker_, tracker_, monitor_, lab_, files_, channels_] =
        PATHS.map(|path| {
            let endpoint =
                if path == EVERWIRE { everwire.channels_endpoint(path) } else { Endpoint::new(everwire, path) };
            endpoint.drop_reasons([STREAMS_FULL])
        });
    Router::new()
        // The echo returns everything, heartbeat pings included.
        .route("/echo", echo_.answer_pings(false).route(echo))
        .route("/broadcast", broadcast_.route(broadcast))
        .route("/hello", hello_.route(hello))
        .route("/countdown", countdown_.route(countdown))
        .route("/sum", sum_.route(sum))
        .route("/clock", clock_.route(clock))
        .route("/ticker", ticker_.route(ticker::open))
        .route("/tracker", tracker_.route(tracker))
        .route("/monitor", monitor_.route(monitor::open))
        .route(LAB, lab_.route(lab::open))
        .route(FILES, files_.route(files))
        .route(EVERWIRE, channels_.route(channels))
}

/// Grants the first subprotocol that the client offers, so that the echo tester of the demos can show one.
async fn echo(UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    let offered = upgrade.offered_protocols().to_vec();
    upgrade.protocols(offered).accept(EchoHandler::new)
}

async fn broadcast(State(companion): State<Companion>, UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    upgrade.accept(move |connection| BroadcastHandler::new(&companion.groups().broadcast, connection))
}

async fn hello(UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    upgrade.accept(HelloHandler::new)
}

async fn countdown(UpgradeRequest { upgrade, query }: UpgradeRequest) -> Result<Response, HandshakeError> {
    let parameters = CountdownParameters::from_query(&query)?;
    Ok(upgrade.accept(move |connection| CountdownHandler::new(parameters, connection)))
}

async fn sum(State(companion): State<Companion>, UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    upgrade.accept(move |connection| SumHandler::new(&companion.groups().sum, connection))
}

async fn clock(State(companion): State<Companion>, UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    let clock = companion.config().clock.clone();
    upgrade.accept(move |connection| ClockHandler::new(clock, connection))
}

async fn tracker(State(companion): State<Companion>, UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    upgrade.accept(move |connection| TrackerHandler::new(companion.tracker(), connection))
}

async fn files(State(companion): State<Companion>, UpgradeRequest { upgrade, .. }: UpgradeRequest) -> Response {
    let message_bytes = companion.config().connection.message_bytes;
    upgrade.accept(move |connection| FilesHandler::new(companion.files(), message_bytes, connection))
}

async fn channels(
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    UpgradeRequest { upgrade, .. }: UpgradeRequest,
) -> Response {
    upgrade.accept_channels(headers, uri)
}

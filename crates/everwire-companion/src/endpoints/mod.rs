//! What each path does with messages.

mod broadcast;
mod clock;
mod countdown;
mod echo;
mod hello;
mod sum;
mod tracker;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use everwire_server::{DropReason, Endpoint, Group, HandshakeError};

use crate::companion::Companion;
use crate::files::FilesHandler;
use crate::opening::Opening;
use crate::{lab, monitor, ticker};
use broadcast::BroadcastHandler;
use clock::ClockHandler;
use countdown::{CountdownHandler, Steps};
use echo::EchoHandler;
use hello::HelloHandler;
use sum::{SumHandler, Total};
use tracker::{Positions, TrackerHandler};

/// The paths of the WebSockets, which are also their names in the metrics.
pub(crate) const PATHS: [&str; 11] =
    ["/echo", "/broadcast", "/hello", "/countdown", "/sum", "/clock", "/ticker", "/tracker", "/monitor", LAB, FILES];
pub(crate) const LAB: &str = "/lab/socket";
pub(crate) const FILES: &str = "/files";

/// The reason for refusing a client when there are too many streams.
pub(crate) const STREAMS_FULL: DropReason = DropReason::Application("streams_full");

/// What the connections of endpoints share.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    broadcast: Group<()>,
    sum: Group<Total>,
    tracker: Group<Positions>,
}

/// The routes of the WebSockets.
pub(crate) fn routes(companion: &Companion) -> Router<Companion> {
    let everwire = companion.everwire();
    // The metrics list them in this order.
    let [echo_, broadcast_, hello_, countdown_, sum_, clock_, ticker_, tracker_, monitor_, lab_, files_] =
        PATHS.map(|path| Endpoint::new(everwire, path).drop_reasons([STREAMS_FULL]));
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
}

/// The echo tester offers subprotocols to see one granted. This endpoint grants the first one.
async fn echo(Opening { upgrade, .. }: Opening) -> Response {
    let offered = upgrade.offered_protocols().to_vec();
    upgrade.protocols(offered).accept(EchoHandler::new)
}

async fn broadcast(State(companion): State<Companion>, Opening { upgrade, .. }: Opening) -> Response {
    upgrade.accept(move |connection| BroadcastHandler::new(&companion.groups().broadcast, connection))
}

async fn hello(Opening { upgrade, .. }: Opening) -> Response {
    upgrade.accept(HelloHandler::new)
}

async fn countdown(Opening { upgrade, query }: Opening) -> Result<Response, HandshakeError> {
    let steps = Steps::from_query(&query)?;
    Ok(upgrade.accept(move |connection| CountdownHandler::new(steps, connection)))
}

async fn sum(State(companion): State<Companion>, Opening { upgrade, .. }: Opening) -> Response {
    upgrade.accept(move |connection| SumHandler::new(&companion.groups().sum, connection))
}

async fn clock(State(companion): State<Companion>, Opening { upgrade, .. }: Opening) -> Response {
    let clock = companion.config().clock.clone();
    upgrade.accept(move |connection| ClockHandler::new(clock, connection))
}

async fn tracker(State(companion): State<Companion>, Opening { upgrade, .. }: Opening) -> Response {
    let clock = companion.config().clock.clone();
    upgrade.accept(move |connection| TrackerHandler::new(&companion.groups().tracker, clock, connection))
}

async fn files(State(companion): State<Companion>, Opening { upgrade, .. }: Opening) -> Response {
    let message_bytes = companion.config().connection.message_bytes;
    upgrade.accept(move |connection| FilesHandler::new(companion.files(), message_bytes, connection))
}

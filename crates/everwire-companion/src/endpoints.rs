//! The routes of the WebSockets, and the small endpoints: echo, broadcast, hello, countdown, sum and clock.
//!
//! The large endpoints are modules of the crate: `ticker`, `tracker`, `lab`, `files`, `monitor`.

use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::Response;
use everwire_server::{Clock, Connection, Endpoint, Group, Handler, HandshakeError, Membership, Message};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio::time::Instant;

use crate::companion::Companion;
use crate::files::FilesHandler;
use crate::protocol::{EVERWIRE, FILES, LAB, PATHS, Parameters, STREAMS_FULL, SendJson, UpgradeRequest, json};
use crate::tracker::TrackerHandler;
use crate::{lab, monitor, ticker};

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

/// `/echo`: returns every message unchanged, pings included.
struct EchoHandler {
    connection: Connection,
}

impl EchoHandler {
    fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Handler for EchoHandler {
    fn on_message(&mut self, message: Message) {
        self.connection.send(message);
    }
}

/// `/broadcast`: sends every message to all clients, the sender included.
struct BroadcastHandler {
    membership: Membership<()>,
}

impl BroadcastHandler {
    fn new(group: &Group<()>, connection: &Connection) -> Self {
        Self { membership: group.join(connection, |_, _| Vec::new()) }
    }
}

impl Handler for BroadcastHandler {
    fn on_message(&mut self, message: Message) {
        self.membership.group().enqueue(|_, _| Some(message));
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

/// `/hello`: answers a name with a greeting, then closes with 1000.
struct HelloHandler {
    connection: Connection,
}

impl HelloHandler {
    fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Handler for HelloHandler {
    fn on_message(&mut self, message: Message) {
        match &message {
            Message::Text(name) if !name.trim().is_empty() => {
                self.connection.send(Message::text(format!("Hello {}!", name.trim())));
                self.connection.close(1000, "");
            }
            _ => self.connection.send_error("send your name as text, like Ann"),
        }
    }
}

/// The parameters of a countdown.
#[derive(Clone, Copy, Debug)]
struct CountdownParameters {
    from: u32,
    every: Duration,
}

impl CountdownParameters {
    fn from_query(query: &Parameters) -> Result<Self, HandshakeError> {
        let from = query.number("from", 0..=1_000_000, 10)?;
        let every = Duration::from_millis(query.number("every", 1..=3_600_000, 500)?);
        Ok(Self { from, every })
    }
}

/// `/countdown`: counts down to 0 with one message each step, then closes with 1000.
struct CountdownHandler {
    connection: Connection,
    /// The number to send next, and when; nothing after 0.
    next: Option<(u32, Instant)>,
    every: Duration,
}

impl CountdownHandler {
    fn new(parameters: CountdownParameters, connection: &Connection) -> Self {
        let next = Some((parameters.from, Instant::now()));
        Self { connection: connection.clone(), next, every: parameters.every }
    }
}

impl Handler for CountdownHandler {
    fn on_message(&mut self, _: Message) {
        self.connection.send_error("the countdown only counts; set its start and step (ms) with ?from=10&every=500");
    }

    fn timer(&self) -> Option<Instant> {
        self.next.map(|(_, at)| at)
    }

    fn on_timer(&mut self) {
        let Some((number, at)) = self.next else { return };
        self.connection.send(Message::text(number.to_string()));
        self.next = number.checked_sub(1).map(|number| (number, at + self.every));
        if self.next.is_none() {
            self.connection.close(1000, "");
        }
    }
}

/// The sum of all numbers that were sent, and their count.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Total {
    total: f64,
    count: u64,
}

/// `/sum`: adds the numbers of all clients, and sends the running total to all clients.
struct SumHandler {
    membership: Membership<Total>,
}

impl SumHandler {
    fn new(group: &Group<Total>, connection: &Connection) -> Self {
        Self { membership: group.join(connection, |total, _| vec![json(total)]) }
    }
}

impl Handler for SumHandler {
    fn on_message(&mut self, message: Message) {
        let number = match &message {
            Message::Text(text) => serde_json::from_str::<f64>(text).ok(),
            _ => None,
        };
        let Some(number) = number else {
            return self.membership.connection().send_error("send one JSON number as text, like 2.5");
        };
        self.membership.group().enqueue(|sum, _| {
            let total = sum.total + number;
            // An infinite total has no JSON form, and no later number could make it finite again.
            if !total.is_finite() {
                self.membership
                    .connection()
                    .send_error("with this number the total would be infinite; send a smaller one");
                return None;
            }
            *sum = Total { total, count: sum.count + 1 };
            Some(json(sum))
        });
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

/// `/clock`: answers the client's time with both its and the server's.
struct ClockHandler {
    clock: Clock,
    connection: Connection,
}

#[derive(Deserialize)]
struct ClockRequest {
    client_time: Number,
}

#[derive(Serialize)]
struct ClockResponse {
    client_time: Number,
    server_time: f64,
}

impl ClockHandler {
    fn new(clock: Clock, connection: &Connection) -> Self {
        Self { clock, connection: connection.clone() }
    }
}

impl Handler for ClockHandler {
    fn on_message(&mut self, message: Message) {
        let request = match &message {
            Message::Text(text) => serde_json::from_str::<ClockRequest>(text).ok(),
            _ => None,
        };
        match request {
            Some(ClockRequest { client_time }) => {
                self.connection.send_json(&ClockResponse { client_time, server_time: self.clock.now_ms() });
            }
            None => self.connection.send_error(r#"send {"client_time":T} with T your time in milliseconds"#),
        }
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::testing::Recorder;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_countdown_sends_one_number_each_step_and_closes_after_zero() {
        let recorder = Recorder::new();
        let every = Duration::from_millis(500);
        let mut countdown = CountdownHandler::new(CountdownParameters { from: 2, every }, recorder.connection());
        let start = Instant::now();
        let mut received = Vec::new();
        while let Some(due) = countdown.timer() {
            countdown.on_timer();
            let messages = recorder.messages();
            let text = messages[0].as_text().unwrap();
            received.push((text.to_owned(), (due - start).as_millis()));
        }
        let expected = [("2", 0), ("1", 500), ("0", 1000)].map(|(text, at)| (text.to_owned(), at));
        assert_eq!(received, expected);
        assert_eq!(recorder.closed(), Some((1000, String::new())));
    }
}

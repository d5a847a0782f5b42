//! The feed and the echo of the transport lab, over every transport that HTTP has.
//!
//! # Layout
//! - this module: the transports, the admission of their requests, and the state that they share
//! - `log`: numbered messages, the latest of which are kept; the feeds that add them at a rate; a client's reader
//! - `accounts`: counts the bytes on TCP for the accounts of clients, and keeps the accounts that clients name

/// The state that the transports of the lab share.
#[derive(Debug)]
pub(crate) struct Lab {
    feeds: Feeds,
    accounts: LruMap<Account>,
    calls: LruMap<MessageLog>,
}

impl Lab {
    fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.open(name, Account::default)
    }

    fn find_account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.find(name)
    }

    fn calls(&self, name: &str) -> Option<Arc<MessageLog>> {
        self.calls.open(name, || MessageLog::after(0))
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self { feeds: Feeds::default(), accounts: LruMap::new(ACCOUNTS), calls: LruMap::new(CALLS) }
    }
}

/// The routes under `/lab`, except for the WebSocket.
pub(crate) fn routes() -> Router<Companion> {
    Router::new()
        .route("/lab/poll", get(poll))
        .route("/lab/long-poll", get(long_poll))
        .route("/lab/stream", get(stream))
        .route("/lab/events", get(events))
        .route("/lab/echo", post(echo))
        .route("/lab/accounts", get(accounts))
}

/// `GET /lab/poll`: the messages that there are now.
async fn poll(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let mut reader = reader(&context, &request, SimulatedNetwork::default())?;
        context.network_delay().await;
        Ok(buffered_lines(&mut reader, context.account.as_deref()))
    })
    .await
}

/// `GET /lab/long-poll`: waits until there are messages.
async fn long_poll(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let wait = Duration::from_millis(context.query.number("wait", 0..=MAX_WAIT_MS, 25_000)?);
        let mut reader = reader(&context, &request, SimulatedNetwork::default())?;
        tokio::select! {
            _ = timeout(wait, reader.has_messages()) => {}
            () = context.companion.everwire().draining() => {}
        }
        context.network_delay().await;
        Ok(buffered_lines(&mut reader, context.account.as_deref()))
    })
    .await
}

/// `GET /lab/stream`: one response that does not end, with a line for each message.
async fn stream(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let body = streamed_body(context, &request, |text, _| format!("{text}\n"))?;
        Ok(uncached(NDJSON, body))
    })
    .await
}

/// `GET /lab/events`: server-sent events, as browsers understand them.
async fn events(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let body = streamed_body(context, &request, |text, seq| match seq {
            Some(seq) => format!("id: {seq}\ndata: {text}\n\n"),
            None => format!("data: {text}\n\n"),
        })?;
        Ok(uncached("text/event-stream", body))
    })
    .await
}

/// `POST /lab/echo`: appends the body to the log `call`, which the client reads over any transport.
async fn echo(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let name = context.query.text("call").unwrap_or_default();
        let log = call_log(&context.companion, name)?;
        let too_long = || HandshakeError::bad_request(format!("A call has up to {MAX_CALL_BYTES} bytes."));
        let too_late = || {
            let sentence = "The body did not arrive in time; send the request again.";
            HandshakeError::new(StatusCode::REQUEST_TIMEOUT, DropReason::LateRequest, sentence)
        };
        // The same time as for the head. Otherwise a client that never sends the body would keep its permit.
        let body = within(context.companion.config().limits.handshake, to_bytes(request.into_body(), MAX_CALL_BYTES));
        let body = body.await.ok_or_else(too_late)?.map_err(|_| too_long())?;
        let text = String::from_utf8(body.to_vec()).ok().filter(|text| !text.chars().any(char::is_control));
        let text = text.ok_or_else(|| HandshakeError::bad_request("A call is a line of UTF-8 text."))?;
        if let Some(account) = &context.account {
            account.received(text.len());
        }
        log.push(|_| text);
        context.network_delay().await;
        Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]).into_response())
    })
    .await
}

mod accounts;
mod log;

/// Admits a request, and sends a response that its page may read.
async fn respond<F>(companion: &Companion, request: Request, work: F) -> Response
where
    F: AsyncFnOnce(RequestContext, Request) -> Result<Response, HandshakeError>,
{
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (parts, body) = request.into_parts();
    let result = match RequestContext::admit(companion, &parts) {
        Ok(context) => work(context, Request::from_parts(parts, body)).await,
        Err(error) => Err(error),
    };
    cross_origin_response(origin, result, companion)
}

/// A response for a page, which may be of another origin. Pages that may connect by WebSocket may read it.
fn cross_origin_response(
    origin: Option<HeaderValue>,
    result: Result<Response, HandshakeError>,
    companion: &Companion,
) -> Response {
    let response = result.unwrap_or_else(|error| {
        companion.everwire().endpoint_metrics(LAB).record_drop(error.reason());
        error.into_response()
    });
    readable_by(origin, response)
}

/// A response that must not be cached.
fn uncached(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], body.into()).into_response()
}

/// Reads the log that the request selects from its cursor on, over a network.
fn reader(context: &RequestContext, request: &Request, network: SimulatedNetwork) -> Result<LogReader, HandshakeError> {
    Ok(LogReader::new(context.log()?, context.after(request.headers())?, network.path()))
}

/// A response with all messages that are ready, a line each.
fn buffered_lines(reader: &mut LogReader, account: Option<&Account>) -> Response {
    let mut body = String::new();
    while let Some(delivery) = reader.ready() {
        let (text, _) = delivered(&delivery, account);
        body.push_str(&text);
        body.push('\n');
    }
    uncached(NDJSON, body)
}

/// A body that continues until the client leaves or the server stops.
fn streamed_body(
    context: RequestContext,
    request: &Request,
    write: impl Fn(&str, Option<u64>) -> String + Send + 'static,
) -> Result<Body, HandshakeError> {
    let reader = reader(&context, request, context.network)?;
    let chunks = stream::unfold((context, reader, write), async |(context, mut reader, write)| {
        let delivery = tokio::select! {
            delivery = reader.next() => delivery,
            () = context.companion.everwire().draining() => return None,
        };
        let (text, seq) = delivered(&delivery, context.account.as_deref());
        let chunk = Bytes::from(write(&text, seq));
        Some((Ok::<_, Infallible>(chunk), (context, reader, write)))
    });
    Ok(Body::from_stream(chunks))
}

/// The text of a delivery, and the number of a message. Only messages count as payload.
fn delivered<'d>(delivery: &'d Delivery, account: Option<&Account>) -> (Cow<'d, str>, Option<u64>) {
    match delivery {
        Delivery::Message(item) => {
            account.iter().for_each(|account| account.sent(item.text.len()));
            (Cow::Borrowed(&item.text), Some(item.seq))
        }
        Delivery::Start(start) => (Cow::Owned(start.text()), None),
    }
}

/// Accepts a handshake with the feed or the calls that the client selects. The stream keeps its meter, since the lab counts bytes.
pub(crate) async fn open(
    State(companion): State<Companion>,
    meter: Option<Extension<Arc<StreamMeter>>>,
    UpgradeRequest { upgrade, query }: UpgradeRequest,
) -> Result<Response, HandshakeError> {
    let account = assign_account(&companion, meter.as_deref(), &query, true);
    let log = match query.text("call") {
        Some(_) => None,
        None => Some(selected_log(&companion, &query, upgrade.peer_address())?),
    };
    let after = cursor_of(&query)?;
    Ok(upgrade.observe().accept(move |connection| {
        let subscribed = log.map(|log| log.subscribe(connection, after));
        let (subscription, start) = subscribed.unzip();
        let start = start.flatten().map(|start| start.text().len() as u64);
        LabHandler { connection: connection.clone(), account, start, _subscription: subscription }
    }))
}

/// `/lab/socket`: sends a feed and echoes the client's messages; with `call`, only the echo.
struct LabHandler {
    connection: Connection,
    account: Option<Arc<Account>>,
    /// The size of the first message, if it only says where the feed starts and so is not payload. `None` once it has been written.
    start: Option<u64>,
    _subscription: Option<Subscription>,
}

impl Handler for LabHandler {
    fn on_message(&mut self, message: Message) {
        if let Some(account) = &self.account {
            account.received(message.len());
        }
        self.connection.send(message);
    }

    fn on_written(&mut self, mut messages: u64, mut payload: u64) {
        if let Some(start) = self.start.take_if(|_| messages > 0) {
            messages -= 1;
            payload = payload.saturating_sub(start);
        }
        if let Some(account) = &self.account {
            account.wrote(messages, payload);
        }
    }
}

/// The context of an admitted request to the lab, which counts as a connection while it lasts.
struct RequestContext {
    companion: Companion,
    query: Parameters,
    account: Option<Arc<Account>>,
    network: SimulatedNetwork,
    address: Option<IpAddr>,
    _permit: Permit,
}

pub(crate) use accounts::StreamMeter;

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use everwire_companion_api::lab::Accounts;
use everwire_server::{Connection, DropReason, Handler, HandshakeError, Message, Permit, peer_address, within};
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::companion::Companion;
use crate::companion::readable_by;
use crate::fault::{Faults, SimulatedNetwork};
use crate::protocol::{LAB, Parameters, STREAMS_FULL, to_json};
use crate::protocol::{UpgradeRequest, fault_refusal, requested_faults};
use accounts::{Account, LruMap, is_name};
use log::{Delivery, FeedSelection, Feeds, LogReader, MessageLog, Subscription};

/// The number of accounts and of logs of calls that are kept. An account takes less than 200 bytes; calls take more, with messages of
/// up to a kilobyte.
const ACCOUNTS: NonZero<usize> = NonZero::new(4096).unwrap();
const CALLS: NonZero<usize> = NonZero::new(128).unwrap();

/// The content type of messages on lines of their own.
const NDJSON: &str = "application/x-ndjson";

/// The greatest size of a call, which stays in memory until it is fetched.
const MAX_CALL_BYTES: usize = 1024;

/// The greatest time that a long poll waits for messages, in milliseconds.
const MAX_WAIT_MS: u64 = 60_000;

/// How long accounts must be unchanged before they are returned, and how often that is checked. On a busy system a thread may wait for
/// longer than the usual 3 ms between a message and its count; at twenty messages per second there are 50 ms between two.
const STEADY_FOR: Duration = Duration::from_millis(15);
const STEADY_TRIES: usize = 10;

impl RequestContext {
    /// Admits a request under the conditions of a WebSocket.
    fn admit(companion: &Companion, request: &Parts) -> Result<Self, HandshakeError> {
        let everwire = companion.everwire();
        if everwire.is_draining() {
            let sentence = "The server is stopping; try again in a few seconds.";
            return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::Draining, sentence));
        }
        everwire.check_origin(request)?;
        let query = Parameters::of(&request.uri);
        let faults = requested_faults(companion, &query)?.unwrap_or_default();
        let network = network(&faults)?;
        let permit = everwire.admit(request)?;
        let account = assign_account(companion, request.extensions.get(), &query, false);
        Ok(Self {
            companion: companion.clone(),
            query,
            account,
            network,
            address: peer_address(request),
            _permit: permit,
        })
    }

    /// The log that the client selects.
    fn log(&self) -> Result<Arc<MessageLog>, HandshakeError> {
        selected_log(&self.companion, &self.query, self.address)
    }

    /// The number of the last message that the client has read.
    fn after(&self, headers: &HeaderMap) -> Result<Option<u64>, HandshakeError> {
        // Sent by the EventSource of a browser that reconnects.
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
        if last.is_some() {
            return Ok(last);
        }
        cursor_of(&self.query)
    }

    /// Waits for the latency of one response in this network.
    async fn network_delay(&self) {
        sleep_until(self.network.path().arrival(Instant::now())).await;
    }
}

/// The log that a request reads: the answers to the calls of one client, or a feed.
fn selected_log(
    companion: &Companion,
    query: &Parameters,
    address: Option<IpAddr>,
) -> Result<Arc<MessageLog>, HandshakeError> {
    match query.text("call") {
        Some(name) => call_log(companion, name),
        None => companion.lab().feeds.log(companion, FeedSelection::from_query(query)?, address),
    }
}

/// The number of the last message that a client has read, by the parameter `after`.
fn cursor_of(query: &Parameters) -> Result<Option<u64>, HandshakeError> {
    query.text("after").map(|_| query.number("after", 0..=u64::MAX, 0)).transpose()
}

/// The log of a client's calls.
fn call_log(companion: &Companion, name: &str) -> Result<Arc<MessageLog>, HandshakeError> {
    if !is_name(name) {
        return Err(HandshakeError::bad_request("`call` is a name of up to 40 letters, digits and hyphens."));
    }
    companion.lab().calls(name).ok_or_else(|| {
        let sentence = "Too many clients are making calls; try again in a minute.";
        HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, STREAMS_FULL, sentence)
    })
}

/// Assigns a request to the account that it names.
fn assign_account(
    companion: &Companion,
    meter: Option<&Arc<StreamMeter>>,
    query: &Parameters,
    is_upgraded: bool,
) -> Option<Arc<Account>> {
    let account = companion.lab().account(query.text("account")?)?;
    // Another server that has the routes has no meter, and the account stays at zero.
    if let Some(meter) = meter {
        meter.assign_exchange(&account, is_upgraded);
    }
    Some(account)
}

fn network(faults: &Faults) -> Result<SimulatedNetwork, HandshakeError> {
    if let Some(status) = faults.refuse {
        return Err(fault_refusal(status));
    }
    faults.network_alone().ok_or_else(|| {
        HandshakeError::bad_request("The faults over HTTP are delay:MS, jitter:MS, loss:PERCENT and refuse:STATUS.")
    })
}

/// `GET /lab/accounts?names=a,b`: the usage of each account.
async fn accounts(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, _| {
        let names: Vec<&str> = context.query.text("names").unwrap_or_default().split(',').take(16).collect();
        let read = || -> Accounts {
            let found = names
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), context.companion.lab().find_account(name)?.usage())));
            found.collect()
        };
        let mut accounts = read();
        // A task may be interrupted between counting a message and counting its bytes. Counts that do not change for a moment are
        // complete.
        for _ in 0..STEADY_TRIES {
            sleep(STEADY_FOR).await;
            let before = std::mem::replace(&mut accounts, read());
            if before == accounts {
                break;
            }
        }
        let text = to_json(&accounts);
        Ok(uncached("application/json", text))
    })
    .await
}

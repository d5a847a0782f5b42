use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use everwire_companion_api::lab::Accounts;
use everwire_server::{DropReason, HandshakeError, within};
use futures_util::stream;
use tokio::time::{sleep, timeout};

use super::meter::Account;
use super::reader::{Delivery, LogReader};
use super::request::{self, RequestContext, answer, fresh};
use crate::companion::Companion;
use crate::fault::Network;
use crate::protocol::to_json;

/// The content type of messages on lines of their own.
const LINES: &str = "application/x-ndjson";

/// The greatest size of a call, which stays in memory until it is fetched.
const MAX_CALL_BYTES: usize = 1024;

/// The greatest time that a long poll waits for messages, in milliseconds.
const MAX_WAIT_MS: u64 = 60_000;

/// How long accounts must be unchanged before they are returned, and how often that is checked. On a busy system a thread may wait for
/// longer than the usual 3 ms between a message and its count; at twenty messages a second there are 50 ms between two.
const STEADY_FOR: Duration = Duration::from_millis(15);
const STEADY_TRIES: usize = 10;

/// `GET /lab/poll`: the messages that there are now.
pub(super) async fn poll(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let mut reader = reader(&context, &request, Network::default())?;
        context.travel().await;
        Ok(lines(&mut reader, context.account.as_deref()))
    })
    .await
}

/// `GET /lab/long-poll`: waits until there are messages.
pub(super) async fn long_poll(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let wait = Duration::from_millis(context.query.number("wait", 0..=MAX_WAIT_MS, 25_000)?);
        let mut reader = reader(&context, &request, Network::default())?;
        tokio::select! {
            _ = timeout(wait, reader.news()) => {}
            () = context.companion.everwire().draining() => {}
        }
        context.travel().await;
        Ok(lines(&mut reader, context.account.as_deref()))
    })
    .await
}

/// `GET /lab/stream`: one response that does not end, with a line for each message.
pub(super) async fn stream(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let body = streamed_body(context, &request, |text, _| format!("{text}\n"))?;
        Ok(fresh(LINES, body))
    })
    .await
}

/// `GET /lab/events`: server-sent events, as browsers understand them.
pub(super) async fn events(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let body = streamed_body(context, &request, |text, seq| match seq {
            Some(seq) => format!("id: {seq}\ndata: {text}\n\n"),
            None => format!("data: {text}\n\n"),
        })?;
        Ok(fresh("text/event-stream", body))
    })
    .await
}

/// `POST /lab/echo`: appends the body to the log `call`, which the client reads over any transport.
pub(super) async fn echo(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |context, request| {
        let name = context.query.text("call").unwrap_or_default();
        let log = request::calls(&context.companion, name)?;
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
        context.travel().await;
        Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]).into_response())
    })
    .await
}

/// `GET /lab/accounts?names=a,b`: the usage of each account.
pub(super) async fn accounts(State(companion): State<Companion>, request: Request) -> Response {
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
        Ok(fresh("application/json", text))
    })
    .await
}

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
    answer(origin, result, companion)
}

/// Reads the log that the request selects from its cursor on, over a network.
fn reader(context: &RequestContext, request: &Request, network: Network) -> Result<LogReader, HandshakeError> {
    Ok(LogReader::new(context.log()?, context.after(request.headers())?, network.path()))
}

/// A response with all messages that are ready, a line each.
fn lines(reader: &mut LogReader, account: Option<&Account>) -> Response {
    let mut body = String::new();
    while let Some(delivery) = reader.ready() {
        let (text, _) = delivered(&delivery, account);
        body.push_str(&text);
        body.push('\n');
    }
    fresh(LINES, body)
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

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
use super::outflow::{Delivery, Outflow};
use super::visit::{self, Visit, answer, fresh};
use crate::companion::Companion;
use crate::fault::Network;

/// The content type of messages on lines of their own.
const LINES: &str = "application/x-ndjson";

/// The greatest length of a call, which stays in memory until it is fetched.
const LONGEST_CALL: usize = 1024;

/// The greatest time that a long poll waits for messages.
const LONGEST_WAIT: u64 = 60_000;

/// How long accounts must be unchanged before they are returned, and how often that is tried. A busy system lets a thread wait longer than
/// its usual 3 ms between a message and its count; twenty messages a second leave 50 ms between two.
const STEADY_FOR: Duration = Duration::from_millis(15);
const STEADY_TRIES: usize = 10;

/// `GET /lab/poll`: what is there now.
pub(super) async fn poll(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |visit, request| {
        let mut outflow = outflow(&visit, &request, Network::default())?;
        visit.travel().await;
        Ok(lines(&mut outflow, visit.account.as_deref()))
    })
    .await
}

/// `GET /lab/long-poll`: what is there, as soon as there is something.
pub(super) async fn long_poll(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |visit, request| {
        let wait = Duration::from_millis(visit.query.number("wait", 0..=LONGEST_WAIT, 25_000)?);
        let mut outflow = outflow(&visit, &request, Network::default())?;
        tokio::select! {
            _ = timeout(wait, outflow.news()) => {}
            () = visit.companion.everwire().draining() => {}
        }
        visit.travel().await;
        Ok(lines(&mut outflow, visit.account.as_deref()))
    })
    .await
}

/// `GET /lab/stream`: one answer that never ends, a line for each message.
pub(super) async fn stream(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |visit, request| {
        let body = endless(visit, &request, |text, _| format!("{text}\n"))?;
        Ok(fresh(LINES, body))
    })
    .await
}

/// `GET /lab/events`: server-sent events, as browsers understand them.
pub(super) async fn events(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |visit, request| {
        let body = endless(visit, &request, |text, seq| match seq {
            Some(seq) => format!("id: {seq}\ndata: {text}\n\n"),
            None => format!("data: {text}\n\n"),
        })?;
        Ok(fresh("text/event-stream", body))
    })
    .await
}

/// `POST /lab/echo`: the body comes back as a message of the log `call`, by whatever way the client reads that.
pub(super) async fn echo(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |visit, request| {
        let name = visit.query.text("call").unwrap_or_default();
        let log = visit::calls(&visit.companion, name)?;
        let too_long = || HandshakeError::bad_request(format!("A call has up to {LONGEST_CALL} bytes."));
        let too_late = || {
            let sentence = "The body did not arrive in time; send the request again.";
            HandshakeError::new(StatusCode::REQUEST_TIMEOUT, DropReason::LateRequest, sentence)
        };
        // As long as its head had, or who never sends it would hold a place for nothing.
        let body = within(visit.companion.config().limits.handshake, to_bytes(request.into_body(), LONGEST_CALL));
        let body = body.await.ok_or_else(too_late)?.map_err(|_| too_long())?;
        let text = String::from_utf8(body.to_vec()).ok().filter(|text| !text.chars().any(char::is_control));
        let text = text.ok_or_else(|| HandshakeError::bad_request("A call is a line of UTF-8 text."))?;
        if let Some(account) = &visit.account {
            account.heard(text.len());
        }
        log.push(|_| text);
        visit.travel().await;
        Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]).into_response())
    })
    .await
}

/// `GET /lab/accounts?names=a,b`: what was counted for each.
pub(super) async fn accounts(State(companion): State<Companion>, request: Request) -> Response {
    respond(&companion, request, async |visit, _| {
        let names: Vec<&str> = visit.query.text("names").unwrap_or_default().split(',').take(16).collect();
        let read = || -> Accounts {
            let found = names
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), visit.companion.lab().find_account(name)?.usage())));
            found.collect()
        };
        let mut accounts = read();
        // Between a message and its bytes a task may have been interrupted: what has stood still for a moment is whole.
        for _ in 0..STEADY_TRIES {
            sleep(STEADY_FOR).await;
            let before = std::mem::replace(&mut accounts, read());
            if before == accounts {
                break;
            }
        }
        let text = serde_json::to_string(&accounts).expect("structs with string keys always have a JSON form");
        Ok(fresh("application/json", text))
    })
    .await
}

/// Lets a request in, and answers it so that the page may read the answer.
async fn respond<F>(companion: &Companion, request: Request, work: F) -> Response
where
    F: AsyncFnOnce(Visit, Request) -> Result<Response, HandshakeError>,
{
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (parts, body) = request.into_parts();
    let worked = match Visit::begin(companion, &parts) {
        Ok(visit) => work(visit, Request::from_parts(parts, body)).await,
        Err(error) => Err(error),
    };
    answer(origin, worked, companion)
}

/// What the request asks for, from its cursor on, over a network.
fn outflow(visit: &Visit, request: &Request, network: Network) -> Result<Outflow, HandshakeError> {
    Ok(Outflow::new(visit.log()?, visit.after(request.headers())?, network.path()))
}

/// An answer with all that is ready, a line each.
fn lines(outflow: &mut Outflow, account: Option<&Account>) -> Response {
    let mut body = String::new();
    while let Some(delivery) = outflow.ready() {
        let (text, _) = delivered(&delivery, account);
        body.push_str(&text);
        body.push('\n');
    }
    fresh(LINES, body)
}

/// A body that goes on until the client leaves or the server stops.
fn endless(
    visit: Visit,
    request: &Request,
    write: impl Fn(&str, Option<u64>) -> String + Send + 'static,
) -> Result<Body, HandshakeError> {
    let outflow = outflow(&visit, request, visit.network)?;
    let chunks = stream::unfold((visit, outflow, write), async |(visit, mut outflow, write)| {
        let delivery = tokio::select! {
            delivery = outflow.next() => delivery,
            () = visit.companion.everwire().draining() => return None,
        };
        let (text, seq) = delivered(&delivery, visit.account.as_deref());
        let chunk = Bytes::from(write(&text, seq));
        Some((Ok::<_, Infallible>(chunk), (visit, outflow, write)))
    });
    Ok(Body::from_stream(chunks))
}

/// What is written, with its number if it has one. Only a message is payload.
fn delivered<'d>(delivery: &'d Delivery, account: Option<&Account>) -> (Cow<'d, str>, Option<u64>) {
    match delivery {
        Delivery::Message(item) => {
            account.iter().for_each(|account| account.sent(item.text.len()));
            (Cow::Borrowed(&item.text), Some(item.seq))
        }
        Delivery::Beginning(beginning) => (Cow::Owned(beginning.text()), None),
    }
}

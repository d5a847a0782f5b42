use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep_until};

use super::log::Log;
use super::meter::{Account, Meter};
use super::source;
use crate::Everwire;
use crate::endpoints::Endpoint;
use crate::fault::{Faults, Network};
use crate::handshake;
use crate::handshake_error::HandshakeError;
use crate::limits::Permit;
use crate::metrics::DropReason;
use crate::query::Query;

/// A request to the lab that was let in: counted as a connection for as long as it lasts, and entered into its account.
pub(super) struct Visit {
    pub(super) everwire: Everwire,
    pub(super) query: Query,
    pub(super) account: Option<Arc<Account>>,
    pub(super) network: Network,
    address: Option<IpAddr>,
    /// Its place among the connections.
    _permit: Arc<Permit>,
}

impl Visit {
    /// Lets a request in under the conditions that hold for a WebSocket.
    pub(super) fn begin(everwire: &Everwire, request: &Request) -> Result<Self, HandshakeError> {
        if everwire.drain_state().has_started() {
            let sentence = "The server is stopping; come again in a few seconds.";
            return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::Draining, sentence));
        }
        handshake::check_origin(everwire, request)?;
        let query = Query::of(request.uri());
        let faults = handshake::faults(everwire, &query)?.unwrap_or_default();
        let network = network(&faults)?;
        let permit = handshake::admit(everwire, request)?;
        let account = bill(everwire, request, &query, false);
        Ok(Self {
            everwire: everwire.clone(),
            query,
            account,
            network,
            address: handshake::client_address(request),
            _permit: permit,
        })
    }

    /// What the client wants to read.
    pub(super) fn log(&self) -> Result<Arc<Log>, HandshakeError> {
        source::log(&self.everwire, &self.query, self.address)
    }

    /// The message that the client has read last.
    pub(super) fn after(&self, headers: &HeaderMap) -> Result<Option<u64>, HandshakeError> {
        // What a browser's EventSource says when it comes back.
        let told = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
        if told.is_some() {
            return Ok(told);
        }
        self.query.text("after").map(|_| self.query.number("after", 0..=u64::MAX, 0)).transpose()
    }

    /// Waits as long as one answer is under way in this network.
    pub(super) async fn travel(&self) {
        sleep_until(self.network.path().arrival(Instant::now())).await;
    }
}

/// Enters a request into the account that it names.
pub(super) fn bill(everwire: &Everwire, request: &Request, query: &Query, is_upgraded: bool) -> Option<Arc<Account>> {
    let account = everwire.lab().account(query.text("account")?)?;
    // Without a meter the routes are mounted in another server, and the account says that nothing was counted.
    if let Some(meter) = request.extensions().get::<Arc<Meter>>() {
        meter.bill(&account, is_upgraded);
    }
    Some(account)
}

fn network(faults: &Faults) -> Result<Network, HandshakeError> {
    if let Some(status) = faults.refuse {
        return Err(HandshakeError::new(status, DropReason::Fault, "Refused, as asked by the fault parameter."));
    }
    faults.network_alone().ok_or_else(|| {
        HandshakeError::bad_request(
            "Over HTTP there are the faults delay:MS, jitter:MS, loss:PERCENT and refuse:STATUS.",
        )
    })
}

/// An answer to a page, which may come from elsewhere: whoever may connect by WebSocket may read it.
pub(super) fn answer(
    origin: Option<HeaderValue>,
    answer: Result<Response, HandshakeError>,
    everwire: &Everwire,
) -> Response {
    let mut response = answer.unwrap_or_else(|error| {
        everwire.metrics().of(Endpoint::Lab).dropped(error.reason);
        error.into_response()
    });
    let is_forbidden = response.status() == StatusCode::FORBIDDEN;
    if let Some(origin) = origin.filter(|_| !is_forbidden) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// An answer that no cache may keep.
pub(super) fn fresh(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], body.into()).into_response()
}

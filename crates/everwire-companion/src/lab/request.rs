use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_server::{DropReason, HandshakeError, Permit, peer_address};
use tokio::time::{Instant, sleep_until};

use super::cache::is_name;
use super::feed::Selection;
use super::log::Log;
use super::meter::{Account, Meter};
use crate::companion::Companion;
use crate::cross_origin::readable_by;
use crate::fault::{Faults, Network};
use crate::protocol::{LAB, Parameters, STREAMS_FULL};
use crate::upgrade::{faults, refused};

/// The context of an admitted request to the lab, which counts as a connection while it lasts.
pub(super) struct RequestContext {
    pub(super) companion: Companion,
    pub(super) query: Parameters,
    pub(super) account: Option<Arc<Account>>,
    pub(super) network: Network,
    address: Option<IpAddr>,
    _permit: Permit,
}

impl RequestContext {
    /// Admits a request under the conditions of a WebSocket.
    pub(super) fn admit(companion: &Companion, request: &Parts) -> Result<Self, HandshakeError> {
        let everwire = companion.everwire();
        if everwire.is_draining() {
            let sentence = "The server is stopping; come again in a few seconds.";
            return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::Draining, sentence));
        }
        everwire.check_origin(request)?;
        let query = Parameters::of(&request.uri);
        let faults = faults(companion, &query)?.unwrap_or_default();
        let network = network(&faults)?;
        let permit = everwire.admit(request)?;
        let account = bill(companion, request.extensions.get(), &query, false);
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
    pub(super) fn log(&self) -> Result<Arc<Log>, HandshakeError> {
        log(&self.companion, &self.query, self.address)
    }

    /// The number of the last message that the client has read.
    pub(super) fn after(&self, headers: &HeaderMap) -> Result<Option<u64>, HandshakeError> {
        // Sent by the EventSource of a browser that reconnects.
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
        if last.is_some() {
            return Ok(last);
        }
        after(&self.query)
    }

    /// Waits for the latency of one response in this network.
    pub(super) async fn travel(&self) {
        sleep_until(self.network.path().arrival(Instant::now())).await;
    }
}

/// The log that a request reads: the answers to the calls of one client, or a feed.
pub(super) fn log(
    companion: &Companion,
    query: &Parameters,
    address: Option<IpAddr>,
) -> Result<Arc<Log>, HandshakeError> {
    match query.text("call") {
        Some(name) => calls(companion, name),
        None => companion.lab().feeds().log(companion, Selection::from_query(query)?, address),
    }
}

/// The number of the last message that a client has read, by the parameter `after`.
pub(super) fn after(query: &Parameters) -> Result<Option<u64>, HandshakeError> {
    query.text("after").map(|_| query.number("after", 0..=u64::MAX, 0)).transpose()
}

/// The log of a client's calls.
pub(super) fn calls(companion: &Companion, name: &str) -> Result<Arc<Log>, HandshakeError> {
    if !is_name(name) {
        return Err(HandshakeError::bad_request("`call` is a name of up to 40 letters, digits and hyphens."));
    }
    companion.lab().calls(name).ok_or_else(|| {
        let sentence = "As many clients make calls as may; try again in a minute.";
        HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, STREAMS_FULL, sentence)
    })
}

/// Assigns a request to the account that it names.
pub(super) fn bill(
    companion: &Companion,
    meter: Option<&Arc<Meter>>,
    query: &Parameters,
    is_upgraded: bool,
) -> Option<Arc<Account>> {
    let account = companion.lab().account(query.text("account")?)?;
    // Another server that has the routes has no meter, and the account stays at zero.
    if let Some(meter) = meter {
        meter.bill(&account, is_upgraded);
    }
    Some(account)
}

fn network(faults: &Faults) -> Result<Network, HandshakeError> {
    if let Some(status) = faults.refuse {
        return Err(refused(status));
    }
    faults.network_alone().ok_or_else(|| {
        HandshakeError::bad_request(
            "Over HTTP there are the faults delay:MS, jitter:MS, loss:PERCENT and refuse:STATUS.",
        )
    })
}

/// A response for a page, which may be of another origin. Pages that may connect by WebSocket may read it.
pub(super) fn answer(
    origin: Option<HeaderValue>,
    answer: Result<Response, HandshakeError>,
    companion: &Companion,
) -> Response {
    let response = answer.unwrap_or_else(|error| {
        companion.everwire().endpoint_metrics(LAB).record_drop(error.reason());
        error.into_response()
    });
    readable_by(origin, response)
}

/// A response that must not be cached.
pub(super) fn fresh(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], body.into()).into_response()
}

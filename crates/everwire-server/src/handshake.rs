use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, OriginalUri, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Everwire;
use crate::connection::{Connection, Direct, FramedTransport, OutboundQueue, ProtocolHandler, Tcp};
use crate::endpoints::{Endpoint, Opening};
use crate::fault::{Faults, GRAMMAR};
use crate::handshake_error::HandshakeError;
use crate::host::Host;
use crate::lab;
use crate::limits::{Full, Permit, Place};
use crate::metrics::DropReason;
use crate::origin::Foreign;
use crate::query::Query;
use crate::serve;
use crate::upgrade::Upgrade;

/// Answers a request to an endpoint: with a WebSocket, or with a sentence that says why not.
pub(crate) async fn answer(everwire: Everwire, endpoint: Endpoint, mut request: Request) -> Response {
    if !Upgrade::is_wanted(&request) {
        return match everwire.pages() {
            // A page of the application may have the same path as an endpoint.
            Some(pages) if wants_a_page(&request) => pages.index(&everwire, request).await,
            _ => {
                let sentence = format!("{} is a WebSocket; connect to it with ws: or wss:.", original_path(&request));
                HandshakeError::new(StatusCode::UPGRADE_REQUIRED, DropReason::BadRequest, sentence).into_response()
            }
        };
    }
    accept(&everwire, endpoint, &mut request).unwrap_or_else(|error| {
        tracing::debug!(endpoint = endpoint.path(), status = %error.status, error.message, "refused");
        everwire.metrics().of(endpoint).dropped(error.reason);
        error.into_response()
    })
}

fn accept(everwire: &Everwire, endpoint: Endpoint, request: &mut Request) -> Result<Response, HandshakeError> {
    if everwire.drain_state().has_started() {
        let sentence = "The server is stopping; connect again in a few seconds.";
        return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::Draining, sentence));
    }
    check_origin(everwire, request)?;
    let query = Query::of(request.uri());
    let faults = faults(everwire, &query)?;
    if let Some(status) = faults.as_ref().and_then(|faults| faults.refuse) {
        return Err(HandshakeError::new(status, DropReason::Fault, "Refused, as asked by the fault parameter."));
    }
    let upgrade = Upgrade::from_request(request)?;
    // First of all a place: what the endpoint prepares may be scarce too.
    let permit = admit(everwire, request)?;
    if endpoint == Endpoint::Lab {
        lab::bill_socket(everwire, request, &query);
    }
    let address = client_address(request);
    let opening = endpoint.prepare(everwire, &query, address)?;
    let held = everwire.drain_state().hold();

    let (response, upgraded) = upgrade.accept();
    let accepted = Accepted { everwire: everwire.clone(), address, endpoint, opening, faults };
    tokio::spawn(async move {
        let Ok(stream) = upgraded.await else { return };
        // The lab counts the bytes of its streams, so that these are not written to around it.
        let bare = if endpoint == Endpoint::Lab { Err(stream) } else { serve::bare_tcp(stream) };
        match bare {
            Ok((stream, unread)) => {
                let stream = Tcp::new(stream);
                // A fault acts on each message, so that none may go around the outbound queue.
                let direct = accepted.faults.is_none().then(|| stream.direct(&accepted.everwire, endpoint));
                accepted.serve(stream, unread, direct).await;
            }
            Err(stream) => accepted.serve(TokioIo::new(stream), Bytes::new(), None).await,
        }
        drop((permit, held));
    });
    Ok(response)
}

/// A connection that has everything but its stream.
struct Accepted {
    everwire: Everwire,
    address: Option<IpAddr>,
    endpoint: Endpoint,
    opening: Opening,
    faults: Option<Faults>,
}

impl Accepted {
    /// Serves the connection to its end; `direct` is the way around its outbound queue.
    async fn serve<S>(self, stream: S, unread: Bytes, direct: Option<Direct>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { everwire, address, endpoint, opening, faults } = self;
        let limits = &everwire.config().limits;
        let outbound = match direct {
            Some(direct) => OutboundQueue::with_direct(limits.backlog_bytes, direct),
            None => OutboundQueue::new(limits.backlog_bytes),
        };
        let outbound = Arc::new(outbound.charged(everwire.charge(address)));
        let transport = FramedTransport::new(stream, unread, &everwire, address);
        let handler = opening(&outbound);
        let protocol = ProtocolHandler::new(everwire.clone(), endpoint, handler, outbound, faults);
        Connection::new(transport, protocol).run().await;
    }
}

/// Whether the request names the server by a name that it has (RFC 9112 section 3.2), or by one that a page let lead here.
pub(crate) fn check_host(everwire: &Everwire, request: &Request) -> Result<(), HandshakeError> {
    let host = Host::of(request).map_err(|bad| HandshakeError::bad_request(bad.to_string()))?;
    let Some((host, port)) = host.filter(|(host, _)| !everwire.config().origins.may_call(host, request)) else {
        return Ok(());
    };
    let scheme = if everwire.config().tls.is_some() { "https" } else { "http" };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let sentence = format!(
        "On its own machine this server is called by an address or localhost, and not {host}; \
         start it with --allow-origin {scheme}://{host}{port}."
    );
    Err(HandshakeError::new(StatusCode::FORBIDDEN, DropReason::Origin, sentence))
}

pub(crate) fn check_origin(everwire: &Everwire, request: &Request) -> Result<(), HandshakeError> {
    let sentence = match everwire.config().origins.foreign(request) {
        None => return Ok(()),
        Some(Foreign::Unlisted(origin)) => {
            format!("Pages of {origin} may not connect; start the server with --allow-origin {origin}.")
        }
        Some(Foreign::Unreadable) => {
            "`Origin` holds something else than the origin of a page; leave it out.".to_owned()
        }
    };
    Err(HandshakeError::new(StatusCode::FORBIDDEN, DropReason::Origin, sentence))
}

/// The faults that a request asks for.
pub(crate) fn faults(everwire: &Everwire, query: &Query) -> Result<Option<Faults>, HandshakeError> {
    let Some(text) = query.text("fault") else { return Ok(None) };
    if !everwire.config().faults {
        return Err(HandshakeError::bad_request("Faults are off; start the server with --faults."));
    }
    match Faults::parse(text) {
        Some(faults) => Ok(Some(faults)),
        None => Err(HandshakeError::bad_request(format!("`fault={text}` is no fault. There are: {GRAMMAR}."))),
    }
}

/// The place that the request's connection took when it was accepted. Where the routes are part of another application, which
/// accepts by itself, the request takes one.
pub(crate) fn admit(everwire: &Everwire, request: &Request) -> Result<Arc<Permit>, HandshakeError> {
    let place = match request.extensions().get::<Place>() {
        Some(Place::Admitted(permit)) => Ok(Arc::clone(permit)),
        Some(Place::Refused { why, .. }) => Err(*why),
        None => everwire.admission().admit(client_address(request)).map(Arc::new),
    };
    place.map_err(|full| no_room(everwire, full))
}

/// Whether the request's connection is within the limits, for an answer that takes no place beside it.
pub(crate) fn check_place(everwire: &Everwire, request: &Request) -> Result<(), HandshakeError> {
    match request.extensions().get::<Place>() {
        Some(Place::Refused { why, .. }) => Err(no_room(everwire, *why)),
        _ => Ok(()),
    }
}

/// Takes a place among the open files.
pub(crate) fn open_file(everwire: &Everwire, request: &Request) -> Result<Arc<Permit>, HandshakeError> {
    let place = everwire.admission().open_file(client_address(request)).map(Arc::new);
    place.ok_or_else(|| {
        let sentence = "The server reads as many files as the system lets it; try again later.";
        HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::ServerFull, sentence)
    })
}

fn no_room(everwire: &Everwire, full: Full) -> HandshakeError {
    let most = everwire.admission();
    match full {
        Full::Server => HandshakeError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            DropReason::ServerFull,
            format!("The server holds {} connections, as many as it may; try again later.", most.connections()),
        ),
        Full::Address => HandshakeError::new(
            StatusCode::TOO_MANY_REQUESTS,
            DropReason::AddressFull,
            format!("Your address holds {} connections, as many as it may; close one.", most.connections_per_address()),
        ),
    }
}

pub(crate) fn client_address(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

/// The path as the client sent it, also below a path of the application that has the routes.
pub(crate) fn original_path(request: &Request) -> &str {
    let uri = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
    uri.path()
}

fn wants_a_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

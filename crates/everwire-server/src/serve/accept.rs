use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tower_service::Service;

use super::counting_stream::CountingStream;
use super::timeout_stream::{RequestProgress, TimeoutStream};
use crate::deadline::{DeadlineTimer, within};
use crate::lab::Meter;
use crate::limits::Place;
use crate::origin::ReachedBy;
use crate::{Everwire, Limits};

/// How long a connection over the limits may take for its one request, and to read that it is over them.
const REFUSAL: Duration = Duration::from_secs(5);

/// How a connection came.
#[derive(Clone)]
struct Arrival {
    at: Instant,
    from: SocketAddr,
    /// By which of the server's addresses, where the system tells.
    by: Option<ReachedBy>,
    place: Place,
}

/// Accepts connections for ever, each served by a task of its own.
pub(super) async fn connections(listener: &TcpListener, everwire: &Everwire) -> Infallible {
    let router = everwire.site();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                // Before anything is spent on it: an idle connection holds a descriptor like every other.
                let Some(place) = everwire.admission().accept(from.ip()) else {
                    everwire.metrics().connections_cut.add(1);
                    continue;
                };
                let by = stream.local_addr().ok().map(|own| ReachedBy(own.ip()));
                let arrival = Arrival { at: Instant::now(), from, by, place };
                tokio::spawn(connection(stream, arrival, router.clone(), everwire.clone()));
            }
            Err(error) => {
                // Most often all file handles are in use; without a pause the loop would spin until one is free.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, arrival: Arrival, router: Router, everwire: Everwire) {
    // Small messages must go out at once: latency is what a WebSocket is used for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut limits = everwire.config().limits.clone();
    if let Place::Refused { .. } = arrival.place {
        limits.handshake = limits.handshake.min(REFUSAL);
        limits.write = limits.write.min(REFUSAL);
    }
    let Some(tls) = everwire.config().tls.clone() else {
        return requests(stream, arrival, router, &everwire, &limits).await;
    };
    match within(limits.handshake, tls.accept(stream)).await {
        Some(Ok(stream)) => requests(stream, arrival, router, &everwire, &limits).await,
        Some(Err(error)) => tracing::debug!(%error, address = %arrival.from, "TLS handshake failed"),
        None => everwire.metrics().handshake_timeouts.add(1),
    }
}

/// Serves the HTTP requests of a connection. When one of them becomes a WebSocket this ends, and hyper's buffers
/// are freed; the WebSocket has a task of its own.
async fn requests<S>(stream: S, arrival: Arrival, router: Router, everwire: &Everwire, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Who is in the middle of a download gets some of the time in which the WebSockets are closed.
    let _held = everwire.drain_state().hold();
    let time_limit = limits.handshake;
    let (accepted, from) = (arrival.at, arrival.from);
    let is_refused = matches!(arrival.place, Place::Refused { .. });
    let progress = RequestProgress::default();
    let meter = Arc::<Meter>::default();
    let stream = TimeoutStream::new(CountingStream::new(stream, &meter), accepted, limits, &progress);
    let begun = progress.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        begun.begin();
        meter.next_request();
        request.extensions_mut().insert(Arc::clone(&meter));
        request.extensions_mut().insert(ConnectInfo(arrival.from));
        request.extensions_mut().insert(arrival.place.clone());
        if let Some(by) = arrival.by {
            request.extensions_mut().insert(by);
        }
        router.clone().call(request)
    });
    let mut http = http1::Builder::new();
    // The stream's time limit holds for the first request, and is answered when it is over; hyper's own, a little
    // longer, holds for the requests after it, and so for a connection that has none.
    http.keep_alive(!is_refused);
    http.timer(DeadlineTimer).header_read_timeout(time_limit + Duration::from_secs(1)).max_buf_size(32 << 10);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = everwire.drain_state().started() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    progress.end();
    if let Err(error) = served {
        tracing::debug!(%error, address = %from, "connection ended");
    }
    if accepted.elapsed() >= time_limit && !progress.has_begun() {
        everwire.metrics().handshake_timeouts.add(1);
    }
}

/// The TCP stream below a connection that was upgraded, and what was read from it too soon; or the connection as it
/// is, where something is between it and TCP that has to stay.
pub(crate) fn bare_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<TokioIo<TimeoutStream<CountingStream<TcpStream>>>>() {
        Ok(parts) => Ok((parts.io.into_inner().into_inner().into_inner(), parts.read_buf)),
        // Where the routes are part of another application, axum serves it.
        Err(upgraded) => upgraded.downcast::<TokioIo<TcpStream>>().map(|parts| (parts.io.into_inner(), parts.read_buf)),
    }
}

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
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service;

use super::metered::Metered;
use super::patience::{Arrival, Patience};
use crate::Everwire;
use crate::lab::Meter;

/// Accepts connections for ever, each served by a task of its own.
pub(super) async fn connections(listener: &TcpListener, everwire: &Everwire) -> Infallible {
    let router = everwire.router();
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                tokio::spawn(connection(stream, address, router.clone(), everwire.clone()));
            }
            Err(error) => {
                // Most often all file handles are in use; without a pause the loop would spin until one is free.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, router: Router, everwire: Everwire) {
    // Small messages must go out at once: latency is what a WebSocket is used for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let Some(tls) = everwire.config().tls.clone() else {
        return requests(stream, address, router, &everwire).await;
    };
    match timeout(everwire.config().limits.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, address, router, &everwire).await,
        Ok(Err(error)) => tracing::debug!(%error, %address, "TLS handshake failed"),
        Err(_) => everwire.metrics().handshake_timeouts.add(1),
    }
}

/// Serves the HTTP requests of a connection. When one of them becomes a WebSocket this ends, and hyper's buffers
/// are freed; the WebSocket has a task of its own.
async fn requests<S>(stream: S, address: SocketAddr, router: Router, everwire: &Everwire)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let accepted = Instant::now();
    let patience = everwire.config().limits.handshake;
    let arrival = Arrival::default();
    let meter = Arc::<Meter>::default();
    let stream = Patience::new(Metered::new(stream, &meter), &everwire.config().limits, &arrival);
    let arrived = arrival.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        arrived.tell();
        meter.next_request();
        request.extensions_mut().insert(Arc::clone(&meter));
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().call(request)
    });
    let mut http = http1::Builder::new();
    // The first request has the patience of the stream, which answers when it is over; hyper's own, a little
    // longer, holds for the requests after it.
    http.timer(TokioTimer::new()).header_read_timeout(patience + Duration::from_secs(1)).max_buf_size(32 << 10);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = everwire.drain_state().started() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, %address, "connection ended");
    }
    if accepted.elapsed() >= patience && !arrival.has_happened() {
        everwire.metrics().handshake_timeouts.add(1);
    }
}

/// The TCP stream below a connection that was upgraded, and what was read from it too soon; or the connection as it
/// is, where something is between it and TCP that has to stay.
pub(crate) fn bare_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<TokioIo<Patience<Metered<TcpStream>>>>() {
        Ok(parts) => Ok((parts.io.into_inner().into_inner().into_inner(), parts.read_buf)),
        // Where the routes are part of another application, axum serves it.
        Err(upgraded) => upgraded.downcast::<TokioIo<TcpStream>>().map(|parts| (parts.io.into_inner(), parts.read_buf)),
    }
}

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tower_service::Service;

#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::deadline::DeadlineTimer;
#[cfg(feature = "tls")]
use crate::deadline::within;
use crate::everwire::Everwire;
use crate::limits::{Limits, Place};
use crate::origin::ReachedBy;
use crate::stream::{ObservedStream, RequestProgress, StreamObserver, TimeoutStream};

/// Time limit for the one request of a connection over the limits, and for reading its refusal.
const REFUSAL: Duration = Duration::from_secs(5);

/// Connections that are accepted before others get their turn. When thousands of clients reconnect together, all of them would be ready
/// at once, and the messages of open connections would wait behind them.
const ACCEPTS_PER_YIELD: usize = 8;

/// How a connection was accepted.
#[derive(Clone)]
struct Arrival {
    at: Instant,
    from: SocketAddr,
    /// The server's address that the client connected to, if the system reports it.
    by: Option<ReachedBy>,
    place: Place,
}

/// The accept loop's state, shared by all connections.
#[derive(Clone)]
pub(super) struct AcceptLoop {
    pub(super) app: Router,
    pub(super) everwire: Everwire,
    pub(super) observe: Option<Arc<dyn Fn() -> Arc<dyn StreamObserver> + Send + Sync>>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
}

impl AcceptLoop {
    /// Accepts connections for ever and serves each in a task of its own. It has to be a task itself: a future that the runtime blocks on
    /// has a thread of its own, and accepts whatever the workers do.
    pub(super) async fn run(self, listener: TcpListener) -> Infallible {
        let mut accepted = 0;
        loop {
            if accepted == ACCEPTS_PER_YIELD {
                accepted = 0;
                yield_now().await;
            }
            match listener.accept().await {
                Ok((stream, from)) => {
                    // Counted first of all: an idle connection holds a descriptor as well.
                    let Some(place) = self.everwire.admission().accept(from.ip()) else {
                        self.everwire.metrics().connections_cut.add(1);
                        continue;
                    };
                    let by = stream.local_addr().ok();
                    let by = by.map(|own| ReachedBy { address: own.ip(), is_tls: self.is_tls() });
                    let arrival = Arrival { at: Instant::now(), from, by, place };
                    tokio::spawn(self.clone().connection(stream, arrival));
                    accepted += 1;
                }
                Err(error) => {
                    // Usually all descriptors are in use; without a pause, the loop would spin until one is free.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, arrival: Arrival) {
        // Small messages must go out at once: latency is what a WebSocket is used for.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let mut limits = self.everwire.limits().clone();
        if let Place::Refused { .. } = arrival.place {
            limits.handshake = limits.handshake.min(REFUSAL);
            limits.response = limits.response.min(REFUSAL);
        }
        let Self { app, everwire, observe, .. } = &self;
        let observer = observe.as_ref().map(|observe| observe());
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return match within(limits.handshake, tls.accept(stream)).await {
                Some(Ok(stream)) => requests(stream, arrival, app.clone(), everwire, &limits, observer).await,
                Some(Err(error)) => tracing::debug!(%error, address = %arrival.from, "TLS handshake failed"),
                None => everwire.metrics().handshake_timeouts.add(1),
            };
        }
        requests(stream, arrival, app.clone(), everwire, &limits, observer).await;
    }

    fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }
}

/// Serves the HTTP requests of a connection. It returns when a request becomes a WebSocket, which frees hyper's buffers; the WebSocket
/// has a task of its own.
async fn requests<S>(
    stream: S,
    arrival: Arrival,
    app: Router,
    everwire: &Everwire,
    limits: &Limits,
    observer: Option<Arc<dyn StreamObserver>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // A download that is running gets some of the time in which the WebSockets close.
    let _held = everwire.drain_state().hold();
    let time_limit = limits.handshake;
    let (accepted, from) = (arrival.at, arrival.from);
    let is_refused = matches!(arrival.place, Place::Refused { .. });
    let progress = RequestProgress::default();
    let stream = TimeoutStream::new(ObservedStream::new(stream, observer.clone()), accepted, limits, &progress);
    let begun = progress.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        begun.begin();
        if let Some(observer) = &observer {
            Arc::clone(observer).on_request(request.extensions_mut());
        }
        request.extensions_mut().insert(ConnectInfo(arrival.from));
        request.extensions_mut().insert(arrival.place.clone());
        if let Some(by) = arrival.by {
            request.extensions_mut().insert(by);
        }
        app.clone().call(request)
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

//! Accepts connections, with or without TLS, until the server stops.

use std::convert::Infallible;
use std::net::{self, SocketAddr};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service;

use crate::admission::AdmissionOutcome;
use crate::everwire::Everwire;
use crate::limits::Limits;
use crate::origin::LocalAddress;
use crate::stream::{ObservedStream, RequestProgress, StreamObserver, TimeoutStream};
use crate::time::DeadlineTimer;
#[cfg(feature = "tls")]
use crate::time::within;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// The length of the system's queue of connections that are not accepted yet. Thousands of clients that reconnect together must not be
/// refused by a short queue. The system may lower it.
const BACKLOG: i32 = 4096;

/// Time limit for the one request of a connection over the limits, and for reading its refusal.
const REFUSAL: Duration = Duration::from_secs(5);

/// Connections that are accepted between two yields. When thousands of clients reconnect together, all of them would be ready at once,
/// and the messages of open connections would wait behind them.
const ACCEPTS_PER_YIELD: usize = 8;

/// Where and how a [`Server`] listens.
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until a server is bound with it"]
pub struct ServerConfig {
    listen: SocketAddr,
    reuse_port: bool,
    drain: Duration,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl ServerConfig {
    /// Listens on this address, without TLS; port 0 takes a free one.
    pub fn new(listen: impl Into<SocketAddr>) -> Self {
        Self {
            listen: listen.into(),
            reuse_port: false,
            drain: Duration::from_secs(5),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Whether other servers on this machine may listen on the same address; the system distributes connections among them.
    /// [`Server::bind`] fails on systems that cannot do that.
    pub fn reuse_port(mut self, reuse_port: bool) -> Self {
        self.reuse_port = reuse_port;
        self
    }

    /// The period over which WebSockets are closed, and clients of channels leave, when the server stops. The default is 5 s.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// Serves `https` and `wss` only.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Binds the address and listens, without a server: for a process that hands the socket to another one, which serves it by
    /// [`Server::with_listener`]. While no process serves it, clients wait in its queue.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn bind(&self) -> io::Result<net::TcpListener> {
        let socket = Socket::new(Domain::for_address(self.listen), Type::STREAM, Some(Protocol::TCP))?;
        // Otherwise a restarted server could not bind until its old connections have timed out. Windows does not need this, and
        // would let other programs share the port.
        socket.set_reuse_address(cfg!(unix))?;
        if self.reuse_port {
            share_port(&socket)?;
        }
        socket.bind(&self.listen.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }
}

/// Makes the observer of a connection.
type MakeObserver = Arc<dyn Fn() -> Arc<dyn StreamObserver> + Send + Sync>;

/// An accept loop for an axum application, bound to its port.
///
/// Unlike [`axum::serve()`], it counts a connection against the [`Limits`] when it accepts it, limits the time of
/// requests and responses, and closes WebSockets one after another when it stops.
///
/// ```
/// use axum::Router;
/// use everwire_server::{Everwire, Server, ServerConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let everwire = Everwire::default();
/// let app = Router::new().merge(everwire.probes());
/// let server = Server::bind(&everwire, ServerConfig::new(([127, 0, 0, 1], 0))).await?.start(app);
/// println!("its health is at http://{}/healthz", server.local_addr());
/// server.stop().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "a server serves nothing until it is run or started"]
pub struct Server {
    listener: TcpListener,
    everwire: Everwire,
    config: ServerConfig,
    observe: Option<MakeObserver>,
}

/// A server that runs in the background. Dropping it leaves it running; [`stop`](Self::stop) stops it.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds the port. Clients can connect from now on, and are served once the server runs.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(everwire: &Everwire, config: ServerConfig) -> io::Result<Self> {
        let listener = config.bind()?;
        Self::with_listener(everwire, listener, config).await
    }

    /// Serves a listening socket that another process or program has bound, such as a supervisor. The address of the configuration is
    /// not used.
    ///
    /// ```
    /// use axum::Router;
    /// use everwire_server::{Everwire, Server, ServerConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let config = ServerConfig::new(([127, 0, 0, 1], 0));
    /// let listener = config.bind()?;
    /// // One server replaces the other, and no client is refused meanwhile.
    /// for _ in 0..2 {
    ///     let everwire = Everwire::default();
    ///     let app = Router::new().merge(everwire.probes());
    ///     let server = Server::with_listener(&everwire, listener.try_clone()?, config.clone()).await?.start(app);
    ///     server.stop().await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the runtime cannot watch the socket.
    pub async fn with_listener(
        everwire: &Everwire,
        listener: net::TcpListener,
        config: ServerConfig,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        // Checked here, so that `local_addr` cannot fail later.
        listener.local_addr()?;
        let (possible, configured) = (everwire.admission().connections(), everwire.limits().connections);
        if possible < configured {
            tracing::warn!(
                "holds {possible} connections instead of {configured}: the system permits too few open files (`ulimit -n`)"
            );
        }
        Ok(Self { listener, everwire: everwire.clone(), config, observe: None })
    }

    /// Creates an observer for each accepted connection.
    pub fn observe(mut self, make: impl Fn() -> Arc<dyn StreamObserver> + Send + Sync + 'static) -> Self {
        self.observe = Some(Arc::new(make));
        self
    }

    /// The address of the listener, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("a listening socket has an address")
    }

    /// The address to open in a browser.
    pub fn url(&self) -> String {
        let scheme = if self.config.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.local_addr())
    }

    /// Serves the application until `stop` completes, then accepts no more connections, [drains](Everwire::drain) over
    /// [`ServerConfig::drain`], and returns.
    pub async fn run_until(self, app: Router, stop: impl Future<Output = ()>) {
        let Self { listener, everwire, config, observe } = self;
        let accept = AcceptLoop {
            app,
            everwire: everwire.clone(),
            observe,
            #[cfg(feature = "tls")]
            tls: config.tls,
        };
        let mut accepting = AbortOnDropHandle::new(tokio::spawn(accept.run(listener)));
        tokio::select! {
            // It ends only with the runtime, or by a panic.
            Err(error) = &mut accepting => {
                if let Ok(panic) = error.try_into_panic() {
                    resume_unwind(panic);
                }
                return;
            }
            () = stop => {}
        }
        accepting.abort();
        // The listener is dropped then.
        let _ = accepting.await;
        everwire.drain(config.drain).await;
    }

    /// Serves the application in the background.
    pub fn start(self, app: Router) -> RunningServer {
        let address = self.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(self.run_until(app, async move {
            // Only a message stops the server. If the handle is dropped, it runs for as long as the runtime.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        RunningServer { address, stop, task }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).field("config", &self.config).finish_non_exhaustive()
    }
}

impl RunningServer {
    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Drains the server and returns when it has ended.
    pub async fn stop(self) {
        // The only error is that the server has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot share a port between servers"))
}

/// How a connection was accepted.
#[derive(Clone)]
struct AcceptedConnection {
    at: Instant,
    peer: SocketAddr,
    /// The server's address that the client connected to, if the system reports it.
    local: Option<LocalAddress>,
    admission: AdmissionOutcome,
}

/// The accept loop's state, shared by all connections.
#[derive(Clone)]
struct AcceptLoop {
    app: Router,
    everwire: Everwire,
    observe: Option<MakeObserver>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl AcceptLoop {
    /// Accepts connections forever, and spawns a task for each. It must run in a task itself: a future that the runtime blocks on has a
    /// thread of its own, and would accept connections however busy the workers are.
    async fn run(self, listener: TcpListener) -> Infallible {
        let mut accepted = 0;
        loop {
            if accepted == ACCEPTS_PER_YIELD {
                accepted = 0;
                yield_now().await;
            }
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Counted first of all: an idle connection holds a descriptor as well.
                    let Some(admission) = self.everwire.admission().accept(peer.ip()) else {
                        self.everwire.metrics().connections_cut.add(1);
                        continue;
                    };
                    let local = stream.local_addr().ok();
                    let local = local.map(|own| LocalAddress { address: own.ip(), is_tls: self.is_tls() });
                    let connection = AcceptedConnection { at: Instant::now(), peer, local, admission };
                    tokio::spawn(self.clone().serve(stream, connection));
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

    async fn serve(self, stream: TcpStream, connection: AcceptedConnection) {
        // Small messages must go out at once: latency is what a WebSocket is used for.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let mut limits = self.everwire.limits().clone();
        if let AdmissionOutcome::Refused { .. } = connection.admission {
            limits.handshake = limits.handshake.min(REFUSAL);
            limits.response = limits.response.min(REFUSAL);
        }
        let Self { app, everwire, observe, .. } = &self;
        let observer = observe.as_ref().map(|observe| observe());
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return match within(limits.handshake, tls.accept(stream)).await {
                Some(Ok(stream)) => serve_requests(stream, connection, app.clone(), everwire, &limits, observer).await,
                Some(Err(error)) => tracing::debug!(%error, address = %connection.peer, "TLS handshake failed"),
                None => everwire.metrics().handshake_timeouts.add(1),
            };
        }
        serve_requests(stream, connection, app.clone(), everwire, &limits, observer).await;
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
async fn serve_requests<S>(
    stream: S,
    connection: AcceptedConnection,
    app: Router,
    everwire: &Everwire,
    limits: &Limits,
    observer: Option<Arc<dyn StreamObserver>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // A running download gets some of the time in which the WebSockets close.
    let _held = everwire.drain_state().hold();
    let time_limit = limits.handshake;
    let (accepted, peer) = (connection.at, connection.peer);
    let is_refused = matches!(connection.admission, AdmissionOutcome::Refused { .. });
    let progress = RequestProgress::default();
    let stream = TimeoutStream::new(ObservedStream::new(stream, observer.clone()), accepted, limits, &progress);
    let begun = progress.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        begun.begin();
        if let Some(observer) = &observer {
            Arc::clone(observer).on_request(request.extensions_mut());
        }
        request.extensions_mut().insert(ConnectInfo(connection.peer));
        request.extensions_mut().insert(connection.admission.clone());
        if let Some(local) = connection.local {
            request.extensions_mut().insert(local);
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
        tracing::debug!(%error, address = %peer, "connection ended");
    }
    if accepted.elapsed() >= time_limit && !progress.has_begun() {
        everwire.metrics().handshake_timeouts.add(1);
    }
}

/// Listens for the signals that stop a process: Ctrl-C, and on Unix also SIGTERM and SIGHUP (the end of its terminal).
///
/// Once this exists, these signals no longer end the process. Create it before the server announces that it is ready: an earlier
/// signal would end the process without closing its sockets.
#[derive(Debug)]
pub struct StopSignal {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    /// `None` if the process was started to outlive its terminal (`nohup`).
    #[cfg(unix)]
    hangup: Option<Signal>,
    #[cfg(windows)]
    interrupt: CtrlC,
}

impl StopSignal {
    /// Installs the signal handlers.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
            #[cfg(windows)]
            interrupt: ctrl_c()?,
        })
    }

    /// Waits for the next signal.
    pub async fn received(&mut self) {
        #[cfg(unix)]
        {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = hangup => {}
            }
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }

    /// Waits for the next signal that asks to stop at once. SIGHUP does not count: the system and the shell each send one
    /// when a terminal ends, and some supervisors send one right after SIGTERM.
    pub async fn received_again(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}

/// Whether the process was started with SIGHUP ignored, as by `nohup`. Only Linux reports this in a file; on other systems the
/// server stops with its terminal in any case.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    ignored & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0
}

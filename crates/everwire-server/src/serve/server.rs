use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::accept::AcceptLoop;
#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::everwire::Everwire;
use crate::stream::StreamObserver;

/// The length of the system's queue of connections that are not accepted yet. Thousands of clients that reconnect together must not be
/// refused by a short queue. The system may lower it.
const BACKLOG: i32 = 4096;

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

/// An accept loop for an axum application, bound to its port.
///
/// Unlike [`axum::serve()`], it counts a connection against the [`Limits`](crate::Limits) when it accepts it, limits the time of
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
    observe: Option<Observe>,
}

/// Makes the observer of a connection.
type Observe = Arc<dyn Fn() -> Arc<dyn StreamObserver> + Send + Sync>;

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
        // Its address is read without an error later.
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
            // Only a runtime that ends or a panic ends it.
            Err(error) = &mut accepting => {
                if let Ok(panic) = error.try_into_panic() {
                    resume_unwind(panic);
                }
                return;
            }
            () = stop => {}
        }
        accepting.abort();
        // It has dropped the listener then.
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

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot share a port between servers"))
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

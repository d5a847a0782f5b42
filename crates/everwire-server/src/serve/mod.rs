//! Accepting connections, with or without TLS, until the server is told to stop.

mod accept;
mod counting_stream;
mod signal;
mod timeout_stream;
mod tls;

pub(crate) use accept::bare_tcp;
pub use signal::StopSignal;
pub use tls::{Tls, TlsError};

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Config, Everwire};

/// Handshakes that the system holds for us. Thousands of clients that return together must not be turned away by a
/// short queue; the system may allow less.
const BACKLOG: u32 = 4096;

/// A server that has its port.
#[derive(Debug)]
#[must_use = "a server serves nobody until it is run or started"]
pub struct Server {
    listener: TcpListener,
    everwire: Everwire,
}

/// A server that runs in the background. Dropping it leaves it running; [`stop`](Self::stop) stops it.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    everwire: Everwire,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Takes the port of [`Config::listen`]; from here on clients can connect, and wait.
    pub async fn bind(config: Config) -> io::Result<Self> {
        let socket = if config.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that is started again must not wait for its old connections to time out. Windows does not make it wait,
        // and takes this for leave to share the port.
        socket.set_reuseaddr(cfg!(unix))?;
        if config.reuse_port {
            share_port(&socket)?;
        }
        socket.bind(config.listen)?;
        let listener = socket.listen(BACKLOG)?;
        let everwire = Everwire::new(config);
        let (most, asked) = (everwire.admission().connections(), everwire.config().limits.connections);
        if most < asked {
            tracing::warn!(
                "holds {most} connections instead of {asked}: the system lets it open too few files (`ulimit -n`)"
            );
        }
        everwire.files().remove_leftovers();
        Ok(Self { listener, everwire })
    }

    /// Where the server listens, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("a listening socket has an address")
    }

    /// The address to open in a browser.
    pub fn url(&self) -> String {
        let scheme = if self.everwire.config().tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.local_addr())
    }

    /// Serves until `stop` completes, then drains: accepts nobody more, closes every socket with 1001 within
    /// [`Config::drain`], and returns.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let Self { listener, everwire } = self;
        tokio::select! {
            never = accept::connections(&listener, &everwire) => match never {},
            () = stop => {}
        }
        drop(listener);
        everwire.drain(everwire.config().drain).await;
        everwire.files().close();
    }

    /// Runs the server in the background.
    pub fn start(self) -> RunningServer {
        let (address, everwire) = (self.local_addr(), self.everwire.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(self.run_until(async move {
            // Only a message stops it: without a handle it runs as long as the runtime.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        RunningServer { address, everwire, stop, task }
    }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share_port(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseport(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
fn share_port(_: &TcpSocket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot share a port between servers"))
}

impl RunningServer {
    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The state behind its routes.
    pub fn everwire(&self) -> &Everwire {
        &self.everwire
    }

    /// Drains the server and returns when it has ended.
    pub async fn stop(self) {
        // The only error is that the server has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

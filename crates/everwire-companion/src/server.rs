use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use everwire_server::Server as AcceptLoop;
use everwire_server::broker::JournalError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::channels;
use crate::companion::Companion;
use crate::config::Config;
use crate::lab::StreamMeter;

/// A companion server, bound to its port.
#[derive(Debug)]
#[must_use = "a server serves nothing until it is run or started"]
pub struct Server {
    accept_loop: AcceptLoop,
    companion: Companion,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system reported.
        source: io::Error,
    },
    /// `--supervise`: the process that is to serve.
    #[error("cannot start a worker process: {0}")]
    Supervise(io::Error),
    /// `--worker`: there is no socket from a supervisor.
    #[error("no supervisor has started this process: {0}; use --supervise")]
    Worker(io::Error),
    /// `--journal`.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The key of the visitors' tokens cannot be kept in the folder of the journal.
    #[error("cannot keep the key of tokens in {}: {source}", .path.display())]
    TokenKey {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// The system has no random numbers for keys.
    #[error("cannot make a key for tokens: {0}")]
    Random(io::Error),
}

/// A server that runs in the background. Dropping it leaves it running; [`stop`](Self::stop) stops it.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    companion: Companion,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds [`Config::listen`]. Clients can connect from now on, and are served once the server runs.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let address = config.listen;
        let listener = config.server().bind().map_err(|source| StartError::Listen { address, source })?;
        Self::with_listener(config, listener).await
    }

    /// Serves a listening socket that another process has bound.
    pub async fn with_listener(config: Config, listener: TcpListener) -> Result<Self, StartError> {
        let (address, server) = (config.listen, config.server());
        let companion = Companion::new(config)?;
        let accept_loop = AcceptLoop::with_listener(companion.everwire(), listener, server).await;
        let accept_loop = accept_loop.map_err(|source| StartError::Listen { address, source })?;
        companion.files().remove_leftovers();
        Ok(Self { accept_loop: accept_loop.observe(|| Arc::new(StreamMeter::default())), companion })
    }

    /// The address of the listener, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.accept_loop.local_addr()
    }

    /// The address to open in a browser.
    pub fn url(&self) -> String {
        self.accept_loop.url()
    }

    /// Serves until `stop` completes, then drains and returns.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let Self { accept_loop, companion } = self;
        channels::start(&companion);
        accept_loop.run_until(companion.router(), stop).await;
        companion.tasks_ended().await;
        companion.files().close();
    }

    /// Runs the server in the background.
    pub fn start(self) -> RunningServer {
        let (address, companion) = (self.local_addr(), self.companion.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(self.run_until(async move {
            // Only a message stops the server. If the handle is dropped, it runs for as long as the runtime.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        RunningServer { address, companion, stop, task }
    }
}

impl RunningServer {
    /// The address of the listener.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The state behind its routes.
    pub fn companion(&self) -> &Companion {
        &self.companion
    }

    /// Drains the server and returns when it has ended.
    pub async fn stop(self) {
        // The only error is that the server has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

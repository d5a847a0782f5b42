//! A TCP proxy whose connections can be cut, reset, stalled and slowed down.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, sink};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

/// The most bytes that the proxy itself holds of a connection, in each direction.
const BUFFER_BYTES: usize = 16 << 10;

/// A proxy between clients and a server. Dropping it breaks every connection.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<SocketAddr>,
    refuses: AtomicBool,
    connections: Mutex<Vec<ProxiedConnection>>,
}

/// A connection between a client and the server. A clone is the same connection.
#[derive(Clone, Debug)]
pub struct ProxiedConnection(Arc<Control>);

#[derive(Debug)]
struct Control {
    to_server: watch::Sender<Flow>,
    to_client: watch::Sender<Flow>,
    end: Mutex<Option<oneshot::Sender<Sides>>>,
}

/// How a connection ends towards its client and towards its server.
#[derive(Clone, Copy, Debug)]
struct Sides {
    client: End,
    server: End,
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How bytes pass in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// At once.
    Open,
    /// Not at all: they wait, first in the proxy and then at the sender.
    Stalled,
    /// In pieces, with a pause after each.
    Slow {
        /// The bytes of a piece, at least 1.
        bytes: usize,
        /// The pause after it.
        pause: Duration,
    },
}

/// How a connection ends on one of its sides. Bytes that have not arrived there are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// FIN: the end of the stream.
    Finished,
    /// RST: an error.
    Reset,
    /// Nothing: the connection is half-open, and the peer's bytes are discarded until it ends the connection by itself.
    Silent,
}

impl TcpProxy {
    /// Listens on a free port of the loopback interface, and passes each connection on to a server.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            refuses: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, accepting })
    }

    /// The address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects new connections to another server.
    pub fn set_target(&self, target: SocketAddr) {
        *lock(&self.shared.target) = target;
    }

    /// Sets whether new connections are reset.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::Relaxed);
    }

    /// The open connections, the oldest first.
    pub fn connections(&self) -> Vec<ProxiedConnection> {
        lock(&self.shared.connections).clone()
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ProxiedConnection {
    /// Changes how bytes pass in one direction.
    pub fn set_flow(&self, direction: Direction, flow: Flow) {
        let Control { to_server, to_client, .. } = &*self.0;
        let sender = if direction == Direction::ToServer { to_server } else { to_client };
        sender.send_replace(flow);
    }

    /// Changes how bytes pass in both directions.
    pub fn set_flows(&self, flow: Flow) {
        self.set_flow(Direction::ToServer, flow);
        self.set_flow(Direction::ToClient, flow);
    }

    /// Ends the connection. Returns whether it was open.
    pub fn end(&self, client: End, server: End) -> bool {
        let end = lock(&self.0.end).take();
        end.is_some_and(|end| end.send(Sides { client, server }).is_ok())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    loop {
        // A connection that cannot be accepted was given up by its client.
        let Ok((client, _)) = listener.accept().await else { continue };
        while tasks.try_join_next().is_some() {}
        if shared.refuses.load(Ordering::Relaxed) {
            reset(client);
        } else {
            tasks.spawn(carry(client, Arc::clone(&shared)));
        }
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let target = *lock(&shared.target);
    let Ok(mut server) = TcpStream::connect(target).await else { return reset(client) };
    // Nagle's delay would be a fault that no test wants. The call fails on a broken connection, which the next read detects.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (end, mut ended) = oneshot::channel();
    let (to_server, up) = watch::channel(Flow::Open);
    let (to_client, down) = watch::channel(Flow::Open);
    let control = Arc::new(Control { to_server, to_client, end: Mutex::new(Some(end)) });
    lock(&shared.connections).push(ProxiedConnection(Arc::clone(&control)));
    let sides = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            passed = async { tokio::try_join!(pump(from_client, to_server, up), pump(from_server, to_client, down)) } => {
                // A broken stream breaks the other one. If both have ended, there is nothing left to reset.
                passed.err().map(|_| Sides { client: End::Reset, server: End::Reset })
            }
            sides = &mut ended => sides.ok(),
        }
    };
    lock(&shared.connections).retain(|other| !Arc::ptr_eq(&other.0, &control));
    if let Some(Sides { client: to_client, server: to_server }) = sides {
        tokio::join!(finish(client, to_client), finish(server, to_server));
    }
}

/// Passes bytes on until the stream ends.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut flow: watch::Receiver<Flow>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let size = from.read(&mut buffer).await?;
        let mut rest = &buffer[..size];
        loop {
            // The sender lives as long as the connection.
            let passes = flow.wait_for(|flow| *flow != Flow::Stalled).await.map_or(Flow::Open, |flow| *flow);
            if rest.is_empty() {
                break;
            }
            let (bytes, pause) = match passes {
                Flow::Slow { bytes, pause } => (bytes.max(1), pause),
                Flow::Open | Flow::Stalled => (rest.len(), Duration::ZERO),
            };
            let written = to.write(&rest[..bytes.min(rest.len())]).await?;
            rest = &rest[written..];
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        if size == 0 {
            return to.shutdown().await;
        }
    }
}

/// Ends one side of a connection.
async fn finish(mut stream: TcpStream, end: End) {
    match end {
        End::Reset => return reset(stream),
        // Fails if the peer has ended the connection, which is the purpose.
        End::Finished => drop(stream.shutdown().await),
        End::Silent => {}
    }
    // Dropping a stream with unread bytes would reset it.
    let _ = tokio::io::copy(&mut stream, &mut sink()).await;
}

fn reset(stream: TcpStream) {
    // Fails if the connection is broken already.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::TIMEOUT;

    /// A client and its server, joined by a proxy.
    async fn pair() -> (TcpProxy, TcpStream, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = TcpProxy::start(server.local_addr().unwrap()).await.unwrap();
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        let (server, _) = timeout(TIMEOUT, server.accept()).await.unwrap().unwrap();
        (proxy, client, server)
    }

    async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 100];
        let size = timeout(TIMEOUT, stream.read(&mut buffer)).await.expect("something to read in time")?;
        Ok(buffer[..size].to_vec())
    }

    /// The only connection. The server may have accepted it before the proxy lists it.
    async fn connection(proxy: &TcpProxy) -> ProxiedConnection {
        loop {
            match proxy.connections().pop() {
                Some(connection) => return connection,
                None => tokio::task::yield_now().await,
            }
        }
    }

    #[tokio::test]
    async fn bytes_and_the_end_pass_in_both_directions() {
        let (proxy, mut client, mut server) = pair().await;
        client.write_all(b"hello").await.unwrap();
        assert_eq!(read(&mut server).await.unwrap(), b"hello");
        server.write_all(b"welcome").await.unwrap();
        assert_eq!(read(&mut client).await.unwrap(), b"welcome");
        client.shutdown().await.unwrap();
        assert_eq!(read(&mut server).await.unwrap(), b"");
        server.write_all(b"bye").await.unwrap();
        assert_eq!(read(&mut client).await.unwrap(), b"bye");
        drop(server);
        assert_eq!(read(&mut client).await.unwrap(), b"");
        while !proxy.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_side_is_finished_or_reset_or_does_not_see_the_end() {
        for (client_end, server_end) in [(End::Finished, End::Reset), (End::Reset, End::Silent)] {
            let (proxy, mut client, mut server) = pair().await;
            let connection = connection(&proxy).await;
            connection.set_flow(Direction::ToServer, Flow::Stalled);
            // What is not read yet must not turn a FIN into a RST.
            client.write_all(b"lost").await.unwrap();
            assert!(connection.end(client_end, server_end));
            assert!(!connection.end(client_end, server_end));
            match read(&mut client).await {
                Ok(end) => assert_eq!((end, client_end), (vec![], End::Finished)),
                Err(error) => assert_eq!((error.kind(), client_end), (io::ErrorKind::ConnectionReset, End::Reset)),
            }
            match server_end {
                End::Silent => {
                    server.write_all(b"into the void").await.unwrap();
                    assert_eq!(server.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
                }
                _ => assert_eq!(read(&mut server).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset),
            }
        }
    }

    #[tokio::test]
    async fn a_stalled_direction_holds_its_bytes_and_the_other_one_passes() {
        let (proxy, mut client, mut server) = pair().await;
        let connection = connection(&proxy).await;
        connection.set_flow(Direction::ToServer, Flow::Stalled);
        client.write_all(b"late").await.unwrap();
        server.write_all(b"in time").await.unwrap();
        assert_eq!(read(&mut client).await.unwrap(), b"in time");
        assert_eq!(server.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        connection.set_flow(Direction::ToServer, Flow::Slow { bytes: 3, pause: Duration::from_millis(1) });
        let mut read_all = [0; 4];
        timeout(TIMEOUT, server.read_exact(&mut read_all)).await.unwrap().unwrap();
        assert_eq!(&read_all, b"late");
    }

    #[tokio::test]
    async fn new_connections_are_reset_while_they_are_refused_and_lead_to_the_target_of_their_time() {
        let (proxy, _client, _server) = pair().await;
        proxy.refuse(true);
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(read(&mut refused).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        proxy.refuse(false);
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        proxy.set_target(other.local_addr().unwrap());
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let (mut other, _) = timeout(TIMEOUT, other.accept()).await.unwrap().unwrap();
        assert_eq!(read(&mut other).await.unwrap(), b"hello");
    }
}

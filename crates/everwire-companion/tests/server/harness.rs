use std::net::SocketAddr;
use std::time::Duration;

use everwire_companion::{Config, RunningServer, Server};
#[cfg(unix)]
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::client::Client;

/// How long a test waits for what must happen before it fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A server on a free port.
pub(crate) struct Harness {
    pub(crate) server: RunningServer,
}

impl Harness {
    /// Starts a server with the configuration that `change` makes of the default one.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), drain: Duration::ZERO, ..Config::default() };
        change(&mut config);
        Self { server: Server::bind(config).await.unwrap().start() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) async fn client(&self, path: &str) -> Client {
        Client::connect(self.address(), path).await
    }

    /// The HTTP status and the body that answer a handshake which is refused.
    pub(crate) async fn refusal(&self, path: &str) -> (u16, String) {
        Client::try_connect(self.address(), path, &[]).await.err().expect("the handshake must be refused")
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        http(self.address(), path, "").await
    }

    /// Connects as soon as the server has noticed that a place is free.
    pub(crate) async fn becomes_free(&self) {
        let connect = async { while Client::try_connect(self.address(), "/echo", &[]).await.is_err() {} };
        timeout(TIMEOUT, connect).await.expect("a place that was given back");
    }

    /// The value of one line of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    /// How many connections of an endpoint were ended or refused for a reason.
    pub(crate) async fn drops(&self, endpoint: &str, reason: &str) -> u64 {
        self.metric(&format!("everwire_drops_total{{endpoint=\"{endpoint}\",reason=\"{reason}\"}}")).await
    }
}

/// Sends a GET request and returns the whole answer, head and body.
pub(crate) async fn http(address: SocketAddr, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    raw(address, &request).await
}

/// Sends bytes and returns everything that comes back until the server closes.
pub(crate) async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A connection that is there before the server has had a turn to accept it, where both share a thread: no time that
/// the server gives a request runs while the test itself is held up.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

/// The same from another address of this machine. Linux gives it all of 127.0.0.0/8.
#[cfg(target_os = "linux")]
pub(crate) fn connect_from(from: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpStream::from_std(socket.into()).unwrap()
}

/// A connection on whose way to the client only some tens of kilobytes have room, and not the megabytes that are usual within
/// one machine.
pub(crate) async fn connect_with_small_buffers(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    // The server's system gives a connection as much room as some segments need, which otherwise have 64 kilobytes.
    #[cfg(unix)]
    SockRef::from(&socket).set_tcp_mss(536).unwrap();
    socket.connect(address).await.unwrap()
}

use std::net::SocketAddr;
use std::time::Duration;

use everwire::Delivery;
use everwire::client::ChannelMessage;
use everwire_companion::{Config, RunningServer, Server, StartError};
use everwire_server::broker::JournalError;
use everwire_test_client::{Client, TIMEOUT, http};
use futures_util::StreamExt;
#[cfg(target_os = "linux")]
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server on a free port.
pub(crate) struct Harness {
    pub(crate) server: RunningServer,
}

impl Harness {
    /// Starts a server with the configuration that `change` makes of the default one.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), drain: Duration::ZERO, ..Config::default() };
        change(&mut config);
        let bind = async {
            loop {
                match Server::bind(config.clone()).await {
                    // What is left of the server before it holds the journal for a moment.
                    Err(StartError::Journal(JournalError::InUse { .. })) => tokio::task::yield_now().await,
                    bound => return bound.unwrap(),
                }
            }
        };
        Self { server: timeout(TIMEOUT, bind).await.expect("a journal that is closed").start() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) async fn client(&self, path: &str) -> Client {
        Client::connect(self.address(), path).await
    }

    /// A client of the channels.
    pub(crate) fn channels(&self) -> everwire::Client {
        everwire::Client::connect(format!("ws://{}/everwire", self.address())).unwrap()
    }

    /// The HTTP status and the body that answer a handshake which is refused.
    pub(crate) async fn refusal(&self, path: &str) -> (u16, String) {
        Client::try_connect(self.address(), path, &[]).await.expect_err("the handshake must be refused")
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

/// The next message of a channel; whatever else the subscription reports is skipped.
pub(crate) async fn next_message<T>(subscription: &mut everwire::Subscription<T>) -> ChannelMessage<T> {
    let message = async {
        loop {
            match subscription.next().await.expect("an open subscription") {
                Delivery::Message(message) => return message,
                Delivery::Ended(error) => panic!("{error}"),
                _ => {}
            }
        }
    };
    timeout(TIMEOUT, message).await.expect("a message in time")
}

/// A connection from another address of this machine. Linux gives it all of 127.0.0.0/8.
#[cfg(target_os = "linux")]
pub(crate) fn connect_from(from: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpStream::from_std(socket.into()).unwrap()
}

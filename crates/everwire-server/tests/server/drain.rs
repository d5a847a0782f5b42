use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::Client;
use crate::harness::{Harness, PATIENCE};

#[tokio::test]
async fn every_socket_is_closed_with_1001_spread_over_the_period() {
    let period = Duration::from_millis(1000);
    let harness = Harness::start(|config| config.drain = period).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let path = ["/echo", "/ticker?rate=1000", "/tracker", "/broadcast"][number % 4];
        clients.push(harness.client(path).await);
    }
    let start = Instant::now();
    let waiting: Vec<_> = clients
        .into_iter()
        .map(|mut client| tokio::spawn(async move { (client.closed().await.0, start.elapsed()) }))
        .collect();
    harness.server.stop().await;
    let took = start.elapsed();
    let mut times = Vec::new();
    for closed in waiting {
        let (code, at) = closed.await.unwrap();
        assert_eq!(code, 1001);
        times.push(at);
    }
    times.sort();
    assert!(times[9] >= period / 4 && times[0] < period / 2, "{times:?}");
    assert!(times[19] - times[0] >= period / 2, "{times:?}");
    assert!(took < period * 3, "{took:?}");
}

/// A server that has begun to stop for an hour, and a client whose turn is later.
async fn stopping() -> (SocketAddr, Client, JoinHandle<()>) {
    let harness = Harness::start(|config| config.drain = Duration::from_secs(3600)).await;
    let address = harness.address();
    // Number 0 has the first turn, at once; number 1 has the rest of the hour.
    let mut first = harness.client("/echo").await;
    let mut second = harness.client("/echo").await;
    first.ask("hi").await;
    second.ask("hi").await;
    let stopping = tokio::spawn(harness.server.stop());
    assert_eq!(first.closed().await.0, 1001);
    (address, second, stopping)
}

#[tokio::test]
async fn a_connection_works_until_its_turn_and_new_ones_are_refused() {
    let (address, mut second, stopping) = stopping().await;
    assert_eq!(second.ask("still?").await, "still?");
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    stopping.abort();
}

#[tokio::test]
async fn a_drain_ends_when_everybody_has_left() {
    let (_, second, stopping) = stopping().await;
    drop(second);
    timeout(PATIENCE, stopping).await.expect("nobody is left to wait for").unwrap();
}

#[tokio::test]
async fn a_mounted_router_refuses_new_sockets_while_it_drains() {
    let everwire = everwire_server::Everwire::new(everwire_server::Config::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = everwire.router();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = crate::client::Client::connect(address, "/echo").await;
    client.ask("hi").await;
    let (closed, ()) = tokio::join!(client.closed(), everwire.drain(Duration::ZERO));
    assert_eq!(closed.0, 1001);
    let (status, sentence) = crate::client::Client::try_connect(address, "/echo", &[]).await.err().unwrap();
    assert_eq!((status, sentence.contains("stopping")), (503, true));
    assert!(crate::harness::http(address, "/healthz", "").await.starts_with("HTTP/1.1 503 "));
}

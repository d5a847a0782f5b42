use std::time::{Duration, Instant};

use everwire_test_client::{Client, TIMEOUT, http};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::Harness;

#[tokio::test]
async fn every_socket_is_closed_with_1001_and_not_before_its_turn_in_the_period() {
    let period = Duration::from_millis(1000);
    let harness = Harness::start(|config| config.drain = period).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let path = ["/echo", "/ticker?rate=1000", "/tracker", "/broadcast"][number % 4];
        let mut client = harness.client(path).await;
        // Whatever the answer is, the server counts it among the connected.
        client.ask(r#"{"ping":1}"#).await;
        clients.push(client);
    }
    let start = Instant::now();
    let waiting: Vec<_> = clients
        .into_iter()
        .map(|mut client| tokio::spawn(async move { (client.closed().await.0, start.elapsed()) }))
        .collect();
    harness.server.stop().await;
    let mut times = Vec::new();
    for closed in waiting {
        let (code, at) = closed.await.unwrap();
        assert_eq!(code, 1001);
        times.push(at);
    }
    times.sort();
    // Twenty turns are spread evenly, so that in each tenth of the period there is one or another.
    assert!((0..10).all(|tenth| times[tenth * 2 + 1] >= period * tenth as u32 / 10), "{times:?}");
}

/// A server that takes an hour to stop.
async fn harness() -> Harness {
    Harness::start(|config| (config.drain, config.reuse_port) = (Duration::from_secs(3600), true)).await
}

/// Starts the drain of a server. Returns a client whose turn is later.
async fn stopping(harness: Harness) -> (Client, JoinHandle<()>) {
    // Number 0 has the first turn, at once; number 1 has the rest of the hour.
    let mut first = harness.client("/echo").await;
    let mut second = harness.client("/echo").await;
    first.ask("hi").await;
    second.ask("hi").await;
    let stopping = tokio::spawn(harness.server.stop());
    assert_eq!(first.closed().await.0, 1001);
    (second, stopping)
}

#[tokio::test]
async fn a_connection_works_until_its_turn_and_new_ones_are_refused() {
    let harness = harness().await;
    let address = harness.address();
    // Held without listening, so that the system gives the port to no other process.
    let held = TcpSocket::new_v4().unwrap();
    held.set_reuseport(true).unwrap();
    held.bind(address).unwrap();
    let (mut second, stopping) = stopping(harness).await;
    assert_eq!(second.ask("still?").await, "still?");
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    stopping.abort();
}

#[tokio::test]
async fn a_drain_ends_when_all_clients_have_left() {
    let (second, stopping) = stopping(harness().await).await;
    drop(second);
    timeout(TIMEOUT, stopping).await.expect("no client is left to wait for").unwrap();
}

#[tokio::test]
async fn a_mounted_router_refuses_new_sockets_while_it_drains() {
    let companion = everwire_companion::Companion::new(everwire_companion::Config::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = companion.router();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = Client::connect(address, "/echo").await;
    client.ask("hi").await;
    let (closed, ()) = tokio::join!(client.closed(), companion.everwire().drain(Duration::ZERO));
    assert_eq!(closed.0, 1001);
    let (status, sentence) = Client::try_connect(address, "/echo", &[]).await.err().unwrap();
    assert_eq!((status, sentence.contains("stopping")), (503, true));
    assert!(http(address, "/healthz", "").await.starts_with("HTTP/1.1 503 "));
}

//! Which connections hold a permit, from when on and for how long.

use std::time::Duration;

use everwire_test_client::{Client, TIMEOUT, connect, raw};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

#[cfg(target_os = "linux")]
use crate::harness::Harness;
#[cfg(target_os = "linux")]
use crate::{harness::connect_from, process::Process};

/// Waits until the server has ended a connection, and returns what it said on it.
async fn ended(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // A connection that is cut without an answer may be reset.
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut said)).await.expect("an end in time");
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_answered_with_408_and_its_place_is_free() {
    let head = "POST /lab/echo?call=a HTTP/1.1\r\nHost: localhost\r\n";
    for body in
        ["Content-Length: 5\r\n\r\n", "Content-Length: 5\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"]
    {
        let harness = Harness::start(|config| {
            config.limits.handshake = Duration::from_millis(200);
            config.limits.connections_per_address = 1;
        })
        .await;
        let answer = raw(harness.address(), &format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{body}: {answer}");
        harness.becomes_free().await;
        assert_eq!(harness.drops("/lab/socket", "late_request").await, 1);
    }
}

#[tokio::test]
async fn slow_bytes_of_a_body_do_not_extend_its_time_limit() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(200)).await;
    let mut stream = connect(harness.address());
    let head = "POST /lab/echo?call=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let drip = async {
        let mut pace = interval(Duration::from_millis(20));
        // Fewer than the body has bytes.
        for _ in 0..100 {
            pace.tick().await;
            if write.write_all(b"a").await.is_err() {
                break;
            }
        }
    };
    let mut answer = [0; 12];
    let (answered, ()) = tokio::join!(timeout(TIMEOUT, read.read_exact(&mut answer)), drip);
    answered.expect("an answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_connection_without_another_request_is_closed_in_time() {
    let harness = Harness::start(|config| config.limits.handshake = Duration::from_millis(100)).await;
    let mut stream = connect(harness.address());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(ended(stream).await.ends_with("ok\n"));
}

/// Sixty idle connections of one address kept all others out, although ten were allowed.
#[tokio::test]
async fn connections_count_from_the_moment_that_they_are_accepted() {
    let harness = Harness::start(|config| config.limits.connections_per_address = 10).await;
    let mut idle: Vec<_> = (0..10).map(|_| connect(harness.address())).collect();
    let (status, sentence) = harness.refusal("/echo").await;
    assert_eq!(status, 429);
    assert!(sentence.contains("Your address holds 10 connections"), "{sentence}");
    for path in ["/", "/lab/poll", "/files/x"] {
        assert!(harness.get(path).await.starts_with("HTTP/1.1 429 "), "{path}");
    }
    idle.clear();
    harness.becomes_free().await;
}

#[tokio::test]
async fn health_and_metrics_are_served_while_the_server_is_full() {
    let harness = Harness::start(|config| config.limits.connections = 1).await;
    let _client = harness.client("/echo").await;
    assert!(harness.get("/healthz").await.ends_with("ok\n"));
    assert!(harness.get("/metrics").await.contains("everwire_connections{endpoint=\"/echo\"} 1"));
    assert!(harness.get("/").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_connection_over_the_limit_lasts_for_one_request_and_too_many_are_cut_at_once() {
    let harness = Harness::start(|config| config.limits.connections_per_address = 1).await;
    let _client = harness.client("/echo").await;
    let mut stream = connect(harness.address());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(ended(stream).await.ends_with("ok\n"), "without `Connection: close`");

    let mut ends: FuturesUnordered<_> = (0..60).map(|_| ended(connect(harness.address()))).collect();
    for _ in 0..60 - 8 {
        assert_eq!(ends.next().await.as_deref(), Some(""));
    }
    drop(ends);
    let cut = async { while harness.metric("everwire_connections_cut_total").await < 52 {} };
    timeout(TIMEOUT, cut).await.expect("what was cut is counted");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_cannot_take_all_files_that_the_system_lets_the_server_open() {
    let process = Process::with_open_files(64, &[]);
    let _idle: Vec<_> = (0..200).map(|_| connect(process.address)).collect();
    let stream = connect_from([127, 0, 0, 2], process.address);
    let url = format!("ws://{}/echo", process.address);
    let client = timeout(TIMEOUT, Client::over(stream, &url, &[])).await.expect("an answer in time");
    assert_eq!(client.ok().unwrap().ask("hi").await, "hi");
}

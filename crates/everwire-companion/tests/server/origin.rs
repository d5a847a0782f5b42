use everwire_server::Origins;
use everwire_test_client::{Client, Refused, raw};

use crate::harness::Harness;

async fn from(harness: &Harness, origin: &str) -> Result<Client, Refused> {
    Client::try_connect(harness.address(), "/echo", &[("origin", origin)]).await
}

#[tokio::test]
async fn a_page_of_another_host_is_refused_with_what_to_do() {
    let harness = Harness::start(|_| {}).await;
    let (status, sentence) = from(&harness, "https://evil.example").await.expect_err("a refusal");
    assert_eq!(status, 403);
    assert!(sentence.contains("--allow-origin https://evil.example"), "{sentence}");
    assert_eq!(harness.drops("/echo", "origin").await, 1);
}

/// A page can let its own name resolve to the visitor's machine.
#[tokio::test]
async fn a_page_whose_name_was_rebound_to_this_machine_is_refused() {
    let harness = Harness::start(|_| {}).await;
    let headers = "Host: evil.example\r\nOrigin: http://evil.example\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = raw(harness.address(), &format!("GET /echo HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn pages_of_localhost_and_of_a_listed_origin_and_programs_connect() {
    let harness =
        Harness::start(|config| config.origins = Origins::default().allow("https://friend.example").unwrap()).await;
    assert!(from(&harness, "http://localhost:8080").await.is_ok());
    assert!(from(&harness, "https://friend.example").await.is_ok());
    assert!(Client::try_connect(harness.address(), "/echo", &[]).await.is_ok());
    assert!(from(&harness, "https://evil.example").await.is_err());
}

/// A GET from a page of its own host sends no origin to check, so that a rebound name could read the response.
#[tokio::test]
async fn no_route_answers_to_a_name_that_was_rebound_to_this_machine() {
    let harness = Harness::start(|config| config.monitor = true).await;
    for host in
        ["evil.example", "evil.example:9001", "localhost.evil.example", "evil-localhost", "0x7f000001.evil.example"]
    {
        for path in [
            "/healthz",
            "/metrics",
            "/lab/poll",
            "/lab/events",
            "/lab/accounts",
            "/files/x",
            "/",
            "/echo",
            "/elsewhere",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = raw(harness.address(), &request).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host} {path}: {answer}");
            assert!(answer.contains(&format!("--allow-origin http://{host}")), "{answer}");
        }
    }
    // The host of the address counts where there is one (RFC 9112 section 3.2.2).
    let request = "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(raw(harness.address(), request).await.starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn every_route_answers_to_a_name_that_is_listed() {
    let origins = Origins::default().allow("https://proxied.example").unwrap().allow("https://*.demo.example").unwrap();
    let harness = Harness::start(|config| config.origins = origins).await;
    for (host, status) in [("proxied.example", 200), ("a.demo.example:8443", 200), ("demo.example", 403)] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = raw(harness.address(), &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_page_whose_origin_only_begins_like_an_allowed_one_is_refused() {
    let harness = Harness::start(|_| {}).await;
    for origin in [
        "http://localhost:9640.evil.example",
        "http://localhost:9640@evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1:9640.evil.example",
        "http://127.0.0.1.evil.example",
        "http://[::1].evil.example",
        "http://localhost evil.example",
        "http://localhost/evil.example",
        "http://localhost#evil.example",
        "http://localhost\\evil.example",
        "localhost",
    ] {
        assert_eq!(from(&harness, origin).await.err().map(|refused| refused.0), Some(403), "{origin}");
    }
}

#[tokio::test]
async fn the_origin_that_a_refusal_names_can_be_allowed() {
    let harness = Harness::start(|_| {}).await;
    for origin in [
        "https://evil.example",
        "http://evil.example:8080",
        "null",
        "file://",
        "app://obsidian.md",
        "http://[fd00::1]:80",
    ] {
        let (_, sentence) = from(&harness, origin).await.err().unwrap();
        let (_, listed) = sentence.split_once("--allow-origin ").expect(&sentence);
        let origins = Origins::default().allow(listed.trim_end().trim_end_matches('.')).unwrap();
        let listing = Harness::start(|config| config.origins = origins).await;
        assert!(from(&listing, origin).await.is_ok(), "{origin}: {sentence}");
    }
}

use everwire_server::Origins;

use crate::client::{Client, Refused};
use crate::harness::{Harness, raw};

async fn from(harness: &Harness, origin: &str) -> Result<Client, Refused> {
    Client::try_connect(harness.address(), "/echo", &[("origin", origin)]).await
}

#[tokio::test]
async fn a_page_of_another_host_is_refused_with_what_to_do() {
    let harness = Harness::start(|_| {}).await;
    let (status, sentence) = from(&harness, "https://evil.example").await.err().expect("a refusal");
    assert_eq!(status, 403);
    assert!(sentence.contains("--allow-origin https://evil.example"), "{sentence}");
    assert_eq!(harness.drops("/echo", "origin").await, 1);
}

/// A page can have its own name lead to the visitor's machine.
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

use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Harness, raw};

#[tokio::test]
async fn text_that_is_not_utf8_closes_with_1007() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    let frame = Frame::message(vec![b'a', 0xff, 0xfe], OpCode::Data(Data::Text), true);
    client.socket.send(Message::Frame(frame)).await.unwrap();
    assert_eq!(client.closed().await.0, 1007);
    assert_eq!(harness.drops("/echo", "malformed").await, 1);
}

#[tokio::test]
async fn a_frame_against_the_protocol_closes_with_1002() {
    let harness = Harness::start(|_| {}).await;
    // Not masked; reserved bits set; a continuation of nothing.
    for bytes in [&[0x81, 0x01, b'a'][..], &[0xf1, 0x80, 0, 0, 0, 0], &[0x80, 0x80, 0, 0, 0, 0]] {
        let mut client = harness.client("/echo").await;
        client.socket.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(client.closed().await.0, 1002, "{bytes:02x?}");
    }
}

#[tokio::test]
async fn what_an_endpoint_does_not_expect_is_answered_and_the_connection_stays() {
    let harness = Harness::start(|_| {}).await;
    for path in ["/hello", "/sum", "/clock", "/tracker", "/ticker?rate=1", "/countdown?every=60000"] {
        let mut client = harness.client(path).await;
        client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        let mut answer = client.json().await;
        while answer.get("error").is_none() {
            answer = client.json().await;
        }
        assert!(answer["error"].as_str().unwrap().len() > 10, "{path}: {answer}");
        client.send(r#"{"ping":1}"#).await;
        while client.json().await.get("pong").is_none() {}
    }
}

#[tokio::test]
async fn a_broken_handshake_is_refused_in_words() {
    let harness = Harness::start(|_| {}).await;
    let head = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n";
    for (rest, status, word) in [
        (
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nConnection: close\r\n\r\n",
            "400",
            "Connection: Upgrade",
        ),
        ("Sec-WebSocket-Version: 13\r\nConnection: upgrade, close\r\n\r\n", "400", "Sec-WebSocket-Key"),
        ("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\nConnection: upgrade, close\r\n\r\n", "426", "version 13"),
    ] {
        let answer = raw(harness.address(), &format!("{head}{rest}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(word), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let harness = Harness::start(|_| {}).await;
    assert!(raw(harness.address(), "\x16\x03\x01\x00\x05hello\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
}

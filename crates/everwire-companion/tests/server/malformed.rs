use everwire_test_client::{TIMEOUT, connect, raw};
use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::Harness;

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
async fn unexpected_messages_are_answered_with_an_error_and_the_connection_stays_open() {
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
async fn a_broken_handshake_is_refused_with_a_sentence() {
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
async fn requests_that_are_not_http_are_refused() {
    let harness = Harness::start(|_| {}).await;
    assert!(raw(harness.address(), "\x16\x03\x01\x00\x05hello\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const HOST: &str = "Host: localhost\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

/// The status that answers these lines.
async fn status(harness: &Harness, lines: &[&str]) -> String {
    let mut stream = connect(harness.address());
    stream.write_all((lines.concat() + "\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(TIMEOUT, stream.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

/// What RFC 6455 section 4.2.1 requires, in any order of the headers.
#[tokio::test]
async fn a_handshake_as_it_should_be_is_accepted() {
    let harness = Harness::start(|_| {}).await;
    let get = "GET /echo HTTP/1.1\r\n";
    for lines in [
        &[get, HOST, UPGRADE, KEY, VERSION][..],
        &[get, VERSION, KEY, "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", HOST],
        &[get, HOST, UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c,,\r\n"],
        &[get, HOST, UPGRADE, KEY, VERSION, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"],
        &[
            get,
            HOST,
            UPGRADE,
            KEY,
            VERSION,
            "Sec-WebSocket-Extensions: a; b=1; c=\"\\2\", d\r\nSec-WebSocket-Extensions: e\r\n",
        ],
        &["GET http://localhost/echo HTTP/1.1\r\n", HOST, UPGRADE, KEY, VERSION],
        &[get, "Host: [::1]:9001\r\n", UPGRADE, KEY, VERSION],
    ] {
        assert_eq!(status(&harness, lines).await, "101", "{lines:?}");
    }
}

#[tokio::test]
async fn a_handshake_against_rfc_6455_is_refused_with_400() {
    let harness = Harness::start(|_| {}).await;
    let get = "GET /echo HTTP/1.1\r\n";
    let keys = [
        "",
        "Sec-WebSocket-Key:\r\n",
        "Sec-WebSocket-Key: x\r\n",
        // 15 and 17 bytes.
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=\r\n",
        // Another alphabet, no padding, and bits that belong to no byte.
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_-==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ];
    for key in keys {
        assert_eq!(status(&harness, &[get, HOST, UPGRADE, key, VERSION]).await, "400", "{key}");
    }
    for version in [
        "",
        "Sec-WebSocket-Version: x\r\n",
        "Sec-WebSocket-Version: 13, 8\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Version: 013\r\n",
        "Sec-WebSocket-Version: 256\r\n",
    ] {
        assert_eq!(status(&harness, &[get, HOST, UPGRADE, KEY, version]).await, "400", "{version}");
    }
    for more in [
        "Sec-WebSocket-Protocol:\r\n",
        "Sec-WebSocket-Protocol: ,\r\n",
        "Sec-WebSocket-Protocol: a b\r\n",
        "Sec-WebSocket-Protocol: a/b\r\n",
        "Sec-WebSocket-Protocol: a, a\r\n",
        "Sec-WebSocket-Extensions:\r\n",
        "Sec-WebSocket-Extensions: a;\r\n",
        "Sec-WebSocket-Extensions: a; b=\r\n",
        "Sec-WebSocket-Extensions: a; b=\"c d\"\r\n",
        "Sec-WebSocket-Extensions: a; b=\"c\r\n",
        "Sec-WebSocket-Extensions: a b\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(status(&harness, &[get, HOST, UPGRADE, KEY, VERSION, more]).await, "400", "{more}");
    }
    for (start, upgrade) in [
        ("POST /echo HTTP/1.1\r\n", UPGRADE),
        ("HEAD /echo HTTP/1.1\r\n", UPGRADE),
        ("GET /echo HTTP/1.0\r\n", UPGRADE),
        (get, "Upgrade: websocket\r\n"),
        (get, "Upgrade: websocket\r\nConnection: close\r\n"),
    ] {
        assert_eq!(status(&harness, &[start, HOST, upgrade, KEY, VERSION]).await, "400", "{start}{upgrade}");
    }
}

/// RFC 9112 section 3.2.
#[tokio::test]
async fn a_request_whose_target_is_no_path_and_no_http_url_is_refused_with_400() {
    let harness = Harness::start(|_| {}).await;
    for target in
        ["healthz", "localhost:80", "*", "ws://localhost/echo", "ftp://localhost/healthz", "http:/healthz", "?x"]
    {
        let start = format!("GET {target} HTTP/1.1\r\n");
        assert_eq!(status(&harness, &[&start, HOST]).await, "400", "{target}");
        assert_eq!(status(&harness, &[&start, HOST, UPGRADE, KEY, VERSION]).await, "400", "{target}");
    }
    for (start, code) in [
        ("GET http://localhost/healthz HTTP/1.1\r\n", "200"),
        ("GET HTTPS://LOCALHOST:443/healthz?x=1 HTTP/1.1\r\n", "200"),
        ("OPTIONS * HTTP/1.1\r\n", "404"),
        ("CONNECT localhost:80 HTTP/1.1\r\n", "404"),
    ] {
        assert_eq!(status(&harness, &[start, HOST]).await, code, "{start}");
    }
}

/// RFC 9112 section 3.2.
#[tokio::test]
async fn a_request_without_one_valid_host_is_refused_with_400() {
    let harness = Harness::start(|_| {}).await;
    for host in [
        "",
        "Host:\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: local host\r\n",
        "Host: localhost:port\r\n",
        "Host: localhost:99999\r\n",
        "Host: localhost:80:80\r\n",
        "Host: :80\r\n",
        "Host: localhost/\r\n",
        "Host: user@localhost\r\n",
        "Host: http://localhost\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: [localhost]\r\n",
        "Host: local%host\r\n",
        "Host: local\\host\r\n",
        "Host: lo\"calhost\r\n",
        "Host: localh\u{f6}st\r\n",
    ] {
        for start in
            ["GET /healthz HTTP/1.1\r\n", "GET /nowhere HTTP/1.1\r\n", "GET http://localhost/metrics HTTP/1.1\r\n"]
        {
            assert_eq!(status(&harness, &[start, host]).await, "400", "{start}{host}");
        }
        let handshake = ["GET /echo HTTP/1.1\r\n", host, UPGRADE, KEY, VERSION];
        assert_eq!(status(&harness, &handshake).await, "400", "{host}");
    }
    for host in
        ["localhost", "LOCALHOST:9001", "localhost:", "127.0.0.1:9001", "[::1]", "[::ffff:7f00:1]:80", "a.localhost"]
    {
        assert_eq!(
            status(&harness, &["GET /healthz HTTP/1.1\r\n", &format!("Host: {host}\r\n")]).await,
            "200",
            "{host}"
        );
    }
    // HTTP/1.0 had no such header.
    assert_eq!(status(&harness, &["GET /healthz HTTP/1.0\r\n"]).await, "200");
}

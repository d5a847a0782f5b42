//! The small endpoints, the metrics, and what is refused as malformed.

use axum::Router;
use axum::http::StatusCode;
use everwire_companion::{Companion, Config};
use everwire_server::Clock;
use everwire_test_client::{Client, TIMEOUT, connect, http, raw};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::Harness;

#[tokio::test]
async fn echo_returns_text_and_binary_unchanged() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    let messages =
        [Message::text("hé\u{1f600}"), Message::binary(vec![0, 255, 128]), Message::text(""), Message::binary(vec![])];
    for message in messages {
        client.echoes(message).await;
    }
    assert_eq!(client.ask(r#"{"ping":1}"#).await, r#"{"ping":1}"#, "an echo returns pings like anything else");
}

#[tokio::test]
async fn echo_keeps_the_order_of_many_messages_sent_at_once() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    for number in 0..5000 {
        client.socket.feed(Message::text(number.to_string())).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    for number in 0..5000 {
        assert_eq!(client.text().await, number.to_string());
    }
}

#[tokio::test]
async fn echo_returns_a_message_of_exactly_the_greatest_size() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    client.echoes(Message::binary(vec![7; 1 << 20])).await;
}

#[tokio::test]
async fn broadcast_reaches_everyone_and_the_sender() {
    let harness = Harness::start(|_| {}).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = harness.client("/broadcast").await;
        // After its pong, the server counts it as connected.
        client.ask(r#"{"ping":1}"#).await;
        clients.push(client);
    }
    clients[1].send("to all").await;
    clients[1].socket.send(Message::binary(vec![1, 2])).await.unwrap();
    for client in &mut clients {
        assert_eq!(client.text().await, "to all");
        assert_eq!(client.message().await, Message::binary(vec![1, 2]));
    }
}

#[tokio::test]
async fn a_ping_is_answered_to_its_sender_alone_on_every_endpoint_but_echo() {
    let harness = Harness::start(|config| config.clock = Clock::from_fn(|| 1234.567)).await;
    let pong = json!({"pong": 7, "server_time": 1234.567});
    for path in ["/broadcast", "/hello", "/countdown?every=60000", "/sum", "/clock", "/ticker?rate=1", "/tracker"] {
        let mut other = harness.client(path).await;
        other.send(r#"{"ping":1}"#).await;
        while other.json().await.get("pong").is_none() {}
        let mut client = harness.client(path).await;
        client.send(r#"{"ping":7}"#).await;
        let mut answer = client.json().await;
        while answer.get("pong").is_none() {
            answer = client.json().await;
        }
        assert_eq!(answer, pong, "{path}");
        other.send(r#"{"ping":2}"#).await;
        let mut heard = other.json().await;
        while heard.get("pong").is_none() {
            heard = other.json().await;
        }
        assert_eq!(heard["pong"], 2, "{path}: the pong of another client");
    }
}

#[tokio::test]
async fn hello_greets_and_closes() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/hello").await;
    assert!(client.mistake("  ").await.contains("name"));
    assert_eq!(client.ask("Ann").await, "Hello Ann!");
    assert_eq!(client.closed().await.0, 1000);
}

#[tokio::test]
async fn countdown_counts_to_zero_and_closes() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/countdown?from=3&every=1").await;
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(client.text().await);
    }
    assert_eq!(heard, ["3", "2", "1", "0"]);
    assert_eq!(client.closed().await.0, 1000);
}

#[tokio::test]
async fn countdown_starts_at_ten_and_answers_messages_with_an_error() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/countdown?every=60000").await;
    assert_eq!(client.text().await, "10");
    assert!(client.mistake("faster!").await.contains("?from="));
    assert_eq!(
        harness.refusal("/countdown?from=ten").await,
        (400, "`from=ten` must be a number from 0 to 1000000.\n".to_owned())
    );
}

#[tokio::test]
async fn sum_sends_the_running_total_to_all_clients() {
    let harness = Harness::start(|_| {}).await;
    let mut ann = harness.client("/sum").await;
    assert_eq!(ann.json().await, json!({"total": 0.0, "count": 0}));
    let mut bob = harness.client("/sum").await;
    assert_eq!(bob.json().await, json!({"total": 0.0, "count": 0}));
    ann.send("2.5").await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.json().await, json!({"total": 2.5, "count": 1}));
    }
    bob.send("-1").await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.json().await, json!({"total": 1.5, "count": 2}));
    }
    for wrong in ["two", "\"2\"", "[1]", "", "1e999", "NaN"] {
        assert!(ann.mistake(wrong).await.contains("2.5"), "{wrong}");
    }
    let mut late = harness.client("/sum").await;
    assert_eq!(late.json().await, json!({"total": 1.5, "count": 2}));
}

#[tokio::test]
async fn sum_never_becomes_infinite() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/sum").await;
    client.json().await;
    assert_eq!(client.ask("1.7e308").await, r#"{"total":1.7e+308,"count":1}"#);
    assert!(client.mistake("1.7e308").await.contains("infinite"));
    assert_eq!(client.ask("-1.7e308").await, r#"{"total":0.0,"count":2}"#);
}

#[tokio::test]
async fn clock_answers_with_both_times() {
    let harness = Harness::start(|config| config.clock = Clock::from_fn(|| 1_700_000_000_000.25)).await;
    let mut client = harness.client("/clock").await;
    let answer = client.ask(r#"{"client_time":12.5}"#).await;
    assert_eq!(answer, r#"{"client_time":12.5,"server_time":1700000000000.25}"#);
    for wrong in ["{}", r#"{"client_time":"now"}"#, "12.5", "{"] {
        assert!(client.mistake(wrong).await.contains("client_time"), "{wrong}");
    }
}

#[tokio::test]
async fn the_first_subprotocol_that_is_offered_is_granted() {
    let harness = Harness::start(|_| {}).await;
    let offered = [("sec-websocket-protocol", "chat.v2, chat.v1")];
    // The client fails by itself when a server grants what was not offered, or nothing.
    let client = Client::try_connect(harness.address(), "/echo", &offered).await.unwrap();
    assert_eq!(client.response.headers()["sec-websocket-protocol"], "chat.v2");
}

#[tokio::test]
async fn an_endpoint_without_a_handshake_says_that_it_is_a_websocket() {
    let harness = Harness::start(|_| {}).await;
    let answer = harness.get("/echo").await;
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.contains("ws:"), "{answer}");
}

#[tokio::test]
async fn an_unknown_path_names_the_endpoints() {
    let harness = Harness::start(|_| {}).await;
    let answer = harness.get("/ecko").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    for path in [
        "/ecko",
        "/echo",
        "/broadcast",
        "/hello",
        "/countdown",
        "/sum",
        "/clock",
        "/ticker",
        "/tracker",
        "/healthz",
        "/metrics",
    ] {
        assert!(answer.contains(path), "{path} is missing in {answer}");
    }
}

#[tokio::test]
async fn healthz_is_well() {
    let harness = Harness::start(|_| {}).await;
    let answer = harness.get("/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[tokio::test]
async fn the_routes_can_be_nested_in_another_application() {
    let app = axum::Router::new()
        .nest("/live", everwire_companion::Companion::new(everwire_companion::Config::default()).unwrap().router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut client = Client::connect(address, "/live/echo").await;
    assert_eq!(client.ask("mounted").await, "mounted");
    let _: Value = Client::connect(address, "/live/ticker").await.json().await;
}

#[tokio::test]
async fn a_ping_between_two_fragments_is_answered_before_the_message() {
    let harness = Harness::start(|_| {}).await;
    for path in ["/echo", "/broadcast"] {
        let mut client = harness.client(path).await;
        let fragment =
            |opcode, text: &'static str, is_final| Message::Frame(Frame::message(text, OpCode::Data(opcode), is_final));
        client.socket.feed(fragment(Data::Text, "first ", false)).await.unwrap();
        client.socket.feed(Message::Ping("between".into())).await.unwrap();
        client.socket.feed(fragment(Data::Continue, "last", true)).await.unwrap();
        client.socket.flush().await.unwrap();
        assert_eq!(client.message().await, Message::Pong("between".into()), "{path}");
        assert_eq!(client.message().await, Message::text("first last"), "{path}");
    }
}

/// The number of a message in front, and so much behind it that the system takes some messages only in part.
fn text(number: usize) -> String {
    format!("{number} {}", "x".repeat(number * 997))
}

/// More than the group sends to between two yields.
const CROWD: usize = 150;
const MESSAGES: usize = 50;

/// With several workers, so that a member's own task and the publisher write to it at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_client_of_a_large_group_receives_every_message_once_and_in_order() {
    let harness = Harness::start(|_| ()).await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut member = harness.client("/broadcast").await;
        // After its pong, the server counts it as connected.
        member.ask(r#"{"ping":1}"#).await;
        crowd.push(member);
    }
    let mut speaker = harness.client("/broadcast").await;
    speaker.ask(r#"{"ping":1}"#).await;
    for (number, member) in crowd.iter_mut().take(MESSAGES).enumerate() {
        speaker.send(&text(number)).await;
        // A message to one member alone goes through its outbound queue, among the direct writes of the group.
        member.send(r#"{"ping":1}"#).await;
    }
    for (place, member) in crowd.iter_mut().enumerate() {
        let mut pongs = 0;
        for expected in 0..MESSAGES {
            let mut text = member.text().await;
            if text.contains("pong") {
                pongs += 1;
                text = member.text().await;
            }
            assert!(text == self::text(expected), "member {place} gets {:.20} instead of {expected}", text);
        }
        assert!(pongs <= 1);
    }
}

#[tokio::test]
async fn a_new_client_receives_messages_from_its_arrival_on() {
    let harness = Harness::start(|_| ()).await;
    let mut speaker = harness.client("/broadcast").await;
    for number in 0..20 {
        speaker.send(&number.to_string()).await;
        assert_eq!(speaker.text().await, number.to_string());
        let mut newcomer = harness.client("/broadcast").await;
        newcomer.ask(r#"{"ping":1}"#).await;
        speaker.send("welcome").await;
        assert_eq!(newcomer.text().await, "welcome");
        assert_eq!(speaker.text().await, "welcome");
    }
}

#[tokio::test]
async fn connections_messages_and_bytes_are_counted_for_each_endpoint() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/echo").await;
    for _ in 0..3 {
        client.ask("four").await;
    }
    let _other = harness.client("/sum").await;
    assert_eq!(harness.metric(r#"everwire_connections{endpoint="/echo"}"#).await, 1);
    for direction in ["in", "out"] {
        let labels = format!(r#"{{endpoint="/echo",direction="{direction}"}}"#);
        assert_eq!(harness.metric(&format!("everwire_messages_total{labels}")).await, 3);
        assert_eq!(harness.metric(&format!("everwire_message_bytes_total{labels}")).await, 12);
    }
    drop(client);
    let gone = async { while harness.metric(r#"everwire_connections{endpoint="/echo"}"#).await != 0 {} };
    timeout(TIMEOUT, gone).await.expect("a connection that ended is not open");
    assert_eq!(harness.metric(r#"everwire_connections_total{endpoint="/echo"}"#).await, 1);
}

#[tokio::test]
async fn every_line_is_in_the_text_format_of_prometheus() {
    let harness = Harness::start(|_| {}).await;
    let answer = harness.get("/metrics").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut family = "";
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(sample.split('{').next().unwrap(), family, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_resident_memory_is_reported() {
    let harness = Harness::start(|_| {}).await;
    assert!(harness.metric("process_resident_memory_bytes").await > 1 << 20);
}

#[tokio::test]
async fn under_a_path_of_the_application_the_pages_redirect_within_it() {
    let dist = tempfile::tempdir().unwrap();
    std::fs::create_dir(dist.path().join("docs")).unwrap();
    std::fs::write(dist.path().join("docs").join("index.html"), "the documentation").unwrap();
    let config = Config { dist: Some(dist.path().to_owned()), ..Config::default() };
    let app = Router::new().nest("/live", Companion::new(config).unwrap().router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app.fallback(|| async { StatusCode::NOT_FOUND })).await });
    assert!(http(address, "/live/docs", "").await.contains("location: /live/docs/\r\n"));
    assert!(http(address, "/live/docs/", "").await.ends_with("the documentation"));
}

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

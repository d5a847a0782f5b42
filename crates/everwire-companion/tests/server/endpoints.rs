use everwire_server::Clock;
use everwire_test_client::Client;
use futures_util::SinkExt;
use serde_json::{Value, json};
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

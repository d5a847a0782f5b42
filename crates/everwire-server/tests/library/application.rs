//! The methods of a handler; what an application knows of a request before it accepts it, and how it refuses one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use everwire_server::{
    Closed, Connection, DropReason, Endpoint, Everwire, Group, Handler, HandshakeError, Membership, Message, Origins,
    Server, ServerConfig, Upgrade,
};
use everwire_test_client::{Client, TIMEOUT, http};
use futures_util::SinkExt;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::{BOTH, ServedBy, serve};

/// Executes the commands of the client, and reports how the connection ended.
struct CommandHandler {
    connection: Connection,
    ended: mpsc::UnboundedSender<Closed>,
}

impl Handler for CommandHandler {
    fn on_message(&mut self, message: Message) {
        match message.as_text() {
            Some("close") => self.connection.close(4001, "as you like"),
            Some("break a rule") => self.connection.reject(1008, DropReason::Malformed, "not like that"),
            _ => self.connection.send(message),
        }
    }

    fn on_close(&mut self, closed: &Closed) {
        let _ = self.ended.send(closed.clone());
    }
}

async fn handle_commands(State(ended): State<mpsc::UnboundedSender<Closed>>, upgrade: Upgrade) -> Response {
    upgrade.accept(move |connection| CommandHandler { connection: connection.clone(), ended })
}

/// A server whose handlers report how their connections ended.
async fn command_server(by: ServedBy, everwire: &Everwire) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Closed>) {
    let (ended, ends) = mpsc::unbounded_channel();
    let app = Router::new().route("/", Endpoint::new(everwire, "/").route(handle_commands)).with_state(ended);
    (serve(by, everwire, app).await, ends)
}

async fn next(ends: &mut mpsc::UnboundedReceiver<Closed>) -> Closed {
    timeout(TIMEOUT, ends.recv()).await.expect("an end in time").unwrap()
}

#[tokio::test]
async fn text_and_bytes_come_back_as_they_were_sent() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, _ends) = command_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        assert_eq!(client.ask("gr\u{fc}\u{df}e").await, "gr\u{fc}\u{df}e");
        client.socket.send(vec![0, 255].into()).await.unwrap();
        assert_eq!(client.binary().await, [0, 255], "{by:?}");
    }
}

#[tokio::test]
async fn a_handler_closes_with_a_code_and_a_reason_after_what_it_has_sent() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, mut ends) = command_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        client.send("last").await;
        client.send("close").await;
        assert_eq!(client.text().await, "last");
        assert_eq!(client.close_frame().await, (4001, "as you like".to_owned()), "{by:?}");
        let Closed::ByServer { code, reason, counted, .. } = next(&mut ends).await else {
            panic!("closed by the server")
        };
        assert_eq!((code, reason.as_str(), counted), (4001, "as you like", None));
    }
}

#[tokio::test]
async fn a_client_that_breaks_a_rule_is_closed_and_counted() {
    let everwire = Everwire::default();
    let (address, mut ends) = command_server(ServedBy::Axum, &everwire).await;
    let mut client = Client::connect(address, "/").await;
    client.send("break a rule").await;
    assert_eq!(client.close_frame().await, (1008, "not like that".to_owned()));
    let Closed::ByServer { counted, .. } = next(&mut ends).await else { panic!("closed by the server") };
    assert_eq!(counted, Some(DropReason::Malformed));
    assert_eq!(everwire.endpoint_metrics("/").drops(DropReason::Malformed), 1);
}

#[tokio::test]
async fn on_close_reports_how_the_client_closed_or_that_it_was_lost() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, mut ends) = command_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        let frame = CloseFrame { code: 4002.into(), reason: "enough".into() };
        client.socket.close(Some(frame)).await.unwrap();
        let Closed::ByPeer { code, reason, .. } = next(&mut ends).await else { panic!("closed by the client") };
        assert_eq!((code, reason.as_str()), (Some(4002), "enough"), "{by:?}");

        drop(Client::connect(address, "/").await);
        assert_eq!(next(&mut ends).await, Closed::Lost, "{by:?}");
    }
}

#[tokio::test]
async fn heartbeats_are_answered_unless_an_endpoint_wants_them_itself() {
    let everwire = Everwire::default();
    let (ended, _ends) = mpsc::unbounded_channel();
    let app = Router::new()
        .route("/answered", Endpoint::new(&everwire, "/answered").route(handle_commands))
        .route("/passed", Endpoint::new(&everwire, "/passed").answer_pings(false).route(handle_commands))
        .with_state(ended);
    let address = serve(ServedBy::Axum, &everwire, app).await;
    let ping = r#"{"ping":7}"#;
    let pong = Client::connect(address, "/answered").await.ask(ping).await;
    assert!(pong.starts_with(r#"{"pong":7,"server_time":"#), "{pong}");
    assert_eq!(Client::connect(address, "/passed").await.ask(ping).await, ping);
}

/// Counts up each time that its timer fires.
struct Ticks {
    connection: Connection,
    next: Option<(u32, Instant)>,
}

impl Handler for Ticks {
    fn on_message(&mut self, _: Message) {
        self.next = Some((1, Instant::now() + Duration::from_millis(1)));
    }

    fn timer(&self) -> Option<Instant> {
        self.next.map(|(_, at)| at)
    }

    fn on_timer(&mut self) {
        let Some((number, at)) = self.next else { return };
        self.connection.send(number.to_string());
        self.next = (number < 3).then(|| (number + 1, at + Duration::from_millis(1)));
    }
}

#[tokio::test]
async fn a_timer_fires_after_a_message_sets_it_and_each_time_it_is_set_again() {
    async fn open(upgrade: Upgrade) -> Response {
        upgrade.accept(|connection| Ticks { connection: connection.clone(), next: None })
    }

    for by in BOTH {
        let everwire = Everwire::default();
        let app = Router::new().route("/", Endpoint::new(&everwire, "/").route(open));
        let mut client = Client::connect(serve(by, &everwire, app).await, "/").await;
        assert_eq!(client.ask("go").await, "1");
        assert_eq!((client.text().await, client.text().await), ("2".to_owned(), "3".to_owned()), "{by:?}");
    }
}

/// Reports to the other members that one has left.
struct Guest(Membership<u32>);

impl Handler for Guest {
    fn on_message(&mut self, _: Message) {}

    fn on_close(&mut self, _: &Closed) {
        let number = self.0.number();
        self.0.group().publish(format!("{number} left"));
    }
}

#[tokio::test]
async fn a_task_outside_of_handlers_publishes_to_a_group_and_members_leave_when_they_are_closed() {
    async fn open(State(group): State<Group<u32>>, upgrade: Upgrade) -> Response {
        upgrade.accept(move |connection| {
            Guest(group.join(connection, |state, number| [format!("{number} {state}").into()]))
        })
    }

    for by in BOTH {
        let everwire = Everwire::default();
        let group = Group::new(5);
        let app = Router::new().route("/", Endpoint::new(&everwire, "/").route(open)).with_state(group.clone());
        let address = serve(by, &everwire, app).await;
        let mut one = Client::connect(address, "/").await;
        assert_eq!(one.text().await, "1 5");
        let mut two = Client::connect(address, "/").await;
        assert_eq!(two.text().await, "2 5");
        tokio::spawn(async move { group.update(|state, members| Some(format!("{state} to {members}").into())) });
        assert_eq!((one.text().await, two.text().await), ("5 to 2".to_owned(), "5 to 2".to_owned()));
        drop(two);
        assert_eq!(one.text().await, "2 left", "{by:?}");
    }
}

#[tokio::test]
async fn messages_are_written_directly_to_plain_tcp_of_either_server() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, _ends) = command_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        client.ask("hi").await;
        let metrics = everwire.endpoint_metrics("/");
        assert_eq!((metrics.connections_total(), metrics.indirect_connections_total()), (1, 0), "{by:?}");
    }
}

/// Sends what it knows of the request, and then echoes every message.
struct Echo(Connection);

impl Handler for Echo {
    fn on_message(&mut self, message: Message) {
        self.0.send(message);
    }
}

fn echo_after(first: String) -> impl FnOnce(&Connection) -> Echo + Send {
    move |connection| {
        connection.send(first);
        Echo(connection.clone())
    }
}

/// An application with one endpoint.
fn app<T: 'static>(everwire: &Everwire, handler: impl axum::handler::Handler<T, ()>) -> Router {
    Router::new().route("/socket", Endpoint::new(everwire, "/socket").route(handler))
}

#[tokio::test]
async fn path_query_extensions_state_and_address_are_available() {
    #[derive(Deserialize)]
    struct Options {
        rate: u32,
    }

    async fn open(
        State(state): State<&'static str>,
        Path(room): Path<String>,
        Query(options): Query<Options>,
        Extension(tenant): Extension<&'static str>,
        upgrade: Upgrade,
    ) -> Response {
        let address = upgrade.peer_address().map(|address| address.to_string()).unwrap_or_default();
        let known = format!("{state} {room} {} {tenant} {address}", options.rate);
        upgrade.accept(echo_after(known))
    }

    for by in BOTH {
        let everwire = Everwire::default();
        let route = Endpoint::new(&everwire, "/rooms").route(open);
        let app = Router::new().route("/rooms/{room}", route).layer(Extension("tenant")).with_state("state");
        let address = serve(by, &everwire, app).await;
        let mut client = Client::connect(address, "/rooms/blue?rate=7").await;
        assert_eq!(client.text().await, "state blue 7 tenant 127.0.0.1", "{by:?}");
        let (status, _) = Client::try_connect(address, "/rooms/blue?rate=x", &[]).await.err().unwrap();
        assert_eq!(status, 400, "another extractor refuses");
    }
}

#[tokio::test]
async fn an_application_may_wait_for_its_answer_and_refuse_with_any_response() {
    async fn open(upgrade: Upgrade) -> Response {
        tokio::task::yield_now().await;
        drop(upgrade);
        (StatusCode::PAYMENT_REQUIRED, [("x-price", "1")], "{\"pay\":1}").into_response()
    }

    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, app(&everwire, open)).await;
        let refused = Client::try_connect(address, "/socket", &[]).await.err();
        assert_eq!(refused, Some((402, "{\"pay\":1}".to_owned())), "{by:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_reason() {
    const BANNED: DropReason = DropReason::Application("banned");

    async fn open(_: Upgrade) -> HandshakeError {
        HandshakeError::new(StatusCode::FORBIDDEN, BANNED, "You are banned; write to the moderators.")
    }

    let everwire = Everwire::default();
    let route = Endpoint::new(&everwire, "/socket").drop_reasons([BANNED]).route(open);
    let app = Router::new().route("/socket", route).merge(everwire.probes());
    let address = serve(ServedBy::Axum, &everwire, app).await;
    let line = |count| format!("everwire_drops_total{{endpoint=\"/socket\",reason=\"banned\"}} {count}\n");
    assert!(http(address, "/metrics", "").await.contains(&line(0)));
    let (status, body) = Client::try_connect(address, "/socket", &[]).await.err().unwrap();
    assert_eq!((status, body.as_str()), (403, "You are banned; write to the moderators.\n"));
    assert!(http(address, "/metrics", "").await.contains(&line(1)));
}

#[tokio::test]
async fn a_foreign_page_is_refused_before_the_application_is_called() {
    async fn open(_: Upgrade) -> Response {
        unreachable!("a page of another host has come through")
    }

    for by in BOTH {
        let everwire = Everwire::builder().origins(Origins::default().allow("https://friend.example").unwrap()).build();
        let address = serve(by, &everwire, app(&everwire, open)).await;
        let headers = [("origin", "https://evil.example")];
        let (status, body) = Client::try_connect(address, "/socket", &headers).await.err().unwrap();
        assert_eq!(status, 403, "{by:?}");
        assert_eq!(
            body,
            "Pages of https://evil.example may not connect; the server has to allow the origin https://evil.example.\n"
        );
    }
}

#[tokio::test]
async fn the_limits_hold_for_connections_that_another_server_accepted() {
    async fn open(upgrade: Upgrade) -> Response {
        upgrade.accept(|connection| Echo(connection.clone()))
    }

    for by in BOTH {
        let everwire = Everwire::builder().limits(|limits| limits.connections_per_address = 1).build();
        let address = serve(by, &everwire, app(&everwire, open)).await;
        let mut client = Client::connect(address, "/socket").await;
        assert_eq!(client.ask("hi").await, "hi");
        let (status, body) = Client::try_connect(address, "/socket", &[]).await.err().unwrap();
        assert_eq!((status, body.contains("Your address holds 1 connections")), (429, true), "{by:?}");
    }
}

#[tokio::test]
async fn the_first_subprotocol_of_the_server_that_the_client_offers_is_granted() {
    async fn open(upgrade: Upgrade) -> Response {
        let upgrade = upgrade.protocols(["v2.chat", "v1.chat"]);
        let protocol = upgrade.protocol().unwrap_or("none").to_owned();
        upgrade.accept(echo_after(protocol))
    }

    let everwire = Everwire::default();
    let address = serve(ServedBy::Axum, &everwire, app(&everwire, open)).await;
    for (offered, granted) in
        [("v1.chat, v2.chat", Some("v2.chat")), ("v3.chat, v1.chat", Some("v1.chat")), ("V2.chat", None)]
    {
        // The client fails a handshake that grants none, as browsers do, so that this one is sent by hand.
        let Some(granted) = granted else {
            let answer = raw_handshake(address, offered).await;
            assert!(answer.starts_with("HTTP/1.1 101 ") && !answer.contains("sec-websocket-protocol"), "{answer}");
            continue;
        };
        let mut client = Client::try_connect(address, "/socket", &[("sec-websocket-protocol", offered)]).await.unwrap();
        assert_eq!(client.response.headers()["sec-websocket-protocol"], granted);
        assert_eq!(client.text().await, granted);
    }
    let mut client = Client::connect(address, "/socket").await;
    assert!(!client.response.headers().contains_key("sec-websocket-protocol"));
    assert_eq!(client.text().await, "none");
}

#[tokio::test]
async fn an_application_can_refuse_a_client_that_speaks_none_of_its_subprotocols() {
    async fn open(upgrade: Upgrade) -> Response {
        let upgrade = upgrade.protocols(["v2.chat"]);
        match upgrade.protocol() {
            Some(_) => upgrade.accept(|connection| Echo(connection.clone())),
            None => {
                (StatusCode::BAD_REQUEST, format!("not {}", upgrade.offered_protocols().join(" or "))).into_response()
            }
        }
    }

    let everwire = Everwire::default();
    let address = serve(ServedBy::Axum, &everwire, app(&everwire, open)).await;
    let headers = [("sec-websocket-protocol", "a, b")];
    let refused = Client::try_connect(address, "/socket", &headers).await.err();
    assert_eq!(refused, Some((400, "not a or b".to_owned())));
    assert!(Client::try_connect(address, "/socket", &[("sec-websocket-protocol", "v2.chat")]).await.is_ok());
}

#[tokio::test]
async fn a_route_can_answer_plain_requests_too() {
    async fn open(upgrade: Option<Upgrade>) -> Response {
        match upgrade {
            Some(upgrade) => upgrade.accept(|connection| Echo(connection.clone())),
            None => "a page about this socket".into_response(),
        }
    }

    let everwire = Everwire::default();
    let address = serve(ServedBy::Everwire, &everwire, app(&everwire, open)).await;
    assert!(http(address, "/socket", "").await.ends_with("a page about this socket"));
    assert_eq!(Client::connect(address, "/socket").await.ask("hi").await, "hi");
}

#[tokio::test]
async fn a_route_that_no_endpoint_has_made_is_a_mistake_that_is_answered() {
    async fn open(upgrade: Upgrade) -> Response {
        upgrade.accept(|connection| Echo(connection.clone()))
    }

    let app = Router::new().route("/socket", any(open));
    let address = serve(ServedBy::Axum, &Everwire::default(), app).await;
    let (status, _) = Client::try_connect(address, "/socket", &[]).await.err().unwrap();
    assert_eq!(status, 500);
}

/// Sends a handshake that offers subprotocols, and returns the head of the answer.
async fn raw_handshake(address: std::net::SocketAddr, offered: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /socket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: {offered}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase().replace("http/1.1", "HTTP/1.1")
}

/// With thousands of clients that reconnected together, the messages of others took 100 ms.
#[tokio::test]
async fn a_burst_of_connections_does_not_starve_other_tasks() {
    let everwire = Everwire::default();
    let server = Server::bind(&everwire, ServerConfig::new(([127, 0, 0, 1], 0))).await.unwrap();
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let mut client = std::net::TcpStream::connect(server.local_addr()).unwrap();
            std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            client
        })
        .collect();
    let turn = Arc::new(AtomicUsize::new(0));
    let (served, mut turns) = mpsc::unbounded_channel();
    let current = Arc::clone(&turn);
    let app = Router::new().route("/", get(async move || served.send(current.load(Relaxed)).unwrap()));
    let server = server.start(app);
    let mut served_in_turn = HashMap::<usize, usize>::new();
    while served_in_turn.values().sum::<usize>() < clients.len() {
        turn.fetch_add(1, Relaxed);
        yield_now().await;
        while let Ok(turn) = turns.try_recv() {
            *served_in_turn.entry(turn).or_default() += 1;
        }
    }
    let most = served_in_turn.values().max();
    assert!(most < Some(&20), "{most:?} requests between two turns");
    server.stop().await;
}

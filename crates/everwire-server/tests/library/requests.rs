//! What an application knows of a request before it accepts, and how it refuses.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use everwire_server::{
    Connection, DropReason, Endpoint, Everwire, Handler, HandshakeError, Message, Origins, Server, ServerConfig,
    Upgrade,
};
use everwire_test_client::{Client, http};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use crate::support::{BOTH, By, serve};

/// Sends what is known of the request, and then every message back.
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
async fn path_query_extensions_state_and_address_are_at_hand() {
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
    let address = serve(By::Axum, &everwire, app).await;
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
    let address = serve(By::Axum, &everwire, app(&everwire, open)).await;
    for (offered, granted) in
        [("v1.chat, v2.chat", Some("v2.chat")), ("v3.chat, v1.chat", Some("v1.chat")), ("V2.chat", None)]
    {
        // The client fails a handshake that grants none, as browsers do, so that it is sent by hand where that is expected.
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
    let address = serve(By::Axum, &everwire, app(&everwire, open)).await;
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
    let address = serve(By::Everwire, &everwire, app(&everwire, open)).await;
    assert!(http(address, "/socket", "").await.ends_with("a page about this socket"));
    assert_eq!(Client::connect(address, "/socket").await.ask("hi").await, "hi");
}

#[tokio::test]
async fn a_route_that_no_endpoint_has_made_is_a_mistake_that_is_answered() {
    async fn open(upgrade: Upgrade) -> Response {
        upgrade.accept(|connection| Echo(connection.clone()))
    }

    let app = Router::new().route("/socket", any(open));
    let address = serve(By::Axum, &Everwire::default(), app).await;
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
async fn connections_that_arrive_together_leave_others_their_turns() {
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

//! Channels behind a function of the application.

use std::collections::VecDeque;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use everwire_server::channels::AllowAll;
use everwire_server::{EncodedMessage, Everwire, Interceptor, Intervention, Upgrade};
use everwire_test_client as test_client;
use tokio::time::Instant;

use crate::support::{PROTOCOL, TestServer};

/// Cuts the connection after so many messages.
struct Cut {
    left: u64,
    waiting: VecDeque<EncodedMessage>,
}

impl Interceptor for Cut {
    fn send(&mut self, message: EncodedMessage, _: Instant) {
        self.waiting.push_back(message);
    }

    fn next(&mut self, _: Instant) -> Option<EncodedMessage> {
        self.waiting.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn on_messages(&mut self, count: u64) {
        self.left = self.left.saturating_sub(count);
    }

    fn intervention(&self) -> Option<Intervention> {
        (self.left == 0).then_some(Intervention::Cut)
    }
}

async fn connect(OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade) -> Response {
    match uri.query() {
        None => upgrade.accept_channels(headers, uri),
        Some("cut") => upgrade.intercept(Cut { left: 4, waiting: VecDeque::new() }).accept_channels(headers, uri),
        Some(_) => (StatusCode::PAYMENT_REQUIRED, "pay first").into_response(),
    }
}

async fn server() -> TestServer {
    let wire = Everwire::builder().authorize(AllowAll).build();
    let app = Router::new().route("/everwire", wire.channels_endpoint("/everwire").route(connect));
    TestServer::serve_app(wire, app).await
}

#[tokio::test]
async fn an_application_can_refuse_a_handshake() {
    let server = server().await;
    let refused = test_client::Client::try_connect(server.address, "/everwire?no", &[PROTOCOL]).await;
    assert_eq!(refused.unwrap_err(), (402, "pay first".to_owned()));
    server.attach().await;
}

#[tokio::test]
async fn an_application_can_put_an_interceptor_between_a_client_and_the_channels() {
    let server = server().await;
    let mut client = test_client::Client::try_connect(server.address, "/everwire?cut", &[PROTOCOL]).await.unwrap();
    assert!(client.ask("hello attempt=0").await.starts_with("welcome "));
    assert!(client.ask("ping 1").await.starts_with("pong 1 "));
    client.is_cut().await;
}

#[tokio::test]
async fn without_the_subprotocol_a_client_is_refused() {
    let server = server().await;
    let (status, sentence) = test_client::Client::try_connect(server.address, "/everwire", &[]).await.unwrap_err();
    assert_eq!((status, sentence.as_str()), (400, "connect with the subprotocol everwire.v1"));
}

//! Tests of the channels through real WebSockets: what a client sends, line by line, and what it is answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/chat_server.rs"]
mod chat;

mod channels;
mod failures;
mod permissions;
mod requests;
mod sessions;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use everwire_core::protocol::{Cursor, Lines, Payload, ServerLine};
use everwire_server::channels::AllowAll;
use everwire_server::{Builder, Everwire};
use everwire_test_client as test_client;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

pub(crate) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "everwire.v1");

/// A server on a free port, until the runtime ends.
pub(crate) struct TestServer {
    pub(crate) everwire: Everwire,
    pub(crate) address: SocketAddr,
}

impl TestServer {
    pub(crate) async fn start(change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::serve(change(Everwire::builder().authorize(AllowAll)).build()).await
    }

    pub(crate) async fn serve(everwire: Everwire) -> Self {
        let app = Router::new().merge(everwire.router());
        Self::serve_app(everwire, app).await
    }

    pub(crate) async fn serve_app(everwire: Everwire, app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { everwire, address }
    }

    /// Cuts a client's connection, and returns when the server has seen it.
    pub(crate) async fn detached(&self, client: Client) {
        let endpoint = self.everwire.endpoint_metrics("/everwire");
        let open = endpoint.connections();
        drop(client);
        while endpoint.connections() == open {
            tokio::task::yield_now().await;
        }
    }

    /// A connection that has sent nothing.
    pub(crate) async fn connect(&self) -> Client {
        Client::over(test_client::connect(self.address), self.address).await
    }

    /// A client with a new session.
    pub(crate) async fn attach(&self) -> (Client, Session) {
        let mut client = self.connect().await;
        client.send("hello attempt=0").await;
        let session = Session::of(&client.line().await);
        (client, session)
    }

    /// A client with a new session that is subscribed.
    pub(crate) async fn subscribed(&self, sub: &str) -> (Client, Session) {
        let (mut client, session) = self.attach().await;
        client.send(sub).await;
        client.expect("subscribed").await;
        (client, session)
    }

    /// A client that resumes a session.
    pub(crate) async fn resume(&self, session: &Session, lines: &str) -> (Client, String) {
        let mut client = self.connect().await;
        client.send(&format!("{}{lines}", session.hello())).await;
        let welcome = client.expect("welcome").await;
        (client, welcome)
    }
}

/// What a client keeps of its session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// What it says in `hello`.
    pub(crate) acked: u64,
}

impl Session {
    pub(crate) fn of(welcome: &str) -> Self {
        let id = welcome.split(' ').nth(1).unwrap().to_owned();
        let secret = option(welcome, "secret").unwrap_or_else(|| panic!("not a new session: {welcome}"));
        Self { id, secret, acked: 0 }
    }

    pub(crate) fn hello(&self) -> String {
        let Self { id, secret, acked } = self;
        format!("hello attempt=1 session={id} secret={secret} acked={acked}")
    }
}

/// The value of an option of a line.
pub(crate) fn option(line: &str, name: &str) -> Option<String> {
    let header = line.split('\n').next().unwrap();
    let value = header.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.map(str::to_owned)
}

/// The cursor of a line, which is its only word with two dots.
pub(crate) fn cursor(line: &str) -> Cursor {
    let header = line.split('\n').next().unwrap();
    header.split(' ').find_map(Cursor::parse).unwrap_or_else(|| panic!("no cursor: {line}"))
}

/// The offset and the payload of a `msg`.
pub(crate) fn message(line: &str) -> (u64, String) {
    assert!(line.starts_with("msg "), "{line}");
    (cursor(line).offset, line.split_once('\n').map(|(_, payload)| payload).unwrap_or_default().to_owned())
}

/// A client that speaks lines.
pub(crate) struct Client {
    pub(crate) client: test_client::Client<TcpStream>,
    received: VecDeque<String>,
    /// Messages of the WebSocket that were received.
    pub(crate) messages: usize,
}

impl Client {
    pub(crate) async fn over(stream: TcpStream, address: SocketAddr) -> Self {
        let url = format!("ws://{address}/everwire");
        let client = test_client::Client::over(stream, &url, &[PROTOCOL]).await.unwrap();
        Self { client, received: VecDeque::new(), messages: 0 }
    }

    /// Sends a text message; its lines are separated by U+001E, written as `␞`.
    pub(crate) async fn send(&mut self, lines: &str) {
        self.client.send(&lines.replace(" ␞ ", "\u{1e}")).await;
    }

    /// The next line, with its payload behind a line feed.
    pub(crate) async fn line(&mut self) -> String {
        while self.received.is_empty() {
            let message = self.client.message().await;
            self.take(&message);
        }
        self.received.pop_front().unwrap()
    }

    fn take(&mut self, message: &Message) {
        self.messages += 1;
        let lines: Vec<_> = match message {
            Message::Text(text) => Lines::<ServerLine>::text(text).map(show).collect(),
            Message::Binary(bytes) => Lines::<ServerLine>::binary(bytes).map(show).collect(),
            other => panic!("{other:?} instead of lines"),
        };
        self.received.extend(lines);
    }

    /// The next `count` lines.
    pub(crate) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.line().await);
        }
        lines
    }

    /// The next line, which must begin like this.
    pub(crate) async fn expect(&mut self, start: &str) -> String {
        let line = self.line().await;
        assert!(line.starts_with(start), "{line} instead of {start}");
        line
    }

    /// Sends lines, and expects the next one to begin like this.
    pub(crate) async fn ask(&mut self, lines: &str, start: &str) -> String {
        self.send(lines).await;
        self.expect(start).await
    }

    /// All lines up to the answer to a `ping` that is sent now.
    pub(crate) async fn settled(&mut self) -> Vec<String> {
        self.send("ping 99").await;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if line.starts_with("pong 99 ") {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Expects this line, and returns the close code after it.
    pub(crate) async fn closed_after(&mut self, last: &str) -> u16 {
        self.expect(last).await;
        self.client.closed().await.0
    }
}

fn show(line: Result<(ServerLine<'_>, Payload<'_>), everwire_core::protocol::ProtocolError<'_>>) -> String {
    let (line, payload) = line.unwrap();
    let mut text = String::new();
    line.write(&mut text).unwrap();
    match payload {
        Payload::None => text,
        Payload::Text(payload) => format!("{text}\n{payload}"),
        Payload::Binary(bytes) => format!("{text}\nbytes {bytes:?}"),
    }
}

/// Moves tokio's time.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_chat_takes_part_under_a_name_and_knows_its_members() {
    let (everwire, router) = chat::app();
    let server = TestServer::serve_app(everwire, router).await;
    let mut stranger = server.connect().await;
    stranger.send("hello attempt=0").await;
    assert_eq!(stranger.closed_after("error unauthorized fatal=1\nsay your name").await, 3000);
    let mut ada = server.connect().await;
    ada.send("hello attempt=0\nAda ␞ sub chat last:10 presence=1").await;
    for start in ["welcome ", "subscribed chat ", "presence chat 1", "join chat ", "pos chat "] {
        ada.expect(start).await;
    }
    assert!(ada.ask("req members 1", "res 1 0\n").await.ends_with("\n1"));
    server
        .everwire
        .publish(&chat::CHAT, &chat::Line { from: "server".to_owned(), text: "hi".to_owned() })
        .await
        .unwrap();
    assert!(ada.expect("msg chat ").await.ends_with("\n{\"from\":\"server\",\"text\":\"hi\"}"));
}

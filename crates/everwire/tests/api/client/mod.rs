//! The client of `everwire.v1`, against a server that is scripted line by line, and against the server library.

mod end_to_end;
#[cfg(unix)]
mod killed_server;
mod outcomes;
mod session;
mod subscriptions;

use std::collections::VecDeque;

use everwire::{
    Channel, Client, Delivery, Subscription,
    client::{ChannelMessage, ClientBuilder, ClientError},
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::support::{eager, within};

const CHAT: Channel<String> = Channel::new("chat");

/// The next item of a subscription.
async fn next<T, D>(subscription: &mut Subscription<T, D>) -> Delivery<T, D> {
    within("an item arrived", subscription.next()).await.expect("the subscription ended")
}

/// The next item, which is a message.
async fn message<T: core::fmt::Debug, D: core::fmt::Debug>(subscription: &mut Subscription<T, D>) -> ChannelMessage<T> {
    match next(subscription).await {
        Delivery::Message(message) => message,
        other => panic!("not a message: {other:?}"),
    }
}

async fn closed(client: &everwire::Client) -> ClientError {
    within("the client was over", client.closed()).await
}

/// The first `welcome` of a session.
pub(crate) const WELCOME: &str = "welcome q3Zt generation=1 time=1795219200000 heartbeat=25000 message=4096 credits=64 \
    subscriptions=256 expires=120000 acked=0 secret=Jm4x";

/// A `welcome` of the same session.
pub(crate) fn resumed(acked: u64) -> String {
    format!(
        "welcome q3Zt generation=2 time=1795219200000 heartbeat=25000 message=4096 credits=64 subscriptions=256 \
         expires=120000 acked={acked} requests=kept"
    )
}

/// The position after the message with this offset.
pub(crate) fn at(offset: u64) -> String {
    format!("9f.{offset}.17952192{offset:05}")
}

pub(crate) struct Script {
    listener: TcpListener,
    /// What the server chooses where `everwire.v1` is offered.
    chooses: bool,
}

impl Script {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), chooses: true }
    }

    /// A server of WebSockets that knows no subprotocol.
    pub(crate) async fn start_plain() -> Self {
        Self { chooses: false, ..Self::start().await }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.listener.local_addr().unwrap())
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(self.url()).socket(|socket| socket.backoff(eager()))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().connect().unwrap()
    }

    pub(crate) async fn accept(&self) -> Peer {
        within("the client connected", async {
            let (stream, _) = self.listener.accept().await.unwrap();
            #[allow(clippy::result_large_err, reason = "the type is tungstenite's")]
            let choose = |_: &Request, mut response: Response| {
                if self.chooses {
                    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("everwire.v1"));
                }
                Ok(response)
            };
            Peer { stream: accept_hdr_async(stream, choose).await.unwrap(), lines: VecDeque::new() }
        })
        .await
    }

    /// Accepts a client, welcomes it, and returns after its `hello`.
    pub(crate) async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.expect("hello attempt=0").await;
        peer.send([WELCOME]).await;
        peer
    }
}

/// One connection, as the server has it.
pub(crate) struct Peer {
    stream: WebSocketStream<TcpStream>,
    lines: VecDeque<String>,
}

impl Peer {
    /// The next line of the client.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return line;
            }
            let message = within("the client sent a line", self.stream.next()).await;
            match message.expect("the client closed").expect("the connection broke") {
                Message::Text(text) => self.lines.extend(text.split('\u{1e}').map(str::to_owned)),
                Message::Binary(bytes) => self.lines.push_back(bytes.escape_ascii().to_string()),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn expect(&mut self, line: &str) {
        assert_eq!(self.line().await, line);
    }

    /// What the client sent in one message: fails if a part of it was taken.
    pub(crate) async fn message(&mut self) -> Vec<String> {
        assert!(self.lines.is_empty());
        let first = self.line().await;
        core::iter::once(first).chain(self.lines.drain(..)).collect()
    }

    /// Sends lines in one message.
    pub(crate) async fn send<const N: usize>(&mut self, lines: [&str; N]) {
        self.stream.send(Message::text(lines.join("\u{1e}"))).await.unwrap();
    }

    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.stream.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.stream.next().await {}
    }

    /// The close code of the client.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match within("the client closed", self.stream.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    // The answer goes out while the stream is read.
                    while let Some(Ok(_)) = self.stream.next().await {}
                    return frame.code.into();
                }
                Some(Ok(Message::Text(text))) => panic!("in place of a close: {text:?}"),
                Some(Ok(_)) => {}
                other => panic!("not closed by a frame: {other:?}"),
            }
        }
    }

    /// The connection breaks, as a network does.
    pub(crate) fn cut(self) {}
}

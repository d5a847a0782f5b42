use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use everwire_server::{Everwire, Server, ServerConfig};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a test waits for what must happen before it fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// Who accepts the connections.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Axum,
    Everwire,
}

pub(crate) const BOTH: [By; 2] = [By::Axum, By::Everwire];

/// Serves an application on a free port until the runtime ends.
pub(crate) async fn serve(by: By, everwire: &Everwire, app: Router) -> SocketAddr {
    match by {
        By::Axum => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, app).await });
            address
        }
        By::Everwire => {
            let config = ServerConfig::new(([127, 0, 0, 1], 0)).drain(Duration::ZERO);
            Server::bind(everwire, config).await.unwrap().start(app).local_addr()
        }
    }
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) response: Response,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        Self::try_connect(address, path, &[]).await.unwrap()
    }

    /// Connects with more headers; an error is the status and the body of the refusal.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match timeout(TIMEOUT, tokio_tungstenite::client_async(request, stream)).await.expect("an answer in time") {
            Ok((socket, response)) => Ok(Self { socket, response }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.to_string(),
            other => panic!("{other:?} is no text"),
        }
    }

    /// Sends a text and returns the answer.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.text().await
    }

    /// The code and the reason with which the server closes.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.message().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("{other:?} is no close frame with a code"),
        }
    }

    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        match self.message().await {
            Message::Binary(bytes) => bytes.to_vec(),
            other => panic!("{other:?} is not binary"),
        }
    }

    /// Reads on until the server closes, and returns its code and reason.
    pub(crate) async fn closed_at_last(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(Some(frame)) = self.message().await {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    async fn message(&mut self) -> Message {
        timeout(TIMEOUT, self.socket.next()).await.expect("a message in time").expect("an open connection").unwrap()
    }
}

/// Sends a GET request and returns the whole answer, head and body.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(TIMEOUT, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
    answer
}

//! What the tests of the server crates share: a client for WebSockets and raw HTTP over TCP, with a time limit on everything that it waits
//! for; a [`TcpProxy`] whose connections break on demand; and functions to signal a server's process and to wait for its exit.
//!
//! A method panics if the server does not behave as its name says, which fails the test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod proxy;

use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
#[cfg(unix)]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};

pub use proxy::{Direction, End, Flow, ProxiedConnection, TcpProxy};

/// How long a test waits for an expected event before it fails.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The HTTP status and the body of a refused handshake.
pub type Refused = (u16, String);

/// A WebSocket client.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    /// The open WebSocket.
    pub socket: WebSocketStream<S>,
    /// The response to the handshake.
    pub response: Response,
}

impl Client {
    /// Connects to an endpoint that must not refuse.
    pub async fn connect(address: SocketAddr, path: &str) -> Self {
        match Self::try_connect(address, path, &[]).await {
            Ok(client) => client,
            Err((status, body)) => panic!("{path} was refused with {status}: {body}"),
        }
    }

    /// Connects with additional headers.
    pub async fn try_connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        Self::over(connect(address), &format!("ws://{address}{path}"), headers).await
    }

    /// Connects with small buffers, so that the server soon detects a client that does not read.
    pub async fn with_small_buffer(address: SocketAddr, path: &str) -> Self {
        let stream = connect_with_small_buffers(address).await;
        Self::over(stream, &format!("ws://{address}{path}"), &[]).await.unwrap()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Performs the handshake over an open stream.
    pub async fn over(stream: S, url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        match timeout(TIMEOUT, tokio_tungstenite::client_async(request, stream)).await.expect("a response in time") {
            Ok((socket, response)) => Ok(Self { socket, response }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a text message.
    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message.
    pub async fn message(&mut self) -> Message {
        timeout(TIMEOUT, self.socket.next()).await.expect("a message in time").expect("an open connection").unwrap()
    }

    /// The next message, which must be text.
    pub async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.to_string(),
            other => panic!("{other:?} is not text"),
        }
    }

    /// The next message, which must be binary.
    pub async fn binary(&mut self) -> Vec<u8> {
        match self.message().await {
            Message::Binary(bytes) => bytes.to_vec(),
            other => panic!("{other:?} is not binary"),
        }
    }

    /// The next message, which must be JSON.
    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Sends a text and returns the answer.
    pub async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.text().await
    }

    /// Sends a message and asserts that it comes back.
    pub async fn echoes(&mut self, message: Message) {
        self.socket.send(message.clone()).await.unwrap();
        assert_eq!(self.message().await, message);
    }

    /// Sends a text and returns the error that the answer reports.
    pub async fn mistake(&mut self, text: &str) -> String {
        self.send(text).await;
        self.json().await["error"].as_str().expect("an error message").to_owned()
    }

    /// The code and the reason of the close frame, which must be the next message.
    pub async fn close_frame(&mut self) -> (u16, String) {
        match self.message().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("{other:?} is not a close frame with a code"),
        }
    }

    /// The code and the reason with which the server closes, after any messages.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.message().await {
                let frame = frame.expect("a close code");
                // Reading to the end sends the client's close frame, as a browser does by itself.
                let end = async { while let Some(Ok(_)) = self.socket.next().await {} };
                timeout(TIMEOUT, end).await.expect("an end after the close frame");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Asserts that the connection ends without a close frame.
    pub async fn is_cut(&mut self) {
        match timeout(TIMEOUT, self.socket.next()).await.expect("an end in time") {
            Some(Err(Error::Protocol(_) | Error::Io(_))) => {}
            other => panic!("{other:?} instead of a cut"),
        }
    }

    /// Whether there is nothing to read now: no message, no close frame, no end of the stream.
    pub fn is_silent(&mut self) -> bool {
        self.socket.next().now_or_never().is_none()
    }
}

/// Sends a GET request with additional header lines, each ended by CRLF, and returns the whole response, head and body.
pub async fn http(address: SocketAddr, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    raw(address, &request).await
}

/// Sends bytes and returns everything that the server sends until it closes.
pub async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut response)).await.expect("a response in time").unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// Opens a connection without yielding, so that a server on the same thread has not accepted it yet: no time limit of the request
/// runs while the test itself is delayed.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

/// Opens a connection that buffers only tens of kilobytes on the way to the client, instead of the megabytes that are usual within one
/// machine.
pub async fn connect_with_small_buffers(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    // The server's system reserves room for some segments, which otherwise have 64 kilobytes.
    #[cfg(unix)]
    SockRef::from(&socket).set_tcp_mss(536).unwrap();
    socket.connect(address).await.unwrap()
}

/// Sends a process a signal, such as `-TERM`.
pub fn signal(process: &Child, signal: &str) {
    // The shell has a built-in `kill` even where the program of that name is not installed.
    let kill = format!("kill {signal} {}", process.id());
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
}

/// Waits until a process has ended.
pub async fn end_of(process: &mut Child) -> ExitStatus {
    let ended = async {
        let mut pace = interval(Duration::from_millis(10));
        loop {
            pace.tick().await;
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
        }
    };
    timeout(TIMEOUT, ended).await.expect("the process ends")
}

use std::net::SocketAddr;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::{TIMEOUT, connect, connect_with_small_buffers};

/// The HTTP status and the body of a refused handshake.
pub(crate) type Refused = (u16, String);

/// A real WebSocket client.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        match Self::try_connect(address, path, &[]).await {
            Ok(client) => client,
            Err((status, sentence)) => panic!("{path} was refused with {status}: {sentence}"),
        }
    }

    /// Connects with more headers.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        Ok(Self::with_response(address, path, headers).await?.0)
    }

    /// Connects, and also returns the answer to the handshake.
    pub(crate) async fn with_response(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Response), Refused> {
        let stream = connect(address);
        Self::over_with_response(stream, &format!("ws://{address}{path}"), headers).await
    }

    /// Connects so that a client which does not read is soon noticed.
    pub(crate) async fn with_small_buffer(address: SocketAddr, path: &str) -> Self {
        let stream = connect_with_small_buffers(address).await;
        Self::over(stream, &format!("ws://{address}{path}"), &[]).await.unwrap()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn over(stream: S, url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        Ok(Self::over_with_response(stream, url, headers).await?.0)
    }

    async fn over_with_response(
        stream: S,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Response), Refused> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, response)) => Ok((Self { socket }, response)),
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

    /// What comes next, if it is a message.
    pub(crate) async fn message(&mut self) -> Message {
        timeout(TIMEOUT, self.socket.next()).await.expect("a message in time").expect("an open connection").unwrap()
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.to_string(),
            other => panic!("{other:?} is no text"),
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Sends a text and returns the answer.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.text().await
    }

    /// Sends a message and asserts that it comes back.
    pub(crate) async fn echoes(&mut self, message: Message) {
        self.socket.send(message.clone()).await.unwrap();
        assert_eq!(self.message().await, message);
    }

    /// Sends a text and returns what the answer says is wrong with it.
    pub(crate) async fn mistake(&mut self, text: &str) -> String {
        self.send(text).await;
        self.json().await["error"].as_str().expect("an error message").to_owned()
    }

    /// The code and the reason with which the server closes, after any messages.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.message().await {
                let frame = frame.expect("a close code");
                // Reading on lets the client answer, as a browser does by itself.
                let end = async { while let Some(Ok(_)) = self.socket.next().await {} };
                timeout(TIMEOUT, end).await.expect("an end after the close frame");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Asserts that the connection ends without a close frame.
    pub(crate) async fn is_cut(&mut self) {
        match timeout(TIMEOUT, self.socket.next()).await.expect("an end in time") {
            Some(Err(Error::Protocol(_) | Error::Io(_))) => {}
            other => panic!("{other:?} instead of a cut"),
        }
    }

    /// Whether nothing is to be read at this moment: no message, no close, no end.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.socket.next().now_or_never().is_none()
    }
}

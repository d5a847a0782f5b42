//! A client of the checks: a WebSocket over TCP or TLS that sends and expects lines.

use std::{
    collections::VecDeque,
    fmt::{self, Debug},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};

use everwire_core::protocol::{Cursor, Lines, Payload, ProtocolError, SUBPROTOCOL, ServerLine};
use futures_util::{SinkExt, StreamExt};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        error::UrlError,
        handshake::client::{Request, Response},
        http::HeaderValue,
    },
};

use crate::options::Options;

/// The number of the `ping` that marks the end of expected lines. No check sends it in a `ping` of its own.
const FENCE: u64 = 4_242_424_242;

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    None,
    Text(String),
    Binary(Vec<u8>),
}

/// A line of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) header: String,
    pub(crate) content: Content,
}

impl Received {
    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.header.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The cursor of a line, which is the first of its words that is one.
    pub(crate) fn cursor(&self) -> Outcome<Cursor> {
        let cursor = self.header.split(' ').skip(1).find_map(Cursor::parse);
        cursor.map_or_else(|| failed("a cursor", self), Ok)
    }

    /// The text of the payload; empty if it has none.
    pub(crate) fn text(&self) -> String {
        match &self.content {
            Content::Text(text) => text.clone(),
            Content::None | Content::Binary(_) => String::new(),
        }
    }

    /// Whether the line has no payload.
    pub(crate) fn has_no_content(&self) -> bool {
        self.content == Content::None
    }

    /// Whether the line begins with these words.
    fn begins(&self, words: &str) -> bool {
        self.header.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

impl fmt::Display for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.header)?;
        match &self.content {
            Content::None => Ok(()),
            Content::Text(text) => write!(formatter, " with {:.80?}", text),
            Content::Binary(bytes) => write!(formatter, " with {} bytes", bytes.len()),
        }
    }
}

/// The session of a `welcome`.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) line: Received,
    pub(crate) id: String,
    /// Empty in the welcome of a session that was resumed.
    pub(crate) secret: String,
}

impl Session {
    /// A number of the `welcome`.
    pub(crate) fn number(&self, name: &str) -> Outcome<u64> {
        let number = self.line.option(name).and_then(|number| number.parse().ok());
        number.map_or_else(|| failed(format_args!("{name}= in the welcome"), &self.line), Ok)
    }
}

/// A connection that sends and expects lines, with a time limit on everything.
#[derive(Debug)]
pub(crate) struct Client {
    socket: Socket,
    received: VecDeque<Received>,
    time: Duration,
    credentials: Option<String>,
}

impl Client {
    pub(crate) async fn connect(options: &Options) -> Outcome<Self> {
        let (socket, protocol) = match Self::open(options, Some(SUBPROTOCOL)).await? {
            Ok(open) => open,
            Err(error) => return failed(format_args!("a WebSocket with the subprotocol {SUBPROTOCOL}"), error),
        };
        require(protocol.as_deref() == Some(SUBPROTOCOL), SUBPROTOCOL, format_args!("{protocol:?}"))?;
        let (time, credentials) = (options.timeout, options.credentials.clone());
        Ok(Self { socket, received: VecDeque::new(), time, credentials })
    }

    /// Performs a handshake with these subprotocols. Returns the one that was chosen.
    pub(crate) async fn open(
        options: &Options,
        protocols: Option<&'static str>,
    ) -> Outcome<Result<(Socket, Option<String>), Error>> {
        let request = options.url.as_str().into_client_request();
        let mut request = request.map_err(|error| Stop::Failed(format!("{}: {error}", options.url)))?;
        if let Some(protocols) = protocols {
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(protocols));
        }
        let opened = timeout(options.timeout, open_socket(request, options)).await;
        let Ok(opened) = opened else { return failed("an answer to the handshake in time", "none") };
        Ok(opened.map(|(socket, response)| {
            let protocol = response.headers().get("sec-websocket-protocol");
            (socket, protocol.map(|protocol| String::from_utf8_lossy(protocol.as_bytes()).into_owned()))
        }))
    }

    /// Waits longer for each answer.
    pub(crate) fn extend_timeout(&mut self, time: Duration) {
        self.time += time;
    }

    /// Sends a text message. Its lines are separated by U+001E, written as ` ␞ `.
    pub(crate) async fn send(&mut self, lines: &str) -> Outcome {
        self.send_message(Message::text(lines.replace(" ␞ ", "\u{1e}"))).await
    }

    pub(crate) async fn send_message(&mut self, message: Message) -> Outcome {
        match timeout(self.time, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => failed("a connection that takes a message", error),
            Err(_) => failed("a connection that takes a message", "no progress in time"),
        }
    }

    /// Sends a `hello` with the credentials, and more lines in the same message.
    pub(crate) async fn hello(&mut self, hello: &str, lines: &str) -> Outcome {
        let credentials = self.credentials.as_ref().map(|text| format!("\n{text}")).unwrap_or_default();
        self.send(&format!("{hello}{credentials}{lines}")).await
    }

    /// The bytes of what [`hello`](Self::hello) appends.
    pub(crate) fn credentials_len(&self) -> usize {
        self.credentials.as_ref().map_or(0, |text| text.len() + 1)
    }

    pub(crate) async fn welcome(&mut self) -> Outcome<Session> {
        let line = self.expect("welcome").await?;
        let id = line.header.split(' ').nth(1).unwrap_or_default().to_owned();
        let secret = line.option("secret").unwrap_or_default().to_owned();
        Ok(Session { line, id, secret })
    }

    /// The next line, or how the connection ended.
    async fn next(&mut self) -> Outcome<Result<Received, Option<u16>>> {
        loop {
            if let Some(line) = self.received.pop_front() {
                return Ok(Ok(line));
            }
            let Ok(message) = timeout(self.time, self.socket.next()).await else {
                return Err(Stop::Failed(format!("nothing came within {} s", self.time.as_secs_f64())));
            };
            let lines = match &message {
                Some(Ok(Message::Text(text))) => Lines::<ServerLine>::text(text).map(keep).collect(),
                Some(Ok(Message::Binary(bytes))) => Lines::<ServerLine>::binary(bytes).map(keep).collect(),
                Some(Ok(Message::Close(frame))) => return Ok(Err(frame.as_ref().map(|frame| frame.code.into()))),
                Some(Ok(_)) => Ok(Vec::new()),
                Some(Err(_)) | None => return Ok(Err(None)),
            };
            self.received.extend(lines.map_err(|error: String| Stop::Failed(error))?);
        }
    }

    /// The next line, which must begin with these words. `credits` and `pos` may come at any time, and are skipped unless they are
    /// expected.
    pub(crate) async fn expect(&mut self, words: &str) -> Outcome<Received> {
        self.expect_any(&[words]).await
    }

    /// The next line, which must begin in one of these ways.
    pub(crate) async fn expect_any(&mut self, words: &[&str]) -> Outcome<Received> {
        let expected = |came: &dyn fmt::Display| Stop::Failed(format!("expected `{}`, {came}", words.join("` or `")));
        loop {
            match self.next().await {
                Ok(Ok(line)) if words.iter().any(|words| line.begins(words)) => return Ok(line),
                Ok(Ok(line)) if line.begins("credits") || line.begins("pos") => {}
                Ok(Ok(line)) => return Err(expected(&format_args!("got {line}"))),
                Ok(Err(code)) => return Err(expected(&format_args!("the connection closed with {}", shown(code)))),
                Err(Stop::Failed(reason)) => return Err(expected(&reason)),
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Sends lines, and expects the next line to begin with these words.
    pub(crate) async fn ask(&mut self, lines: &str, words: &str) -> Outcome<Received> {
        self.send(lines).await?;
        self.expect(words).await
    }

    /// Sends lines, and expects the next line to begin in one of these ways.
    pub(crate) async fn ask_any(&mut self, lines: &str, words: &[&str]) -> Outcome<Received> {
        self.send(lines).await?;
        self.expect_any(words).await
    }

    /// Publishes to a channel that the client is subscribed to: the answer, and its own copy.
    pub(crate) async fn publish(&mut self, channel: &str, seq: u64, rest: &str) -> Outcome<(Received, Received)> {
        let ack = self.ask(&format!("pub {channel} {seq}{rest}"), &format!("ack {seq}")).await?;
        let copy = self.expect(&format!("msg {channel}")).await?;
        require(ack.cursor()? == copy.cursor()?, format_args!("the cursor of {ack}"), &copy)?;
        Ok((ack, copy))
    }

    /// Fails if anything but `credits` and `pos` comes before the answer to a `ping`.
    pub(crate) async fn expect_nothing_else(&mut self) -> Outcome {
        self.ask(&format!("ping {FENCE}"), &format!("pong {FENCE}")).await.map(drop)
    }

    /// Expects an error that closes the connection with a code. `line` is the type of the line, where the error names one.
    pub(crate) async fn expect_fatal(&mut self, code: &str, line: Option<&str>, close_code: u16) -> Outcome {
        let error = self.expect(&format!("error {code}")).await?;
        require(error.option("fatal") == Some("1"), format_args!("`error {code} fatal=1`"), &error)?;
        if line.is_some() {
            require(error.option("line") == line, format_args!("line={}", line.unwrap_or_default()), &error)?;
        }
        self.expect_close(close_code).await
    }

    /// Expects the connection to end with this code, without another line.
    pub(crate) async fn expect_close(&mut self, close_code: u16) -> Outcome {
        let code = self.expect_end().await?;
        require(code == Some(close_code), format_args!("the close code {close_code}"), shown(code))
    }

    /// Expects the connection to end without another line. Returns the close code, if there is one.
    pub(crate) async fn expect_end(&mut self) -> Outcome<Option<u16>> {
        loop {
            match self.next().await.map_err(still_open)? {
                Ok(line) if line.begins("credits") || line.begins("pos") => {}
                Ok(line) => return failed("the connection to close", line),
                Err(code) => return Ok(code),
            }
        }
    }

    /// Reads until the connection ends. Returns the close code, and the lines.
    pub(crate) async fn read_to_end(&mut self) -> Outcome<(Option<u16>, Vec<Received>)> {
        let mut lines = Vec::new();
        loop {
            match self.next().await.map_err(still_open)? {
                Ok(line) => lines.push(line),
                Err(code) => return Ok((code, lines)),
            }
        }
    }
}

/// Turns a timeout into a failure to close the connection.
fn still_open(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(reason) => Stop::Failed(format!("expected the connection to close, {reason}")),
        skipped @ Stop::Skipped(_) => skipped,
    }
}

fn shown(code: Option<u16>) -> String {
    code.map_or_else(|| "no close code".to_owned(), |code| code.to_string())
}

fn keep(line: Result<(ServerLine<'_>, Payload<'_>), ProtocolError<'_>>) -> Result<Received, String> {
    let (line, payload) = line.map_err(|error| format!("the server sent a line that is not allowed: {error}"))?;
    let mut header = String::new();
    line.write(&mut header).map_err(|error| format!("the server sent {line:?}: {error}"))?;
    let content = match payload {
        Payload::None => Content::None,
        Payload::Text(text) => Content::Text(text.to_owned()),
        Payload::Binary(bytes) => Content::Binary(bytes.to_vec()),
    };
    Ok(Received { header, content })
}

// The outcome of a check.

/// Why a check stops.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Stop {
    /// What was expected, and what came instead.
    #[error("{0}")]
    Failed(String),
    /// What the check would need.
    #[error("{0}")]
    Skipped(String),
}

pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// Fails a check, with what it expected and what came instead.
pub(crate) fn failed<T>(expected: impl fmt::Display, came: impl fmt::Display) -> Outcome<T> {
    Err(Stop::Failed(format!("expected {expected}, got {came}")))
}

/// Fails a check unless the condition holds.
pub(crate) fn require(holds: bool, expected: impl fmt::Display, came: impl fmt::Display) -> Outcome {
    if holds { Ok(()) } else { failed(expected, came) }
}

// The transport.

pub(crate) trait Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Stream for S {}

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Connects, and performs the handshake.
pub(crate) async fn open_socket(request: Request, options: &Options) -> Result<(Socket, Response), Error> {
    let uri = request.uri();
    let is_tls = uri.scheme_str() == Some("wss");
    let host = uri.host().ok_or(Error::Url(UrlError::NoHostName))?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((host.as_str(), port)).await?;
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = if is_tls {
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(tls_config(options.ca.as_deref())?));
        Box::new(connector.connect(name, tcp).await?)
    } else {
        Box::new(tcp)
    };
    client_async_with_config(request, stream, None).await
}

/// Trusts the certificate authorities of browsers, and those in a file.
fn tls_config(ca: Option<&Path>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca {
        let in_file = |error: &dyn fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| in_file(&error))? {
            let certificate = certificate.map_err(|error| in_file(&error))?;
            roots.add(certificate).map_err(|error| in_file(&error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use everwire_core::protocol::SUBPROTOCOL;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::checks::checks;
use crate::fault::{Fault, FaultyLines, Shared};
use crate::options::Options;
use crate::suite::{Report, run};
use crate::transport;

const PROTOCOL: &str = "sec-websocket-protocol";

/// Stands before a server and makes it faulty. Dropping it stops it; open connections go on until their clients close them.
///
/// ```no_run
/// use everwire_conformance::{Fault, FaultyProxy, Options, checks, run};
///
/// # async fn example() -> std::io::Result<()> {
/// let server = Options::new("ws://127.0.0.1:9001/everwire");
/// let proxy = FaultyProxy::start(&server, Some(Fault::RepeatsMessages)).await?;
/// let options = Options::new(proxy.url());
/// for check in checks() {
///     println!("{}", run(&check, &options).await);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FaultyProxy {
    /// Listens on a free port of the loopback interface. Without a fault, it passes everything on as it is.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(server: &Options, fault: Option<Fault>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (server, shared) = (Arc::new(server.clone()), Arc::default());
        let task = tokio::spawn(async move {
            // A connection that cannot be accepted is the client's to report.
            while let Ok((stream, _)) = listener.accept().await {
                let (server, shared) = (Arc::clone(&server), Arc::clone(&shared));
                tokio::spawn(async move { serve(stream, &server, fault, shared).await });
            }
        });
        Ok(Self { address, task })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("ws://{}/everwire", self.address)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs the check that finds a fault, against the server with this fault. `None` if there is no such check.
///
/// # Errors
/// There is no free port for the proxy.
pub async fn run_with(fault: Fault, options: &Options) -> io::Result<Option<Report>> {
    let Some(check) = checks().into_iter().find(|check| check.name() == fault.found_by()) else { return Ok(None) };
    let proxy = FaultyProxy::start(options, Some(fault)).await?;
    let mut options = options.clone();
    options.url = proxy.url();
    Ok(Some(run(&check, &options).await))
}

/// Serves a connection until either side ends it. Errors end it too, which the client sees.
async fn serve(
    stream: TcpStream,
    server: &Options,
    fault: Option<Fault>,
    shared: Arc<Mutex<Shared>>,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut client = accept(stream, fault).await?;
    let mut request = server.url.as_str().into_client_request()?;
    request.headers_mut().insert(PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let (mut upstream, _) = transport::connect(request, server).await?;
    let mut lines = FaultyLines::new(fault, Arc::clone(&shared));
    let mut is_open = true;
    loop {
        tokio::select! {
            message = client.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    if let Some(message) = to_server(message, fault, &mut lines).filter(|_| is_open) {
                        // The server may have closed the connection; why, its close frame says.
                        let _ = upstream.send(message).await;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            message = upstream.next(), if is_open => match message {
                Some(Ok(Message::Text(text))) => {
                    let lines: Vec<_> = text.split('\u{1e}').flat_map(|line| lines.server_line(line)).collect();
                    if !lines.is_empty() {
                        client.send(Message::text(lines.join("\u{1e}"))).await?;
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    is_open = false;
                    if let Some(frame) = closing(frame, fault).filter(|_| lines.shows_close()) {
                        client.send(Message::Close(frame)).await?;
                    }
                }
                Some(Ok(message @ Message::Binary(_))) => client.send(message).await?,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    // A server that ends its connections without a close frame is gone.
                    shared.lock().unwrap_or_else(PoisonError::into_inner).has_restarted |= is_open;
                    return Ok(());
                }
            },
        }
    }
}

#[allow(clippy::result_large_err, reason = "the type of the callback is that of tungstenite")]
async fn accept(stream: TcpStream, fault: Option<Fault>) -> Result<WebSocketStream<TcpStream>, Error> {
    accept_hdr_async(stream, |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let offered = request.headers().get(PROTOCOL).and_then(|offered| offered.to_str().ok()).unwrap_or_default();
        let mut offered = offered.split(',').map(str::trim);
        let chosen = match fault {
            Some(Fault::ChoosesAnyProtocol) => offered.next(),
            _ => offered.find(|protocol| *protocol == SUBPROTOCOL),
        };
        match chosen.and_then(|protocol| HeaderValue::from_str(protocol).ok()) {
            Some(protocol) => {
                response.headers_mut().insert(PROTOCOL, protocol);
                Ok(response)
            }
            None => {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = StatusCode::BAD_REQUEST;
                Err(refusal)
            }
        }
    })
    .await
}

/// What the server gets instead of a message of the client, if anything.
fn to_server(message: Message, fault: Option<Fault>, lines: &mut FaultyLines) -> Option<Message> {
    match (fault, message) {
        (Some(Fault::IgnoresBinaryMessages), Message::Binary(_)) => None,
        (Some(Fault::IgnoresLargeHello), message) if !lines.is_attached() && message.len() > 1 << 10 => None,
        (Some(Fault::IgnoresLargeMessages), message) if message.len() > lines.message_bytes => None,
        (_, Message::Text(text)) => {
            let only = if fault == Some(Fault::HandlesFirstLineOnly) { 1 } else { usize::MAX };
            let lines: Vec<_> = text.split('\u{1e}').take(only).filter_map(|line| lines.client_line(line)).collect();
            (!lines.is_empty()).then(|| Message::text(lines.join("\u{1e}")))
        }
        (_, message) => Some(message),
    }
}

/// The close frame that the client gets instead of the server's, if it gets one.
fn closing(frame: Option<CloseFrame>, fault: Option<Fault>) -> Option<Option<CloseFrame>> {
    let is_takeover = frame.as_ref().is_some_and(|frame| u16::from(frame.code) == 4409);
    match fault {
        Some(Fault::KeepsOpenAfterError) => None,
        Some(Fault::AcceptsOldGeneration) if is_takeover => None,
        Some(Fault::ClosesAsIfInOrder) => Some(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })),
        _ => Some(frame),
    }
}

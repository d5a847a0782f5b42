//! Faults, and a proxy that gives them to a correct server: they show that the checks detect what they look for.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use everwire_core::protocol::{ClientLine, Cursor, ProtocolError, SUBPROTOCOL};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{
    checks::checks,
    client::open_socket,
    options::Options,
    suite::{Report, run},
};

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident => $check:literal,)*) => {
        /// A fault of a server. A [`FaultyProxy`] gives it to a correct server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$fault),*];

            /// The name of a check that detects it.
            pub const fn found_by(self) -> &'static str {
                match self {
                    $(Self::$fault => $check,)*
                }
            }
        }
    };
}

faults! {
    /// Chooses the first subprotocol that is offered.
    ChoosesAnyProtocol => "the-subprotocol-is-chosen-among-others",
    /// Omits a limit from the welcome.
    OmitsLimit => "the-welcome-says-all-limits",
    /// Handles only the first line of a message.
    HandlesFirstLineOnly => "lines-sent-with-hello-are-answered-after-the-welcome",
    /// Answers a ping with another number.
    ChangesPong => "a-ping-is-answered-with-its-number-and-the-time",
    /// Does not end the session at a `bye`.
    IgnoresBye => "bye-ends-the-session",
    /// Resumes a session whatever the secret is.
    IgnoresSecret => "a-session-is-not-resumed-without-its-secret",
    /// Accepts any credentials.
    AcceptsAnyCredentials => "wrong-credentials-are-refused-and-nothing-else-is-answered",
    /// Ignores malformed lines.
    IgnoresMalformedLines => "malformed-sub-in-a-text-message-closes-the-connection",
    /// Ignores lines of an unknown type.
    IgnoresUnknownLines => "a-type-of-no-client-when-attached-is-treated-as-unknown-line",
    /// Ignores lines with an unknown option.
    IgnoresUnknownOptions => "options-that-are-not-known-are-ignored",
    /// Ignores long messages before the welcome.
    IgnoresLargeHello => "a-message-of-64-kib-with-hello-is-taken",
    /// Waits for `hello` without a limit.
    WaitsForHello => "a-client-without-hello-is-closed-in-time",
    /// Ignores a second `hello`.
    IgnoresSecondHello => "hello-when-attached-is-treated-as-unexpected",
    /// Reports a fatal error and does not close.
    KeepsOpenAfterError => "sub-when-new-is-treated-as-unexpected",
    /// Closes without the error.
    ClosesWithoutError => "sub-when-new-is-treated-as-unexpected",
    /// Always closes with 1000.
    AlwaysClosesNormally => "sub-when-new-is-treated-as-unexpected",
    /// Delivers each message twice.
    RepeatsMessages => "live-begins-with-the-next-message",
    /// Delivers no message.
    LosesMessages => "live-begins-with-the-next-message",
    /// Begins with the next message instead of the last ones.
    IgnoresLast => "last-begins-with-so-many-messages",
    /// Does not report that a subscriber has caught up.
    OmitsPosition => "from-begins-after-a-cursor",
    /// Delivers to a client that wants the position only.
    DeliversToHold => "hold-gives-the-position-only",
    /// Sends every message of a key instead of the latest.
    SendsWholeState => "state-gives-the-latest-message-of-each-key",
    /// Delivers after `unsub`.
    IgnoresUnsub => "unsub-ends-the-deliveries",
    /// Does not report a gap.
    OmitsGap => "a-cursor-of-another-epoch-is-a-gap",
    /// Reports a rewritten history as trimmed.
    ChangesGapReason => "a-cursor-ahead-of-the-history-is-a-gap",
    /// Compares only the offset of a cursor, not its epoch.
    IgnoresEpoch => "a-cursor-of-another-epoch-is-a-gap",
    /// Compares only the offset of a cursor, not its time.
    IgnoresTime => "a-cursor-with-another-time-is-a-gap",
    /// Does not answer publishes.
    OmitsAcks => "a-publish-is-answered-before-its-own-copy",
    /// Answers a publish twice.
    RepeatsAcks => "publishes-of-one-message-are-answered-in-order",
    /// Delivers a client's own message before the answer.
    DeliversBeforeAck => "a-publish-is-answered-before-its-own-copy",
    /// Does not name the publisher of a message.
    OmitsProducer => "a-message-says-who-published-it",
    /// Does not name the key of a message.
    OmitsKey => "a-message-says-who-published-it",
    /// Does not answer a publish that is sent again.
    IgnoresRepeatedPublish => "a-repeated-publish-has-the-same-answer-and-is-stored-once",
    /// Stores a publish again that is sent again.
    StoresRepeatedPublish => "a-repeated-publish-has-the-same-answer-and-is-stored-once",
    /// Accepts a publish although the number before it is missing.
    AcceptsMissingNumber => "a-missing-number-closes-the-connection",
    /// Ignores a message that is too large.
    IgnoresLargeMessages => "a-message-over-the-limit-closes-the-connection-with-1009",
    /// Ignores binary messages.
    IgnoresBinaryMessages => "bytes-arrive-as-they-were-sent",
    /// Delivers an empty payload as none.
    OmitsEmptyPayload => "an-empty-payload-is-not-none",
    /// Starts a new session where one is to be resumed.
    ForgetsSessions => "a-resume-goes-on-with-the-session",
    /// Claims that no publish is decided.
    ForgetsDecided => "missed-answers-follow-before-the-subscriptions",
    /// Ignores which publishes the client has the answers to.
    IgnoresAcked => "answers-that-the-client-has-do-not-follow",
    /// Gives every attach the first generation.
    RepeatsGeneration => "generations-count-by-one",
    /// Keeps the connection of an older generation.
    AcceptsOldGeneration => "a-newer-generation-takes-over",
    /// Does not make a session a member.
    IgnoresPresence => "a-session-that-enters-learns-who-is-there",
    /// Does not report who joins.
    OmitsJoins => "the-others-learn-who-enters-and-leaves",
    /// Reports a member that reconnects as gone.
    LeavesOnReconnect => "a-reconnect-is-no-join-and-no-leave",
    /// Does not refuse a request without a handler.
    OmitsNacks => "a-request-without-a-handler-is-refused",
    /// Sends each part of an answer twice.
    RepeatsAnswers => "a-request-is-answered-in-parts",
    /// Does not stop a request that is cancelled.
    IgnoresCancel => "a-request-is-cancelled",
    /// Does not stop a request that another session cancels.
    IgnoresCancelOfOthers => "another-session-of-the-user-cancels-a-request",
    /// Treats all clients as the same user.
    ConfusesUsers => "another-user-cannot-cancel-a-request",
    /// Does not stop a request that has timed out.
    IgnoresTimeout => "a-request-expires",
    /// Runs more requests than there are credits.
    ExceedsCredits => "more-unanswered-requests-than-credits-close-the-connection",
    /// Loses all sessions in a restart.
    ForgetsSessionsAtRestart => "a-restart-neither-loses-nor-repeats-anything",
    /// Loses the history in a restart.
    ForgetsHistoryAtRestart => "a-restart-neither-loses-nor-repeats-anything",
    /// Does not announce a drain.
    OmitsDrain => "a-server-that-drains-asks-its-clients-to-leave-and-serves-them-until-then",
}

/// State that the connections of a faulty server share.
#[derive(Debug, Default)]
struct Shared {
    /// The secret of each session.
    secrets: HashMap<String, String>,
    /// The cursor of each offset: a check that looks at cursors uses one channel.
    cursors: HashMap<u64, Cursor>,
    /// The sessions that have resumed, which the members of a channel do not know yet.
    resumed: Vec<String>,
    /// The first credentials, which are right.
    credentials: Option<String>,
    /// The server has ended its connections without a close frame.
    has_restarted: bool,
}

/// Applies a fault to the lines of one connection.
#[derive(Debug)]
struct FaultyLines {
    fault: Option<Fault>,
    shared: Arc<Mutex<Shared>>,
    is_attached: bool,
    /// The greatest number of a publish.
    greatest: u64,
    /// Under which number a publish was sent again, and its own.
    renamed: Option<(u64, u64)>,
    /// The channel of which the client is a member.
    channel: Option<String>,
    /// An answer that waits for the message behind it.
    held: Option<String>,
    credits: u64,
    message_bytes: usize,
}

impl FaultyLines {
    fn new(fault: Option<Fault>, shared: Arc<Mutex<Shared>>) -> Self {
        Self {
            fault,
            shared,
            is_attached: false,
            greatest: 0,
            renamed: None,
            channel: None,
            held: None,
            credits: u64::MAX,
            message_bytes: usize::MAX,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line that the server gets instead of the client's, if any.
    fn client_line(&mut self, line: &str) -> Option<String> {
        let kept = || Some(line.to_owned());
        let header = line.split('\n').next().unwrap_or_default();
        let parsed = ClientLine::parse(header);
        let is_hello = matches!(parsed, Ok(ClientLine::Hello(_)));
        let is_second = is_hello && self.is_attached;
        self.is_attached |= is_hello;
        let before = self.greatest;
        if let Ok(ClientLine::Pub(publish)) = parsed {
            self.greatest = before.max(publish.seq);
        }
        let Some(fault) = self.fault else { return kept() };
        match (fault, parsed) {
            (Fault::IgnoresBye, Ok(ClientLine::Bye))
            | (Fault::IgnoresMalformedLines, Err(ProtocolError::Malformed { .. }))
            | (Fault::IgnoresUnknownLines, Err(ProtocolError::UnknownLine(_)))
            | (Fault::IgnoresUnsub, Ok(ClientLine::Unsub { .. }))
            | (Fault::IgnoresCancel, Ok(ClientLine::Cancel { .. }))
            | (Fault::IgnoresCancelOfOthers, Ok(ClientLine::Cancel { of: Some(_), .. })) => None,
            (Fault::IgnoresSecondHello, _) if is_second => None,
            (Fault::IgnoresUnknownOptions, _) if header.contains(" colour=") => None,
            (Fault::IgnoresSecret, Ok(ClientLine::Hello(hello))) => {
                let secret = hello.resume.and_then(|resume| self.shared().secrets.get(resume.session).cloned());
                Some(edit(line, |word| match &secret {
                    Some(secret) if word.starts_with("secret=") => Some(format!("secret={secret}")),
                    _ => Some(word.to_owned()),
                }))
            }
            (Fault::AcceptsAnyCredentials | Fault::ConfusesUsers, Ok(ClientLine::Hello(_))) => {
                let own = line.split_once('\n').map(|(_, credentials)| credentials.to_owned()).unwrap_or_default();
                let credentials = self.shared().credentials.get_or_insert(own).clone();
                Some(format!("{header}\n{credentials}"))
            }
            (Fault::LeavesOnReconnect, Ok(ClientLine::Hello(hello))) => {
                self.shared().resumed.extend(hello.resume.map(|resume| resume.session.to_owned()));
                kept()
            }
            (Fault::ForgetsSessions, Ok(ClientLine::Hello(_))) => Some(without(&without(line, "session"), "secret")),
            (Fault::ForgetsSessionsAtRestart, Ok(ClientLine::Hello(_))) if self.shared().has_restarted => {
                Some(without(&without(line, "session"), "secret"))
            }
            (Fault::ForgetsHistoryAtRestart, Ok(ClientLine::Sub(_))) if self.shared().has_restarted => {
                Some(replace(line, |word| word.starts_with("from:"), "from:ffffffff.1.1"))
            }
            (Fault::IgnoresAcked, Ok(ClientLine::Hello(_))) => Some(without(line, "acked")),
            (Fault::IgnoresLast, Ok(ClientLine::Sub(_))) => {
                Some(replace(line, |word| word.starts_with("last:"), "live"))
            }
            (Fault::DeliversToHold, Ok(ClientLine::Sub(_))) => Some(replace(line, |word| word == "hold", "live")),
            (Fault::SendsWholeState, Ok(ClientLine::Sub(_))) => Some(replace(line, |word| word == "state", "last:100")),
            (Fault::IgnoresPresence, Ok(ClientLine::Sub(_))) => Some(without(line, "presence")),
            (fault @ (Fault::IgnoresEpoch | Fault::IgnoresTime), Ok(ClientLine::Sub(_))) => Some(edit(line, |word| {
                let cursor = word.strip_prefix("from:").and_then(Cursor::parse);
                let Some(mut cursor) = cursor else { return Some(word.to_owned()) };
                if let Some(own) = self.shared().cursors.get(&cursor.offset) {
                    if fault == Fault::IgnoresEpoch { cursor.epoch = own.epoch } else { cursor.time = own.time }
                }
                Some(format!("from:{cursor}"))
            })),
            (Fault::IgnoresRepeatedPublish, Ok(ClientLine::Pub(publish))) if publish.seq <= before => None,
            (Fault::StoresRepeatedPublish, Ok(ClientLine::Pub(publish))) if publish.seq <= before => {
                self.greatest = before + 1;
                self.renamed = Some((self.greatest, publish.seq));
                let own = publish.seq.to_string();
                Some(replace(line, |word| word == own, &self.greatest.to_string()))
            }
            (Fault::AcceptsMissingNumber, Ok(ClientLine::Pub(publish))) if publish.seq > before + 1 => {
                Some(line.replacen(header, &format!("{header} after={before}"), 1))
            }
            (Fault::IgnoresTimeout, Ok(ClientLine::Req(_))) => Some(without(line, "timeout")),
            (Fault::ExceedsCredits, Ok(ClientLine::Req(request))) if request.seq > self.credits => None,
            _ => kept(),
        }
    }

    /// What the client gets instead of a line of the server.
    fn server_line(&mut self, line: &str) -> Vec<String> {
        let kept = line.to_owned();
        let header = line.split('\n').next().unwrap_or_default();
        let line_type = header.split(' ').next().unwrap_or_default();
        self.record(header, line_type);
        let Some(fault) = self.fault else { return vec![kept] };
        match (fault, line_type) {
            (Fault::LosesMessages, "msg")
            | (Fault::OmitsPosition, "pos")
            | (Fault::OmitsGap, "gap")
            | (Fault::OmitsAcks, "ack")
            | (Fault::OmitsNacks, "nack")
            | (Fault::OmitsJoins, "join")
            | (Fault::OmitsDrain, "drain")
            | (Fault::ClosesWithoutError, "error") => Vec::new(),
            (Fault::WaitsForHello, "error") if !self.is_attached => Vec::new(),
            (Fault::AcceptsOldGeneration, "error") if header.contains("taken-over") => Vec::new(),
            (Fault::RepeatsMessages, "msg") | (Fault::RepeatsAcks, "ack") | (Fault::RepeatsAnswers, "res") => {
                vec![kept.clone(), kept]
            }
            (Fault::DeliversBeforeAck, "ack") => {
                self.held = Some(kept);
                Vec::new()
            }
            (Fault::DeliversBeforeAck, "msg") => [Some(kept), self.held.take()].into_iter().flatten().collect(),
            (Fault::OmitsLimit, "welcome") => vec![without(line, "credits")],
            (Fault::ForgetsDecided, "welcome") => vec![replace(line, |word| word.starts_with("acked="), "acked=0")],
            (Fault::RepeatsGeneration, "welcome") => {
                vec![replace(line, |word| word.starts_with("generation="), "generation=1")]
            }
            (Fault::LeavesOnReconnect, "pong") => {
                let resumed = std::mem::take(&mut self.shared().resumed);
                let channel = self.channel.as_deref().unwrap_or_default();
                let lines =
                    resumed.iter().flat_map(|id| ["leave", "join"].map(|line| format!("{line} {channel} {id}")));
                lines.chain([kept]).collect()
            }
            (Fault::ChangesPong, "pong") => vec![line.replacen("pong ", "pong 1", 1)],
            (Fault::ChangesGapReason, "gap") => vec![replace(line, |word| word == "rewritten", "trimmed")],
            (Fault::OmitsProducer, "msg") => vec![without(line, "by")],
            (Fault::OmitsKey, "msg") => vec![without(line, "key")],
            (Fault::OmitsEmptyPayload, "msg") => vec![line.strip_suffix('\n').unwrap_or(line).to_owned()],
            (Fault::StoresRepeatedPublish, "ack") => match self.renamed {
                Some((sent, own)) => vec![line.replacen(&format!("ack {sent} "), &format!("ack {own} "), 1)],
                None => vec![kept],
            },
            _ => vec![kept],
        }
    }

    /// Whether the client has sent `hello`.
    fn is_attached(&self) -> bool {
        self.is_attached
    }

    /// Whether the client sees that the server closes the connection.
    fn shows_close(&self) -> bool {
        self.is_attached || self.fault != Some(Fault::WaitsForHello)
    }

    fn record(&mut self, header: &str, line_type: &str) {
        let option = |name: &str| header.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        if line_type == "welcome" {
            self.credits = option("credits").and_then(|credits| credits.parse().ok()).unwrap_or(u64::MAX);
            self.message_bytes = option("message").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
            if let (Some(session), Some(secret)) = (header.split(' ').nth(1), option("secret")) {
                self.shared().secrets.insert(session.to_owned(), secret.to_owned());
            }
        }
        if line_type == "presence" {
            self.channel = header.split(' ').nth(1).map(str::to_owned);
        }
        if let Some(cursor) = header.split(' ').skip(1).find_map(Cursor::parse).filter(|_| line_type == "ack") {
            self.shared().cursors.insert(cursor.offset, cursor);
        }
    }
}

/// Changes the words of a header, or leaves them out.
fn edit(line: &str, change: impl FnMut(&str) -> Option<String>) -> String {
    let (header, payload) = match line.split_once('\n') {
        Some((header, payload)) => (header, Some(payload)),
        None => (line, None),
    };
    let words: Vec<String> = header.split(' ').filter_map(change).collect();
    let payload = payload.map(|payload| format!("\n{payload}")).unwrap_or_default();
    format!("{}{payload}", words.join(" "))
}

fn without(line: &str, option: &str) -> String {
    let is_it = |word: &str| word.strip_prefix(option).is_some_and(|rest| rest.starts_with('='));
    edit(line, |word| (!is_it(word)).then(|| word.to_owned()))
}

fn replace(line: &str, is_it: impl Fn(&str) -> bool, other: &str) -> String {
    edit(line, |word| Some(if is_it(word) { other } else { word }.to_owned()))
}

const PROTOCOL: &str = "sec-websocket-protocol";

/// A proxy in front of a server that makes it faulty. Dropping it stops it; open connections last until their clients close them.
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
    /// Listens on a free port of the loopback interface. Without a fault, it forwards everything unchanged.
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

    /// The address for clients.
    pub fn url(&self) -> String {
        format!("ws://{}/everwire", self.address)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs the check that detects a fault against the server with this fault. `None` if there is no such check.
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

/// Serves a connection until either side, or an error, ends it.
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
    let (mut upstream, _) = open_socket(request, server).await?;
    let mut lines = FaultyLines::new(fault, Arc::clone(&shared));
    let mut is_open = true;
    loop {
        tokio::select! {
            message = client.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    if let Some(message) = to_server(message, fault, &mut lines).filter(|_| is_open) {
                        // The server may have closed the connection; its close frame gives the reason.
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
                    // A server that ends its connections without a close frame is being restarted.
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

/// The message that the server gets instead of the client's, if any.
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
        Some(Fault::AlwaysClosesNormally) => Some(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })),
        _ => Some(frame),
    }
}

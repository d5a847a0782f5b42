use core::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    task::{Context, Poll},
    time::Duration,
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use everwire_core::{CloseCode, CloseReason, SocketId};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::{
    io::AsyncReadExt,
    runtime::Handle,
    select,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{
    self, Bytes, Error,
    error::CapacityError,
    handshake::client::Response,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode as WireCode, Data, OpCode},
        },
    },
};

use super::{
    connector::{Connected, Connector, Stream, WRITE_BYTES},
    received::Received,
};
use crate::{
    Cause, Message,
    shared::{Platform, Shared},
};

/// How long a link lives on without progress after its socket was dropped, or after the close frame of the server.
const LINGER: Duration = Duration::from_secs(3);

/// Roughly what a frame's header takes. It limits how many empty messages one write holds.
const FRAME_OVERHEAD: usize = 16;

/// One WebSocket, served by a task of its own. Dropping it ends the task and with it the TCP connection.
pub(super) struct Link {
    socket: SocketId,
    commands: UnboundedSender<Command>,
    buffered: Arc<AtomicU64>,
    task: Task,
}

enum Command {
    Send(Message),
    Close(CloseCode, CloseReason),
}

/// Aborts its task when it is dropped.
struct Task(Option<AbortHandle>);

impl Link {
    pub(super) fn open<P: Platform>(
        runtime: &Handle,
        shared: Weak<Shared<P>>,
        socket: SocketId,
        connector: Connector,
    ) -> Self {
        let (commands, inbound) = unbounded_channel();
        let buffered = Arc::new(AtomicU64::new(0));
        let server = Server { shared, socket, buffered: buffered.clone() };
        let task = runtime.spawn(async move {
            // The address provider and the heartbeat run the application's code, which may panic.
            if let Err(panic) = AssertUnwindSafe(server.serve(connector, inbound)).catch_unwind().await {
                server.dropped(Cause::panicked(&*panic));
            }
        });
        Self { socket, commands, buffered, task: Task(Some(task.abort_handle())) }
    }

    pub(super) fn socket(&self) -> SocketId {
        self.socket
    }

    pub(super) fn send(&self, message: Message) {
        self.buffered.fetch_add(message.len() as u64, Ordering::Relaxed);
        // A task that has ended has reported that to the core.
        let _ = self.commands.send(Command::Send(message));
    }

    pub(super) fn close(&self, code: CloseCode, reason: CloseReason) {
        let _ = self.commands.send(Command::Close(code, reason));
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        self.buffered.load(Ordering::Relaxed)
    }

    /// Lets the task end by itself, after the closing handshake.
    pub(super) fn finish(mut self) {
        self.task.0 = None;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// What the task of a link knows.
struct Server<P> {
    shared: Weak<Shared<P>>,
    socket: SocketId,
    buffered: Arc<AtomicU64>,
}

impl<P: Platform> Server<P> {
    async fn serve(&self, connector: Connector, commands: UnboundedReceiver<Command>) {
        let Connected { stream, response, url } = match connector.connect().await {
            Ok(connected) => connected,
            Err(cause) => return self.dropped(cause),
        };
        self.opened(&response, url);
        let mut exchange = Exchange::new(stream);
        let error = self.exchange(&mut exchange, commands).await;
        self.dropped(exchange.cause(error.as_ref()));
        if let Some(frame) = error.as_ref().and_then(close_frame_for) {
            // The core knows already; that the server learns the reason is a courtesy.
            let _ = timeout(LINGER, exchange.send_close(frame)).await;
        }
    }

    /// Moves messages in both directions until the socket is gone.
    async fn exchange(&self, exchange: &mut Exchange, mut commands: UnboundedReceiver<Command>) -> Option<Error> {
        let mut is_held = true;
        // Set once the socket was dropped or the server sent its close frame; each write that completes restarts it.
        let mut give_up_at = None;
        loop {
            let step = select! {
                command = commands.recv(), if is_held => {
                    is_held = command.is_some();
                    command.into_iter().for_each(|command| exchange.push(command));
                    while let Ok(command) = commands.try_recv() {
                        exchange.push(command);
                    }
                    Step::Commanded
                }
                step = poll_fn(|cx| exchange.poll(cx)) => step,
                () = until(give_up_at) => return None,
            };
            match step {
                Step::Commanded => {}
                Step::Received(message) => self.received(message),
                Step::Activity => self.activity(),
                Step::Written(bytes) => {
                    self.buffered.fetch_sub(bytes, Ordering::Relaxed);
                    give_up_at = None;
                }
                Step::Ended(error) => return error,
            }
            if !is_held || exchange.close.is_some() {
                give_up_at = give_up_at.or_else(|| Some(Instant::now() + LINGER));
            }
        }
    }

    fn opened(&self, response: &Response, url: String) {
        let Some(shared) = Shared::alive(&self.shared) else { return };
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let protocol = header("sec-websocket-protocol");
        let extensions = header("sec-websocket-extensions");
        shared.opened(self.socket, url, protocol, extensions);
    }

    fn received(&self, received: Received) {
        if let Some(shared) = Shared::alive(&self.shared) {
            shared.received(self.socket, received, shared.platform.now());
        }
    }

    fn activity(&self) {
        if let Some(shared) = Shared::alive(&self.shared) {
            shared.activity(self.socket, shared.platform.now());
        }
    }

    fn dropped(&self, cause: Cause) {
        if let Some(shared) = Shared::alive(&self.shared) {
            let buffered = self.buffered.load(Ordering::Relaxed);
            shared.dropped(self.socket, cause, buffered);
        }
    }
}

/// A WebSocket and its outbound queue.
///
/// It reads and writes concurrently. A server that stops reading while its own writes block, as an echo with backpressure does, would
/// otherwise deadlock with this side.
struct Exchange {
    stream: Stream,
    queue: VecDeque<Command>,
    /// The part of a fragmented message that has not been written yet.
    rest: Option<Rest>,
    /// The payload bytes of the batch that is being flushed.
    writing: Option<u64>,
    /// Which direction is polled first next. They alternate, so that neither starves the other.
    is_readers_turn: bool,
    /// The close frame of the server, if one came.
    close: Option<Option<CloseFrame>>,
}

struct Rest {
    kind: Data,
    bytes: Bytes,
}

/// What an exchange did last.
enum Step {
    /// It took commands from the application.
    Commanded,
    /// It received a message.
    Received(Received),
    /// It received a control frame or a part of a message.
    Activity,
    /// It flushed this many payload bytes to the network.
    Written(u64),
    /// The WebSocket is gone.
    Ended(Option<Error>),
}

impl Exchange {
    fn new(stream: Stream) -> Self {
        Self { stream, queue: VecDeque::new(), rest: None, writing: None, is_readers_turn: true, close: None }
    }

    fn push(&mut self, command: Command) {
        self.queue.push_back(command);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let is_readers_turn = self.is_readers_turn;
        self.is_readers_turn = !is_readers_turn;
        let first = if is_readers_turn { self.poll_read(cx) } else { self.poll_write(cx) };
        if first.is_ready() {
            return first;
        }
        if is_readers_turn { self.poll_write(cx) } else { self.poll_read(cx) }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let read = self.stream.poll_next_unpin(cx);
        let has_received = self.stream.get_mut().take_has_received();
        Poll::Ready(match read {
            Poll::Ready(Some(Ok(tungstenite::Message::Text(text)))) => Step::Received(Received::Text(text)),
            Poll::Ready(Some(Ok(tungstenite::Message::Binary(bytes)))) => Step::Received(Received::Binary(bytes)),
            Poll::Ready(Some(Ok(tungstenite::Message::Close(frame)))) => {
                self.close = Some(frame);
                // The server ignores whatever follows. Tungstenite answers the frame while the stream is read.
                self.queue.clear();
                self.rest = None;
                Step::Activity
            }
            // Tungstenite answers protocol pings by itself.
            Poll::Ready(Some(Ok(_))) => Step::Activity,
            Poll::Ready(Some(Err(error))) => Step::Ended(Some(error)),
            Poll::Ready(None) => Step::Ended(None),
            Poll::Pending if has_received => Step::Activity,
            Poll::Pending => return Poll::Pending,
        })
    }

    /// Writes one batch from the queue and flushes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if self.writing.is_none() {
            if self.queue.is_empty() && self.rest.is_none() {
                return Poll::Pending;
            }
            // Pongs for a server that sends pings and does not read may fill tungstenite's buffer. Flushing them first makes sure that
            // the batch fits.
            if let Err(error) = core::task::ready!(self.stream.poll_flush_unpin(cx)) {
                return Poll::Ready(Step::Ended(Some(error)));
            }
            match self.feed() {
                Ok(bytes) => self.writing = Some(bytes),
                Err(error) => return Poll::Ready(Step::Ended(Some(error))),
            }
        }
        Poll::Ready(match core::task::ready!(self.stream.poll_flush_unpin(cx)) {
            Ok(()) => Step::Written(self.writing.take().unwrap_or_default()),
            Err(error) => Step::Ended(Some(error)),
        })
    }

    /// Hands one batch of frames to tungstenite; returns the bytes of their payloads.
    fn feed(&mut self) -> Result<u64, Error> {
        let (mut bytes, mut room) = (0, WRITE_BYTES);
        while room > 0
            && let Some(frame) = self.next_frame()
        {
            let payload = match &frame {
                tungstenite::Message::Frame(frame) => frame.payload().len(),
                _ => 0,
            };
            bytes += payload as u64;
            room = room.saturating_sub(payload + FRAME_OVERHEAD);
            self.stream.start_send_unpin(frame)?;
        }
        Ok(bytes)
    }

    fn next_frame(&mut self) -> Option<tungstenite::Message> {
        let (kind, mut bytes, is_first) = match self.rest.take() {
            Some(Rest { kind, bytes }) => (kind, bytes, false),
            None => match self.queue.pop_front()? {
                Command::Send(Message::Text(text)) => (Data::Text, text.into(), true),
                Command::Send(Message::Binary(bytes)) => (Data::Binary, bytes.into(), true),
                Command::Close(code, reason) => {
                    let frame = CloseFrame { code: WireCode::from(code.value()), reason: reason.as_str().into() };
                    return Some(tungstenite::Message::Close(Some(frame)));
                }
            },
        };
        let rest = bytes.split_off(bytes.len().min(WRITE_BYTES));
        let is_last = rest.is_empty();
        if !is_last {
            self.rest = Some(Rest { kind, bytes: rest });
        }
        let kind = if is_first { kind } else { Data::Continue };
        Some(tungstenite::Message::Frame(Frame::message(bytes, OpCode::Data(kind), is_last)))
    }

    /// What a browser would report: the frame's code, 1005 for a frame without one, 1006 where none came.
    fn cause(&self, error: Option<&Error>) -> Cause {
        let failed = error.filter(|error| !matches!(error, Error::ConnectionClosed | Error::AlreadyClosed));
        match (&self.close, failed) {
            (Some(Some(frame)), _) => Cause::closed(frame.code.into(), frame.reason.as_str(), true),
            (Some(None), _) => Cause::closed(1005, "", true),
            (None, Some(Error::Capacity(CapacityError::MessageTooLong { size, max_size }))) => Cause::closed(
                1009,
                format!(
                    "the server sent a message of at least {size} bytes, and the limit is {max_size}: raise SocketBuilder::max_message_bytes"
                ),
                false,
            ),
            (None, failed) => Cause::closed(1006, failed.map(Error::to_string).unwrap_or_default(), false),
        }
    }

    /// Sends a close frame after this side has failed the connection, and waits for the server to close.
    async fn send_close(&mut self, frame: CloseFrame) {
        if self.stream.send(tungstenite::Message::Close(Some(frame))).await.is_err() {
            return;
        }
        // Closing a TCP connection with unread data resets it, and the server could lose the frame.
        let mut unread = vec![0; 4 << 10];
        while let Ok(1..) = self.stream.get_mut().read(&mut unread).await {}
    }
}

/// The close frame for a message that this side cannot process (RFC 6455, section 7.4.1).
fn close_frame_for(error: &Error) -> Option<CloseFrame> {
    let code = match error {
        Error::Capacity(_) => WireCode::Size,
        Error::Utf8(_) => WireCode::Invalid,
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(_) => WireCode::Protocol,
        _ => return None,
    };
    Some(CloseFrame { code, reason: "".into() })
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => core::future::pending().await,
    }
}

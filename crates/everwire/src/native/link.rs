//! One WebSocket and the task that serves it: sending, receiving and the messages of tungstenite.

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
    connect::{Connected, Connector, Stream, WRITE_BYTES},
    received::Received,
};
use crate::{
    Cause, Message,
    shared::{Platform, Shared},
};

/// How long the task goes on without progress after its link was dropped, or after the close frame of the server.
const LINGER: Duration = Duration::from_secs(3);

/// Roughly what a frame's header takes. It limits how many empty messages one write holds.
const FRAME_OVERHEAD: usize = 16;

/// One WebSocket, served by a task of its own. Dropping it ends the task and with it the TCP connection.
pub(super) struct Link {
    socket: SocketId,
    commands: UnboundedSender<Command>,
    buffered: Arc<AtomicU64>,
    task: AbortOnDrop,
}

enum Command {
    Send(Message),
    Close(CloseCode, CloseReason),
}

/// Aborts its task when it is dropped.
struct AbortOnDrop(Option<AbortHandle>);

impl Link {
    pub(super) fn open<P: Platform>(
        runtime: &Handle,
        shared: Weak<Shared<P>>,
        socket: SocketId,
        connector: Connector,
    ) -> Self {
        let (commands, inbound) = unbounded_channel();
        let buffered = Arc::new(AtomicU64::new(0));
        let worker = LinkTask { shared, socket, buffered: buffered.clone() };
        let task = runtime.spawn(async move {
            // The address provider and the heartbeat run the application's code, which may panic.
            if let Err(panic) = AssertUnwindSafe(worker.run(connector, inbound)).catch_unwind().await {
                worker.dropped(Cause::panicked(&*panic));
            }
        });
        Self { socket, commands, buffered, task: AbortOnDrop(Some(task.abort_handle())) }
    }

    pub(super) fn socket(&self) -> SocketId {
        self.socket
    }

    pub(super) fn send(&self, message: Message) {
        self.buffered.fetch_add(message.len() as u64, Ordering::Relaxed);
        // A task that has ended has reported its end to the core.
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

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// The state of a link's task.
struct LinkTask<P> {
    shared: Weak<Shared<P>>,
    socket: SocketId,
    buffered: Arc<AtomicU64>,
}

impl<P: Platform> LinkTask<P> {
    async fn run(&self, connector: Connector, commands: UnboundedReceiver<Command>) {
        let Connected { stream, response, url } = match connector.connect().await {
            Ok(connected) => connected,
            Err(cause) => return self.dropped(cause),
        };
        self.opened(&response, url);
        let mut stream = QueuedStream::new(stream);
        let error = self.transfer(&mut stream, commands).await;
        self.dropped(stream.cause(error.as_ref()));
        if let Some(frame) = error.as_ref().and_then(close_frame_for) {
            // The core knows already. The frame only informs the server of the reason.
            let _ = timeout(LINGER, stream.send_close(frame)).await;
        }
    }

    /// Moves messages in both directions until the socket is gone.
    async fn transfer(&self, stream: &mut QueuedStream, mut commands: UnboundedReceiver<Command>) -> Option<Error> {
        let mut has_link = true;
        // Set once the link was dropped or the server sent its close frame; each completed write restarts it.
        let mut give_up_at = None;
        loop {
            let event = select! {
                command = commands.recv(), if has_link => {
                    has_link = command.is_some();
                    command.into_iter().for_each(|command| stream.push(command));
                    while let Ok(command) = commands.try_recv() {
                        stream.push(command);
                    }
                    IoEvent::Queued
                }
                event = poll_fn(|cx| stream.poll(cx)) => event,
                () = until(give_up_at) => return None,
            };
            match event {
                IoEvent::Queued => {}
                IoEvent::Received(message) => self.received(message),
                IoEvent::Activity => self.activity(),
                IoEvent::Written(bytes) => {
                    self.buffered.fetch_sub(bytes, Ordering::Relaxed);
                    give_up_at = None;
                }
                IoEvent::Ended(error) => return error,
            }
            if !has_link || stream.close.is_some() {
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

/// A WebSocket and the queue of what is to be written.
///
/// It reads and writes concurrently. A server that stops reading while its own writes block, as an echo with backpressure does, would
/// otherwise deadlock with this side.
struct QueuedStream {
    stream: Stream,
    queue: VecDeque<Command>,
    /// The part of a fragmented message that has not been written yet.
    rest: Option<Fragments>,
    /// The payload bytes of the batch that is being flushed.
    writing: Option<u64>,
    /// Which direction is polled first next. They alternate, so that neither starves the other.
    is_readers_turn: bool,
    /// The close frame of the server, if one came.
    close: Option<Option<CloseFrame>>,
}

struct Fragments {
    kind: Data,
    bytes: Bytes,
}

/// The result of one step of a link's task.
enum IoEvent {
    /// Commands of the application were queued.
    Queued,
    /// A message was received.
    Received(Received),
    /// A control frame or a part of a message was received.
    Activity,
    /// This many payload bytes were flushed to the network.
    Written(u64),
    /// The WebSocket is gone.
    Ended(Option<Error>),
}

impl QueuedStream {
    fn new(stream: Stream) -> Self {
        Self { stream, queue: VecDeque::new(), rest: None, writing: None, is_readers_turn: true, close: None }
    }

    fn push(&mut self, command: Command) {
        self.queue.push_back(command);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent> {
        let is_readers_turn = self.is_readers_turn;
        self.is_readers_turn = !is_readers_turn;
        let first = if is_readers_turn { self.poll_read(cx) } else { self.poll_write(cx) };
        if first.is_ready() {
            return first;
        }
        if is_readers_turn { self.poll_write(cx) } else { self.poll_read(cx) }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent> {
        let read = self.stream.poll_next_unpin(cx);
        let has_received = self.stream.get_mut().take_has_received();
        Poll::Ready(match read {
            Poll::Ready(Some(Ok(tungstenite::Message::Text(text)))) => IoEvent::Received(Received::Text(text)),
            Poll::Ready(Some(Ok(tungstenite::Message::Binary(bytes)))) => IoEvent::Received(Received::Binary(bytes)),
            Poll::Ready(Some(Ok(tungstenite::Message::Close(frame)))) => {
                self.close = Some(frame);
                // The server ignores whatever follows. Tungstenite answers the frame while the stream is read.
                self.queue.clear();
                self.rest = None;
                IoEvent::Activity
            }
            // Tungstenite answers protocol pings by itself.
            Poll::Ready(Some(Ok(_))) => IoEvent::Activity,
            Poll::Ready(Some(Err(error))) => IoEvent::Ended(Some(error)),
            Poll::Ready(None) => IoEvent::Ended(None),
            Poll::Pending if has_received => IoEvent::Activity,
            Poll::Pending => return Poll::Pending,
        })
    }

    /// Writes one batch from the queue and flushes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent> {
        if self.writing.is_none() {
            if self.queue.is_empty() && self.rest.is_none() {
                return Poll::Pending;
            }
            // Pongs for a server that sends pings and does not read may fill tungstenite's buffer. Flushing them first makes sure that
            // the batch fits.
            if let Err(error) = core::task::ready!(self.stream.poll_flush_unpin(cx)) {
                return Poll::Ready(IoEvent::Ended(Some(error)));
            }
            match self.feed() {
                Ok(bytes) => self.writing = Some(bytes),
                Err(error) => return Poll::Ready(IoEvent::Ended(Some(error))),
            }
        }
        Poll::Ready(match core::task::ready!(self.stream.poll_flush_unpin(cx)) {
            Ok(()) => IoEvent::Written(self.writing.take().unwrap_or_default()),
            Err(error) => IoEvent::Ended(Some(error)),
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
            Some(Fragments { kind, bytes }) => (kind, bytes, false),
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
            self.rest = Some(Fragments { kind, bytes: rest });
        }
        let kind = if is_first { kind } else { Data::Continue };
        Some(tungstenite::Message::Frame(Frame::message(bytes, OpCode::Data(kind), is_last)))
    }

    /// The cause as a browser reports it: the frame's code, 1005 for a frame without one, 1006 without a frame.
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

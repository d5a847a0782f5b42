use core::time::Duration;
use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use everwire_core::{Cause, CloseCode, CloseReason, Input, SocketId};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    runtime::Handle,
    select,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
};
use tokio_tungstenite::tungstenite::{
    self, Error,
    handshake::client::Response,
    protocol::{CloseFrame, frame::coding::CloseCode as WireCode},
};

use super::{
    Received, alive,
    route::{Route, Stream},
};
use crate::{Message, shared::Shared};

/// For how long a socket that nobody holds any more goes on with its closing handshake.
const LAST_WORDS: Duration = Duration::from_secs(3);

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
    pub(super) fn open(runtime: &Handle, shared: Weak<Shared>, socket: SocketId, route: Route) -> Self {
        let (commands, inbound) = unbounded_channel();
        let buffered = Arc::new(AtomicU64::new(0));
        let server = Server { shared, socket, buffered: buffered.clone() };
        let task = runtime.spawn(server.serve(route, inbound));
        Self { socket, commands, buffered, task: Task(Some(task.abort_handle())) }
    }

    pub(super) fn socket(&self) -> SocketId {
        self.socket
    }

    pub(super) fn send(&self, message: Message) {
        self.buffered.fetch_add(message.len() as u64, Ordering::Relaxed);
        // A task that has ended has told the core so already.
        let _ = self.commands.send(Command::Send(message));
    }

    pub(super) fn close(&self, code: CloseCode, reason: CloseReason) {
        let _ = self.commands.send(Command::Close(code, reason));
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        self.buffered.load(Ordering::Relaxed)
    }

    /// Lets the task end by itself, after the closing handshake that was asked for.
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
struct Server {
    shared: Weak<Shared>,
    socket: SocketId,
    buffered: Arc<AtomicU64>,
}

impl Server {
    async fn serve(self, route: Route, commands: UnboundedReceiver<Command>) {
        let (stream, response, url) = match route.connect().await {
            Ok(connected) => connected,
            Err(cause) => return self.dropped(cause),
        };
        self.opened(&response, url);
        let cause = self.exchange(stream, commands).await;
        self.dropped(cause);
    }

    /// Moves messages in both directions until the socket is gone.
    async fn exchange(&self, stream: Stream, mut commands: UnboundedReceiver<Command>) -> Cause {
        let (mut writer, mut reader) = stream.split();
        let mut close = CloseSeen::default();
        loop {
            select! {
                command = commands.recv() => {
                    let Some(command) = command else {
                        // The link was let go of; what it asked for last is on its way.
                        let _ = tokio::time::timeout(LAST_WORDS, async { while let Some(Ok(_)) = reader.next().await {} }).await;
                        return Cause::closed(1006, "", false);
                    };
                    if let Err(error) = self.write(&mut writer, command, &mut commands).await {
                        return close.cause(Some(&error));
                    }
                }
                message = reader.next() => match message {
                    Some(Ok(message)) => self.read(message, &mut close),
                    Some(Err(error)) => return close.cause(Some(&error)),
                    None => return close.cause(None),
                },
            }
        }
    }

    /// Writes a command and all that wait behind it, and flushes once.
    async fn write(
        &self,
        writer: &mut (impl futures_util::Sink<tungstenite::Message, Error = Error> + Unpin),
        first: Command,
        commands: &mut UnboundedReceiver<Command>,
    ) -> Result<(), Error> {
        let mut next = Some(first);
        let mut written = 0;
        while let Some(command) = next {
            match command {
                Command::Send(message) => {
                    written += message.len() as u64;
                    writer.feed(into_wire(message)).await?;
                }
                Command::Close(code, reason) => {
                    let frame = CloseFrame { code: WireCode::from(code.value()), reason: reason.as_str().into() };
                    writer.feed(tungstenite::Message::Close(Some(frame))).await?;
                }
            }
            next = commands.try_recv().ok();
        }
        writer.flush().await?;
        self.buffered.fetch_sub(written, Ordering::Relaxed);
        Ok(())
    }

    fn opened(&self, response: &Response, url: String) {
        let Some(shared) = alive(&self.shared) else { return };
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let protocol = header("sec-websocket-protocol");
        let extensions = header("sec-websocket-extensions");
        shared.opened(self.socket, url, protocol, extensions);
    }

    fn read(&self, message: tungstenite::Message, close: &mut CloseSeen) {
        let received = match message {
            tungstenite::Message::Text(text) => Received::Text(text),
            tungstenite::Message::Binary(bytes) => Received::Binary(bytes),
            tungstenite::Message::Close(frame) => return close.frame = Some(frame),
            // Tungstenite answers protocol pings by itself.
            _ => return,
        };
        if let Some(shared) = alive(&self.shared) {
            shared.received(self.socket, received, shared.platform.now());
        }
    }

    fn dropped(&self, cause: Cause) {
        if let Some(shared) = alive(&self.shared) {
            let buffered = self.buffered.load(Ordering::Relaxed);
            shared.handle(Input::Dropped { socket: self.socket, cause, buffered });
        }
    }
}

/// The close frame of the server, if one came.
#[derive(Default)]
struct CloseSeen {
    frame: Option<Option<CloseFrame>>,
}

impl CloseSeen {
    /// What a browser would report: the frame's code, 1005 for a frame without one, 1006 where none came.
    fn cause(&self, error: Option<&Error>) -> Cause {
        let failed = error.filter(|error| !matches!(error, Error::ConnectionClosed | Error::AlreadyClosed));
        match &self.frame {
            Some(Some(frame)) => Cause::closed(frame.code.into(), frame.reason.as_str(), true),
            Some(None) => Cause::closed(1005, "", true),
            None => Cause::closed(1006, failed.map(Error::to_string).unwrap_or_default(), false),
        }
    }
}

fn into_wire(message: Message) -> tungstenite::Message {
    match message {
        Message::Text(text) => tungstenite::Message::Text(text.into()),
        Message::Binary(bytes) => tungstenite::Message::Binary(bytes.into()),
    }
}

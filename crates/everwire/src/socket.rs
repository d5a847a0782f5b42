//! The connection as an application holds it: [`Socket`], which reads, and [`SocketHandle`], which can be cloned.

use core::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use everwire_core::{CloseCode, CloseReason, Histogram, Input, LatencySummary, Phase};
use futures_core::Stream;
use futures_sink::Sink;

use crate::{
    Address, Attempt, BinaryType, Closed, CurrentPlatform, Event, Message, OpenError, SendError, SendOptions, Sent,
    SocketBuilder,
    builder::AddressSource,
    message::Payload,
    queue::Callback,
    shared::{Platform, Shared},
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

/// A WebSocket that stays connected.
///
/// It is a `Stream` of [`Event`] and a `Sink` of [`Message`], so `split()`, `forward()` and the rest of `futures` work with it. Its
/// [`handle`](Self::handle) can be cloned, to send and to read the state from elsewhere. The stream ends after [`Event::Closed`], and
/// continues after a call of [`reconnect`](Self::reconnect).
///
/// Dropping it closes the connection with code 1000 and frees every listener and timer.
///
/// ```no_run
/// use everwire::{Event, Socket};
/// use futures_util::StreamExt;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = Socket::open("ws://127.0.0.1:9001/echo")?;
/// socket.send("hello")?;
/// while let Some(event) = socket.next().await {
///     match event {
///         Event::Message(message) => println!("{message:?}"),
///         Event::Dropped(dropped) => println!("{}; next attempt in {:?}", dropped.cause, dropped.retry_in),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a socket closes it"]
pub struct Socket {
    handle: SocketHandle,
}

impl Socket {
    /// Opens a socket with every default. It returns at once and connects in the background.
    ///
    /// # Errors
    /// As [`SocketBuilder::open`].
    pub fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::builder(url).open()
    }

    /// The options of a socket to a fixed URL.
    pub fn builder(url: impl Into<String>) -> SocketBuilder {
        SocketBuilder::new(AddressSource::Fixed(url.into()))
    }

    /// The options of a socket whose URL a provider returns for each attempt: for tokens that expire. An error is a failed attempt, and
    /// so is a provider that takes longer than the connect timeout. If the server rejects the credentials (close codes 3000 and 4401),
    /// the socket connects again with new ones; with a fixed URL the connection would be over.
    pub fn builder_with_url_provider<F, Fut, A, E>(provide: F) -> SocketBuilder
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<A, E>> + MaybeSend + 'static,
        A: Into<Address>,
        E: fmt::Display,
    {
        SocketBuilder::with_provider(provide)
    }

    /// The handle of the connection, which can be cloned and has every method except those that read.
    pub fn handle(&self) -> &SocketHandle {
        &self.handle
    }

    /// Hands every event to `callback` from now on instead of the stream: for code that is called rather than polled. In a browser it
    /// costs less than half as much as a task that each message has to wake. The stream yields `None` from now on; another call
    /// replaces the callback.
    ///
    /// The callback runs where the platform reports the event: in a browser in the listener of the WebSocket or of a timer, in a native
    /// program in a task of the runtime, which it must not block. It never runs within a call of the application such as
    /// [`send`](Self::send), and is never reentered: a task delivers the events that such a call causes, and those that waited when the
    /// callback was set. So the callback may call every method, and may lock or borrow what the application locks or borrows during its
    /// own calls. In a native program a panic in the callback drops the connection, as one in a custom heartbeat does.
    ///
    /// Dropping the socket drops the callback, or when it returns if it is running. No event follows. A callback may hold a
    /// [`SocketHandle`].
    ///
    /// ```no_run
    /// use everwire::{Event, Message, Socket};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut socket = Socket::open("ws://127.0.0.1:9001/echo")?;
    /// let handle = socket.handle().clone();
    /// socket.on_event(move |event| {
    ///     if let Event::Message(Message::Text(text)) = event {
    ///         let _ = handle.send(text.to_uppercase());
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_event(&mut self, mut callback: impl FnMut(Event) + MaybeSend + 'static) {
        self.set_callback(Box::new(move |event| callback(event.map(Payload::into_message))));
    }

    pub(crate) fn set_callback(&mut self, callback: Callback) {
        self.handle.shared.set_callback(callback);
    }

    /// As [`SocketHandle::send`].
    ///
    /// # Errors
    /// As [`SocketHandle::send`].
    pub fn send(&self, message: impl Into<Message>) -> Result<Sent, SendError> {
        self.handle.send(message)
    }

    /// As [`SocketHandle::send_with`].
    ///
    /// # Errors
    /// As [`SocketHandle::send`].
    pub fn send_with(&self, message: impl Into<Message>, options: SendOptions) -> Result<Sent, SendError> {
        self.handle.send_with(message, options)
    }

    /// As [`SocketHandle::ready`].
    ///
    /// # Errors
    /// As [`SocketHandle::ready`].
    pub async fn ready(&self) -> Result<(), SendError> {
        self.handle.ready().await
    }

    /// As [`SocketHandle::flush`].
    ///
    /// # Errors
    /// As [`SocketHandle::flush`].
    pub async fn flush(&self) -> Result<(), SendError> {
        self.handle.flush().await
    }

    /// As [`SocketHandle::close`].
    pub fn close(&self) -> Closing {
        self.handle.close()
    }

    /// As [`SocketHandle::close_with`].
    pub fn close_with(&self, code: CloseCode, reason: CloseReason) -> Closing {
        self.handle.close_with(code, reason)
    }

    /// As [`SocketHandle::reconnect`].
    pub fn reconnect(&self) {
        self.handle.reconnect();
    }

    /// As [`SocketHandle::state`].
    pub fn state(&self) -> State {
        self.handle.state()
    }

    /// As [`SocketHandle::stats`].
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }
}

impl SocketBuilder {
    /// Opens the socket, which connects in the background.
    ///
    /// # Errors
    /// The URL is invalid, the platform has no WebSocket, or a native program calls it outside of a tokio runtime.
    pub fn open(self) -> Result<Socket, OpenError> {
        let shared = Pointer::new(Shared::new(&self, CurrentPlatform::new(&self)?));
        shared.platform.start(&shared);
        shared.request(Input::Open { since_last_dial: None });
        Ok(Socket { handle: SocketHandle { shared } })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A callback may hold a handle, and with it everything else.
        self.handle.shared.stop_reading();
        // Closing first lets pending messages go out; releasing then ends the connection for the remaining handles.
        drop(self.handle.close());
        self.handle.shared.platform.release(&self.handle.shared);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(formatter)
    }
}

impl Stream for Socket {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.handle
            .shared
            .poll_event(context.waker(), |payload| Ok::<_, Infallible>(payload.into_message()))
            .map(|event| event.map(|Ok(event)| event))
    }
}

impl Sink<Message> for Socket {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.handle.poll_ready(context)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        self.send(message).map(|_| ())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.handle.poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // Closing twice has no effect, so that every poll may do it.
        self.close().poll_closed(context).map(|_| Ok(()))
    }
}

/// Sends on a connection, closes it and reads its state. [`Socket::handle`](crate::Socket::handle) returns one, which can be cloned.
///
/// A handle does not keep the connection open: after the socket was dropped, sending returns an error. Dropping a handle changes nothing.
#[derive(Clone)]
pub struct SocketHandle {
    pub(crate) shared: Pointer<Shared<CurrentPlatform>>,
}

impl SocketHandle {
    /// Sends a message: at once if the connection is open and the network keeps up, otherwise as soon as that is so.
    ///
    /// # Errors
    /// [`SendError::Full`] if the outbox has no room, [`SendError::Closed`] if the connection was closed; both return the message.
    pub fn send(&self, message: impl Into<Message>) -> Result<Sent, SendError> {
        self.send_with(message, SendOptions::default())
    }

    /// Sends a message with a time to live, with a key or with priority.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(&self, message: impl Into<Message>, options: SendOptions) -> Result<Sent, SendError> {
        self.shared.send(message.into(), options)
    }

    /// Waits until more should be sent: what waits is below the high-water mark, or has come down to the low one.
    ///
    /// # Errors
    /// [`SendError::ClosedWhileWaiting`].
    pub async fn ready(&self) -> Result<(), SendError> {
        poll_fn(|context| self.poll_ready(context)).await
    }

    /// Waits until everything that was accepted has been handed to the network, over reconnects where needed.
    ///
    /// # Errors
    /// [`SendError::ClosedWhileWaiting`]; what could not be sent was reported by [`Event::Discarded`](crate::Event::Discarded).
    pub async fn flush(&self) -> Result<(), SendError> {
        poll_fn(|context| self.poll_flush(context)).await
    }

    /// Closes the connection with code 1000.
    pub fn close(&self) -> Closing {
        self.close_with(CloseCode::NORMAL, CloseReason::default())
    }

    /// Closes the connection. Queued messages are sent first if the connection is open, and reported as discarded if not. Closing
    /// starts at once; awaiting the future returns how the connection ended.
    pub fn close_with(&self, code: CloseCode, reason: CloseReason) -> Closing {
        self.shared.close(code, reason);
        Closing { handle: self.clone() }
    }

    /// Connects now: instead of waiting for the next attempt, to replace an open connection, or after the end. A call during an attempt
    /// changes nothing, and there is never less than [`Backoff::floor`](field@crate::Backoff::floor) between two attempts.
    pub fn reconnect(&self) {
        if !self.shared.platform.is_released() {
            self.shared.request(Input::Reconnect);
        }
    }

    /// The state of the connection.
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// The state of the platform's WebSocket; [`ReadyState::Connecting`] between two attempts.
    pub fn ready_state(&self) -> ReadyState {
        match self.state() {
            State::Connecting | State::Waiting { .. } => ReadyState::Connecting,
            State::Open => ReadyState::Open,
            State::Closing => ReadyState::Closing,
            State::Closed => ReadyState::Closed,
        }
    }

    /// The statistics of the socket so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// The distribution of the round trips.
    pub fn latency_histogram(&self) -> Histogram {
        self.shared.inspect(|connection, _| connection.latency().histogram().clone())
    }

    /// The server's time in milliseconds since the Unix epoch; `None` before an answer to a ping carried it.
    pub fn server_time(&self) -> Option<f64> {
        self.shared.inspect(|connection, now| connection.latency().clock().server_time(now))
    }

    /// The address of the latest open connection; empty before there was one.
    pub fn url(&self) -> String {
        self.shared.last_opened().url
    }

    /// The subprotocol that the server chose on the latest open connection; empty where it chose none.
    pub fn protocol(&self) -> String {
        self.shared.last_opened().protocol
    }

    /// The extensions in use on the latest open connection, as far as the platform reports them.
    pub fn extensions(&self) -> String {
        self.shared.last_opened().extensions
    }

    /// The bytes that wait to be sent, in the platform's buffer and in the outbox.
    pub fn buffered_amount(&self) -> u64 {
        let queued = self.shared.inspect(|connection, _| connection.outbox().bytes() as u64);
        queued + self.shared.platform.buffered_amount()
    }

    /// How a browser returns binary messages.
    pub fn binary_type(&self) -> BinaryType {
        self.shared.platform.binary_type()
    }

    /// Chooses how a browser returns the binary messages that follow.
    pub fn set_binary_type(&self, binary_type: BinaryType) {
        self.shared.platform.set_binary_type(binary_type);
    }

    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.shared.poll_for(context.waker(), |connection| match connection.phase() {
            Phase::Closing { .. } | Phase::Closed => Some(Err(SendError::ClosedWhileWaiting)),
            _ => connection.is_ready().then_some(Ok(())),
        })
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // The platform has no event for a drained buffer: the core measures it while a flush is pending.
        self.shared.request(Input::Flush);
        self.shared.poll_for(context.waker(), |connection| match connection.phase() {
            Phase::Closed => Some(Err(SendError::ClosedWhileWaiting)),
            _ => connection.is_flushed().then_some(Ok(())),
        })
    }
}

impl fmt::Debug for SocketHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Socket").field("url", &self.url()).field("state", &self.state()).finish_non_exhaustive()
    }
}

/// A future of how the connection ended. Dropping it changes nothing: closing goes on.
#[derive(Debug)]
pub struct Closing {
    handle: SocketHandle,
}

impl Closing {
    pub(super) fn poll_closed(&self, context: &mut Context<'_>) -> Poll<Closed> {
        self.handle.shared.poll_closed(context.waker())
    }
}

impl Future for Closing {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Closed> {
        self.poll_closed(context)
    }
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum State {
    /// An attempt is in progress.
    #[default]
    Connecting,
    /// The connection is open.
    Open,
    /// Between two attempts.
    Waiting {
        /// The number of the attempt that follows, since a connection was last stable, from 1.
        attempt: u32,
        /// How long until then, as of now; `None`: until the page returns from the back/forward cache.
        retry_in: Option<Duration>,
    },
    /// The application has closed the connection, and the closing handshake is in progress.
    Closing,
    /// Over, until a call of `reconnect`.
    Closed,
}

/// The state of the platform's WebSocket, with the browser's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// The handshake is in progress, or there is no socket between two attempts.
    Connecting = 0,
    /// Messages flow.
    Open = 1,
    /// The closing handshake is in progress.
    Closing = 2,
    /// The connection is over.
    Closed = 3,
}

/// The statistics of a socket, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The round trips.
    pub latency: LatencySummary,
    /// How often a connection was opened.
    pub opened: u64,
    /// How often a connection was lost or an attempt failed.
    pub dropped: u64,
    /// Messages handed to the platform, without on-open messages.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Messages received, without answers to pings.
    pub messages_in: u64,
    /// Their bytes; for a text that a browser received, its UTF-16 units.
    pub bytes_in: u64,
    /// Messages that wait in the outbox.
    pub queued_messages: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Messages that were dropped because the application did not read.
    pub lagged: u64,
}

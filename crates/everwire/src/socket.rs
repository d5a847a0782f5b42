//! The connection as an application holds it: [`Socket`], of messages, and [`TypedSocket`], of values by a codec.

use core::{
    convert::Infallible,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::{CloseCode, CloseReason, Input};
use futures_core::Stream;
use futures_sink::Sink;
use thiserror::Error;

use crate::{
    Address, Attempt, Closing, CurrentPlatform, Event, Message, OpenError, SendError, SendOptions, Sent, SocketBuilder,
    SocketHandle, State, Stats,
    builder::AddressSource,
    codec::{Decoder, Encoder},
    payload::Payload,
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

/// How much of the buffer for received messages is kept for the next one, in bytes.
const MAX_KEPT_BUFFER: usize = 64 << 10;

/// The typed view of a [`Socket`]: sends `Tx` and receives `Rx`, as messages of the [codec](crate::codec) `C`.
///
/// As a `Stream` it yields the socket's events, with messages decoded; [`recv`](Self::recv) yields the messages alone. A message
/// that is not an `Rx` is an error at its position, and the stream goes on. Dropping it closes the connection, as dropping a [`Socket`] does.
///
/// [`JsonSocket`] is the one for JSON.
#[must_use = "dropping a socket closes it"]
pub struct TypedSocket<Tx, Rx, C> {
    socket: Socket,
    codec: C,
    /// Received messages are copied into it to be decoded, on platforms that do not lend their buffer.
    buffer: Vec<u8>,
    types: PhantomData<fn(Tx) -> Rx>,
}

/// A [`TypedSocket`] of JSON texts.
///
/// ```no_run
/// use everwire::JsonSocket;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize)]
/// struct ClockRequest { client_time: f64 }
///
/// #[derive(Deserialize)]
/// struct ClockResponse { server_time: f64 }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = JsonSocket::<ClockRequest, ClockResponse>::open("ws://127.0.0.1:9001/clock")?;
/// socket.send(&ClockRequest { client_time: 0.0 })?;
/// while let Some(response) = socket.recv().await {
///     println!("the server's clock says {}", response?.server_time);
/// }
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "json")]
pub type JsonSocket<Tx, Rx> = TypedSocket<Tx, Rx, crate::codec::Json>;

/// Why a [`JsonSocket`] did not accept a value.
#[cfg(feature = "json")]
pub type JsonSendError = TypedSendError<serde_json::Error>;

/// Why a value was not accepted.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TypedSendError<E> {
    /// The codec cannot encode the value.
    #[error("the value cannot be encoded: {0}")]
    Encode(#[source] E),
    /// The message was not accepted.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl<Tx, Rx, C> TypedSocket<Tx, Rx, C> {
    /// Opens a socket with every default. It returns at once and connects in the background.
    ///
    /// # Errors
    /// As [`SocketBuilder::open`].
    pub fn open(url: impl Into<String>) -> Result<Self, OpenError>
    where
        C: Default,
    {
        Socket::open(url).map(|socket| socket.typed(C::default()))
    }

    /// The handle of the connection, to send other messages and to read its state.
    pub fn handle(&self) -> &SocketHandle {
        self.socket.handle()
    }

    /// As [`SocketHandle::ready`].
    ///
    /// # Errors
    /// As [`SocketHandle::ready`].
    pub async fn ready(&self) -> Result<(), SendError> {
        self.socket.ready().await
    }

    /// As [`SocketHandle::flush`].
    ///
    /// # Errors
    /// As [`SocketHandle::flush`].
    pub async fn flush(&self) -> Result<(), SendError> {
        self.socket.flush().await
    }

    /// As [`SocketHandle::close`].
    pub fn close(&self) -> Closing {
        self.socket.close()
    }

    /// As [`SocketHandle::close_with`].
    pub fn close_with(&self, code: CloseCode, reason: CloseReason) -> Closing {
        self.socket.close_with(code, reason)
    }

    /// As [`SocketHandle::reconnect`].
    pub fn reconnect(&self) {
        self.socket.reconnect();
    }

    /// As [`SocketHandle::state`].
    pub fn state(&self) -> State {
        self.socket.state()
    }

    /// As [`SocketHandle::stats`].
    pub fn stats(&self) -> Stats {
        self.socket.stats()
    }

    /// The codec.
    pub fn codec(&self) -> &C {
        &self.codec
    }

    /// The untyped socket, which stays open.
    pub fn into_socket(self) -> Socket {
        self.socket
    }

    pub(crate) fn new(socket: Socket, codec: C) -> Self {
        Self { socket, codec, buffer: Vec::new(), types: PhantomData }
    }
}

impl<Tx, Rx, C: Encoder<Tx>> TypedSocket<Tx, Rx, C> {
    /// Sends a value as [`SocketHandle::send`] does a message.
    ///
    /// # Errors
    /// The codec cannot encode the value, the outbox has no room, or the connection was closed.
    pub fn send(&self, value: &Tx) -> Result<Sent, TypedSendError<C::Error>> {
        self.send_with(value, SendOptions::default())
    }

    /// Sends a value with a time to live, with a key or with priority.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(&self, value: &Tx, options: SendOptions) -> Result<Sent, TypedSendError<C::Error>> {
        let message = self.codec.encode(value).map_err(TypedSendError::Encode)?;
        Ok(self.socket.send_with(message, options)?)
    }
}

impl<Tx, Rx, C: Decoder<Rx> + Unpin> TypedSocket<Tx, Rx, C> {
    /// The next message, over reconnects; `None` when the connection is over.
    ///
    /// # Errors
    /// The message is not an `Rx`. The next call yields the one after it.
    pub async fn recv(&mut self) -> Option<Result<Rx, C::Error>> {
        loop {
            match core::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await? {
                Ok(Event::Message(value)) => return Some(Ok(value)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<Tx, Rx: 'static, C: Decoder<Rx> + Clone + MaybeSend + 'static> TypedSocket<Tx, Rx, C> {
    /// Hands every event to `callback` from now on, instead of the stream, as [`Socket::on_event`] does.
    pub fn on_event(&mut self, mut callback: impl FnMut(Result<Event<Rx>, C::Error>) + MaybeSend + 'static) {
        let codec = self.codec.clone();
        let mut buffer = Vec::new();
        self.socket.set_callback(Box::new(move |event| {
            callback(event.try_map(|payload| decode(&codec, &payload, &mut buffer)));
        }));
    }
}

impl<Tx, Rx, C: Decoder<Rx> + Unpin> Stream for TypedSocket<Tx, Rx, C> {
    type Item = Result<Event<Rx>, C::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { socket, codec, buffer, .. } = self.get_mut();
        socket.handle().shared.poll_event(context.waker(), |payload| decode(codec, &payload, buffer))
    }
}

impl<Tx, Rx, C: Encoder<Tx> + Unpin> Sink<Tx> for TypedSocket<Tx, Rx, C> {
    type Error = TypedSendError<C::Error>;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.socket).poll_ready(context).map_err(Into::into)
    }

    fn start_send(self: Pin<&mut Self>, value: Tx) -> Result<(), Self::Error> {
        self.send(&value).map(|_| ())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(Into::into)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.socket).poll_close(context).map_err(Into::into)
    }
}

impl<Tx, Rx, C: fmt::Debug> fmt::Debug for TypedSocket<Tx, Rx, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { socket, codec, .. } = self;
        formatter.debug_struct("TypedSocket").field("socket", socket).field("codec", codec).finish_non_exhaustive()
    }
}

impl Socket {
    /// The typed view of the socket, by a codec.
    pub fn typed<Tx, Rx, C>(self, codec: C) -> TypedSocket<Tx, Rx, C> {
        TypedSocket::new(self, codec)
    }

    /// The typed view of the socket: JSON texts as values.
    #[cfg(feature = "json")]
    pub fn json<Tx, Rx>(self) -> JsonSocket<Tx, Rx> {
        self.typed(crate::codec::Json)
    }
}

impl SocketBuilder {
    /// Opens a typed socket, which connects in the background.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_typed<Tx, Rx, C>(self, codec: C) -> Result<TypedSocket<Tx, Rx, C>, OpenError> {
        self.open().map(|socket| socket.typed(codec))
    }

    /// Opens a socket of JSON texts, which connects in the background.
    ///
    /// # Errors
    /// As [`Self::open`].
    #[cfg(feature = "json")]
    pub fn open_json<Tx, Rx>(self) -> Result<JsonSocket<Tx, Rx>, OpenError> {
        self.open_typed(crate::codec::Json)
    }
}

fn decode<T, C: Decoder<T>>(codec: &C, payload: &Payload, buffer: &mut Vec<u8>) -> Result<T, C::Error> {
    let decoded = codec.decode(payload.as_ref(buffer));
    if buffer.len() > MAX_KEPT_BUFFER {
        *buffer = Vec::new();
    }
    decoded
}

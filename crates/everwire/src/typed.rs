//! A socket of values: [`TypedSocket`], which encodes and decodes messages by a codec.

use core::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::{CloseCode, CloseReason};
use futures_core::Stream;
use futures_sink::Sink;
use thiserror::Error;

use crate::{
    Closing, Event, OpenError, SendError, SendOptions, Sent, Socket, SocketBuilder, SocketHandle, State, Stats,
    codec::{Decoder, Encoder},
    message::Payload,
    threads::MaybeSend,
};

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

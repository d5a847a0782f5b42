use core::{
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::{Payload as _, SendOptions, Sent};
use futures_core::Stream;
use futures_sink::Sink;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{Closing, Event, OpenError, SendError, Socket, SocketBuilder, SocketHandle, payload::Payload};

/// How much of a text that could not be decoded an error shows.
const SHOWN: usize = 120;
/// How much room for texts is kept for the next message, in bytes.
const KEPT: usize = 64 << 10;

/// The typed view of a [`Socket`]: every message is a JSON text, `Tx` on the way out and `Rx` on the way in.
///
/// As a `Stream` it yields the socket's events, with messages decoded; [`recv`](Self::recv) yields the messages alone. A message
/// that is not an `Rx` is an error in its place and ends nothing.
pub struct JsonSocket<Tx, Rx> {
    socket: Socket,
    /// Room for the text of a message while it is decoded.
    scratch: Vec<u8>,
    types: PhantomData<fn(Tx) -> Rx>,
}

impl<Tx, Rx> JsonSocket<Tx, Rx> {
    /// Opens a socket with every default. It returns at once and dials in the background.
    ///
    /// # Errors
    /// As [`SocketBuilder::open`].
    pub fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        Socket::open(url).map(Self::new)
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

    /// The untyped socket.
    pub fn into_socket(self) -> Socket {
        self.socket
    }

    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, scratch: Vec::new(), types: PhantomData }
    }
}

impl<Tx: Serialize, Rx> JsonSocket<Tx, Rx> {
    /// Sends a value as [`SocketHandle::send`] does a message.
    ///
    /// # Errors
    /// The value has no JSON form, the outbox has no room, or the connection was closed.
    pub fn send(&self, value: &Tx) -> Result<Sent, JsonSendError> {
        self.send_with(value, SendOptions::default())
    }

    /// Sends a value with a time to live, or as the latest of its kind.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(&self, value: &Tx, options: SendOptions) -> Result<Sent, JsonSendError> {
        Ok(self.socket.send_with(serde_json::to_string(value)?, options)?)
    }
}

impl<Tx, Rx: DeserializeOwned> JsonSocket<Tx, Rx> {
    /// The next message, over reconnects; `None` when the connection is over.
    pub async fn recv(&mut self) -> Option<Result<Rx, DecodeError>> {
        loop {
            match core::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await? {
                Ok(Event::Message(value)) => return Some(Ok(value)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<Tx, Rx> Deref for JsonSocket<Tx, Rx> {
    type Target = SocketHandle;

    fn deref(&self) -> &SocketHandle {
        &self.socket
    }
}

impl<Tx, Rx: DeserializeOwned> Stream for JsonSocket<Tx, Rx> {
    type Item = Result<Event<Rx>, DecodeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { socket, scratch, .. } = &mut *self;
        socket.shared.poll_event(context.waker(), |payload| decode(&payload, scratch))
    }
}

impl<Tx: Serialize, Rx> Sink<Tx> for JsonSocket<Tx, Rx> {
    type Error = JsonSendError;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), JsonSendError>> {
        Pin::new(&mut self.socket).poll_ready(context).map_err(Into::into)
    }

    fn start_send(self: Pin<&mut Self>, value: Tx) -> Result<(), JsonSendError> {
        self.send(&value).map(|_| ())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), JsonSendError>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(Into::into)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), JsonSendError>> {
        Pin::new(&mut self.socket).poll_close(context).map_err(Into::into)
    }
}

impl SocketBuilder {
    /// Makes a typed socket, which dials in the background.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_json<Tx, Rx>(self) -> Result<JsonSocket<Tx, Rx>, OpenError> {
        self.open().map(JsonSocket::new)
    }
}

fn decode<Rx: DeserializeOwned>(payload: &Payload, scratch: &mut Vec<u8>) -> Result<Rx, DecodeError> {
    let Some(text) = payload.text(scratch) else { return Err(DecodeError::NotText { bytes: payload.size() }) };
    let decoded = serde_json::from_str(text).map_err(|source| DecodeError::Json { start: start(text), source });
    if scratch.len() > KEPT {
        *scratch = Vec::new();
    }
    decoded
}

/// The start of a text, cut at a character.
fn start(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// A message that is not what the application expects.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The text is not JSON, or not of the type.
    #[error("not the JSON that was expected: {source}; the text starts: {start}")]
    Json {
        /// The first 120 characters of the text.
        start: String,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The message is binary.
    #[error("a binary message of {bytes} bytes where JSON text was expected: read it from the untyped Socket")]
    NotText {
        /// Its length.
        bytes: usize,
    },
}

/// Why a value was not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JsonSendError {
    /// The value has no JSON form.
    #[error("the value cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// The message was not accepted.
    #[error(transparent)]
    Send(#[from] SendError),
}

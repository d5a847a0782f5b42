//! The part of a socket that can be cloned: it sends, and reads the state.

use core::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::{CloseCode, CloseReason, Histogram, Input, Phase};

use crate::{
    BinaryType, Closed, CurrentPlatform, Message, ReadyState, SendError, SendOptions, Sent, State, Stats,
    shared::{Platform, Shared},
    threads::Pointer,
};

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

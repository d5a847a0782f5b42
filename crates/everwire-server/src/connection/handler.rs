//! The API of a connection: [`Handler`] is what an application implements, [`Connection`] sends to a client, and an [`Interceptor`] injects
//! faults for tests.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::frames::Frames;
use super::outbound::{OutboundQueue, QueueEnd};
use crate::message::{Message, Utf8Bytes};
use crate::metrics::DropReason;

/// The greatest length of a close reason in bytes: a control frame's payload has at most 125, two of which are the code (RFC 6455 section
/// 5.5).
const MAX_REASON_BYTES: usize = 123;

/// The application's part of one connection. The connection's task calls it, and does the rest: pings, limits, counters, writes.
///
/// A handler answers through the [`Connection`] that it was created with. Its methods must return quickly; longer
/// work belongs in a task of its own, which may hold a clone of the `Connection`. The handler is dropped when the connection has ended,
/// and with it its [`Membership`](crate::Membership) in groups.
///
/// ```
/// use everwire_server::{Connection, Handler, Message};
///
/// struct Echo(Connection);
///
/// impl Handler for Echo {
///     fn on_message(&mut self, message: Message) {
///         self.0.send(message);
///     }
/// }
/// ```
pub trait Handler: Send + 'static {
    /// Receives a text or binary message. WebSocket pings never arrive here, and neither do the client's heartbeats unless
    /// [`Endpoint::answer_pings`](crate::Endpoint::answer_pings) is off.
    fn on_message(&mut self, message: Message);

    /// Whether the handler accepts more messages now. While it does not, the connection is not read, so that TCP slows the client down;
    /// the handler must arrange that the context's waker is woken when it does. [`Group::poll_ready`](crate::Group::poll_ready) is such a
    /// condition.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let _ = context;
        Poll::Ready(())
    }

    /// Called after messages that arrived together, up to 128 of them, have gone through [`on_message`](Self::on_message). To send once
    /// here, for instance by [`Group::flush`](crate::Group::flush), costs less than to send for each message.
    fn on_batch_end(&mut self) {}

    /// Reports messages, and the bytes of their payload, that the connection's task has written to TCP, including answers to pings. What
    /// a group wrote directly is not reported.
    fn on_written(&mut self, messages: u64, payload: u64) {
        let _ = (messages, payload);
    }

    /// When [`on_timer`](Self::on_timer) is to be called next. It is read after each call of another method, so that a handler sets a
    /// timer by changing what it returns here.
    fn timer(&self) -> Option<Instant> {
        None
    }

    /// The time of [`timer`](Self::timer) has come. If that stays in the past, the handler is called over and over.
    fn on_timer(&mut self) {}

    /// The last call: the connection has ended, or only its close frames are still to be exchanged. What is sent now is dropped.
    fn on_close(&mut self, closed: &Closed) {
        let _ = closed;
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// The client closed it.
    #[non_exhaustive]
    ByPeer {
        /// The client's code; `None` if its close frame has none.
        code: Option<u16>,
        /// The client's reason, most often empty.
        reason: Utf8Bytes,
    },
    /// The server closed it: the handler, a limit, or the drain.
    #[non_exhaustive]
    ByServer {
        /// The code sent to the client.
        code: u16,
        /// The reason sent to the client.
        reason: String,
        /// The drop reason that is counted, unless the handler closed the connection regularly.
        counted: Option<DropReason>,
    },
    /// TCP ended, or was cut by an [`Interceptor`], without a close frame.
    Lost,
}

/// Sends to the client of one WebSocket. A clone is cheap and sends to the same client, from any task. Dropping it does not close the
/// connection.
///
/// Sending never blocks. Messages that the client has not read are queued, up to
/// [`ConnectionLimits::backlog_bytes`](crate::ConnectionLimits::backlog_bytes): the first message over it drops the queue and closes the
/// connection with 1013. After the end of the connection messages are dropped.
#[derive(Clone, Debug)]
pub struct Connection {
    queue: Arc<OutboundQueue>,
}

impl Connection {
    pub(crate) fn new(queue: Arc<OutboundQueue>) -> Self {
        Self { queue }
    }

    pub(crate) fn queue(&self) -> &Arc<OutboundQueue> {
        &self.queue
    }

    /// Sends a message after everything that was sent before.
    pub fn send(&self, message: impl Into<Message>) {
        self.queue.send(&message.into());
    }

    /// Closes the connection once everything that was sent before has been written. The first close counts.
    ///
    /// RFC 6455 section 7.4 lets an endpoint send the codes 1000 to 1003, 1007 to 1014 and 3000 to 4999. Any other code is an error of
    /// the application: it is logged, and 1011 is sent instead. A reason longer than 123 bytes is cut.
    pub fn close(&self, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.end(code, reason.into(), None);
    }

    /// Closes the connection of a client that broke a rule, and counts it under `why`; otherwise like [`close`](Self::close).
    pub fn reject(&self, code: u16, why: DropReason, reason: impl Into<Cow<'static, str>>) {
        self.end(code, reason.into(), Some(why));
    }

    /// Bytes that are queued or being written.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Completes when at most `most` bytes are queued or being written, to send long data at the speed at which the client reads. The
    /// result is false if nothing can be sent any more.
    ///
    /// ```
    /// use everwire_server::Connection;
    ///
    /// async fn send_all(connection: Connection, lines: Vec<String>) {
    ///     for line in lines {
    ///         if !connection.drained(64 << 10).await {
    ///             return;
    ///         }
    ///         connection.send(line);
    ///     }
    /// }
    /// ```
    pub async fn drained(&self, most: usize) -> bool {
        poll_fn(|context| self.queue.poll_drained(most, context.waker())).await
    }

    fn end(&self, code: u16, reason: Cow<'static, str>, counted: Option<DropReason>) {
        let code = if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            code
        } else {
            tracing::error!(code, "not a close code that a server can send; 1011 is sent instead");
            1011
        };
        self.queue.end(QueueEnd::Close(code, shortened(reason), counted));
    }
}

/// Cuts a reason to what a close frame can hold.
pub(super) fn shortened(reason: Cow<'static, str>) -> Cow<'static, str> {
    if reason.len() <= MAX_REASON_BYTES {
        return reason;
    }
    let end = reason.floor_char_boundary(MAX_REASON_BYTES);
    reason[..end].to_owned().into()
}

/// Intercepts the messages to the client of a connection: it may delay, add or drop them, and end the connection by force.
///
/// It is made for tests of how clients recover: install one with [`Upgrade::intercept`](crate::Upgrade::intercept). A connection with an
/// interceptor is not written to directly, and handles its messages one by one.
pub trait Interceptor: Send + 'static {
    /// Takes a message that would be written now. WebSocket pongs are not messages and pass by.
    fn send(&mut self, message: EncodedMessage, now: Instant);

    /// The next message to write, if there is one whose time has come. Called until it returns `None`, and then again when
    /// [`deadline`](Self::deadline) has passed.
    fn next(&mut self, now: Instant) -> Option<EncodedMessage>;

    /// When [`next`](Self::next) has something to return. The connection is not closed by its handler while there is a deadline.
    fn deadline(&self) -> Option<Instant>;

    /// Bytes that are held back; they count as the client's backlog.
    fn held_bytes(&self) -> usize;

    /// Reports that `count` more messages were received from the client, or written to it.
    fn on_messages(&mut self, count: u64) {
        let _ = count;
    }

    /// How to end the connection now, if at all. Asked before each write.
    fn intervention(&self) -> Option<Intervention> {
        None
    }
}

/// How an [`Interceptor`] ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Intervention {
    /// Cuts TCP without a close frame.
    Cut,
    /// Keeps TCP open for ten minutes, but reads and answers nothing any more.
    HalfOpen,
    /// Closes with a code and a reason of at most 123 bytes.
    Close(u16, &'static str),
}

/// A message as it goes over the network.
#[derive(Clone, Debug)]
pub struct EncodedMessage(pub(super) Frames);

impl EncodedMessage {
    /// Bytes with the header.
    pub fn bytes(&self) -> usize {
        self.0.bytes().len()
    }

    /// The message.
    pub fn decode(&self) -> Message {
        self.0.messages_decoded().next().unwrap_or_else(|| Message::binary(Vec::new()))
    }
}

impl From<&Message> for EncodedMessage {
    fn from(message: &Message) -> Self {
        Self(Frames::of(message))
    }
}

/// A connection without a client, which keeps what is sent to it.
///
/// ```
/// use everwire_server::{Connection, Handler, Message};
/// use everwire_server::testing::Recorder;
///
/// struct Greeter(Connection);
///
/// impl Handler for Greeter {
///     fn on_message(&mut self, name: Message) {
///         self.0.send(format!("Hello {}!", name.as_text().unwrap_or("stranger")));
///         self.0.close(1000, "");
///     }
/// }
///
/// let recorder = Recorder::new();
/// Greeter(recorder.connection().clone()).on_message("Ann".into());
/// assert_eq!(recorder.messages(), [Message::text("Hello Ann!")]);
/// assert_eq!(recorder.closed(), Some((1000, String::new())));
/// ```
#[derive(Debug)]
pub struct Recorder {
    connection: Connection,
}

impl Recorder {
    /// A connection that keeps up to 64 MiB.
    pub fn new() -> Self {
        Self { connection: Connection::new(Arc::new(OutboundQueue::new(64 << 20))) }
    }

    /// The connection, to give to a handler.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What was sent since the last call.
    pub fn messages(&self) -> Vec<Message> {
        self.connection.queue().drain_messages().0
    }

    /// The code and the reason with which the handler closed the connection.
    pub fn closed(&self) -> Option<(u16, String)> {
        match self.connection.queue().end_so_far() {
            Some(QueueEnd::Close(code, reason, _)) => Some((code, reason.into_owned())),
            _ => None,
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed_with(code: u16, reason: &str) -> Option<QueueEnd> {
        let connection = Connection::new(Arc::new(OutboundQueue::new(1000)));
        connection.close(code, reason.to_owned());
        connection.queue.drain_messages().1
    }

    #[test]
    fn a_reason_that_no_close_frame_can_hold_is_cut_between_two_characters() {
        let reason = closed_with(1000, &"\u{fc}".repeat(100));
        assert_eq!(reason, Some(QueueEnd::Close(1000, "\u{fc}".repeat(61).into(), None)));
    }

    #[test]
    fn a_code_that_no_server_may_send_is_replaced() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(closed_with(code, ""), Some(QueueEnd::Close(1011, "".into(), None)), "{code}");
        }
        assert_eq!(closed_with(4999, ""), Some(QueueEnd::Close(4999, "".into(), None)));
    }
}

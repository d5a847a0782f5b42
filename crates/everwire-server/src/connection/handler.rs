use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::message::{Message, Utf8Bytes};
use crate::metrics::DropReason;

/// The application's part of one connection. The connection's task calls it, and does the rest: pings, limits, counters, writes.
///
/// A handler answers through the [`Connection`](crate::Connection) that it was created with. Its methods must return quickly; longer
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

    /// Whether the handler takes more messages now. Where it does not, the connection is not read, so that TCP slows the client down;
    /// the handler must arrange that the context's waker is woken when it does. [`Group::poll_ready`](crate::Group::poll_ready) is such a
    /// condition.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let _ = context;
        Poll::Ready(())
    }

    /// Called after messages that arrived together, up to 128 of them, have gone through [`on_message`](Self::on_message). To send once
    /// here, for instance by [`Group::flush`](crate::Group::flush), costs less than to send for each message.
    fn on_batch_end(&mut self) {}

    /// Reports that messages with so many bytes of payload have been written to TCP by the connection's task, answers to pings among
    /// them. What a group wrote directly is not reported.
    fn on_written(&mut self, messages: u64, payload: u64) {
        let _ = (messages, payload);
    }

    /// When [`on_timer`](Self::on_timer) is to be called next. It is read after each call of another method, so that a handler sets a
    /// timer by changing what it returns here.
    fn timer(&self) -> Option<Instant> {
        None
    }

    /// The time of [`timer`](Self::timer) has come. Where that stays in the past, the handler is called over and over.
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
        /// The client's code; `None` where its close frame has none.
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
        /// What the end is counted as, unless the handler was simply done.
        counted: Option<DropReason>,
    },
    /// TCP ended, or was cut by an [`Interceptor`](crate::Interceptor), without a close frame.
    Lost,
}

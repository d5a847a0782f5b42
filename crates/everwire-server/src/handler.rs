use std::task::Waker;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// What one endpoint does for one connection. The connection's loop calls it and does the rest: pings, limits,
/// faults, counters, writing.
///
/// A handler answers through the [`OutboundQueue`](crate::connection::OutboundQueue) that it was made with, never waits, and
/// leaves whatever it takes part in when it is dropped.
pub(crate) trait Handler: Send {
    /// A text or binary message came in. Pings never come here, except to `/echo`.
    fn on_message(&mut self, message: Message);

    /// Whether the handler takes more messages now. Where it does not, the connection is not read, and `waker` is woken as
    /// soon as it does.
    fn is_ready(&mut self, _waker: &Waker) -> bool {
        true
    }

    /// All that arrived together has been received: what was kept back to leave together goes out.
    fn on_batch_end(&mut self) {}

    /// So many messages with so many bytes of payload have been written, answers to pings among them.
    fn on_written(&mut self, _messages: u64, _payload: u64) {}

    /// When [`on_deadline`](Self::on_deadline) wants to be called next.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The time of [`deadline`](Self::deadline) has come.
    fn on_deadline(&mut self) {}
}

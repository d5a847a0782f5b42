use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;

use super::outbound::{End, OutboundQueue};
use crate::message::Message;
use crate::metrics::DropReason;

/// The most bytes of a close reason: a control frame's payload has at most 125, two of which are the code (RFC 6455 section 5.5).
const MAX_REASON_BYTES: usize = 123;

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

    /// Sends a message behind everything that was sent before.
    pub fn send(&self, message: impl Into<Message>) {
        self.queue.send(&message.into());
    }

    /// Closes the connection once everything that was sent before has been written. The first close counts.
    ///
    /// RFC 6455 section 7.4 lets an endpoint send the codes 1000 to 1003, 1007 to 1014 and 3000 to 4999. Another is a mistake of the
    /// application: it is logged, and 1011 is sent instead. A reason longer than 123 bytes is cut.
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

    /// Completes when at most so many bytes are queued or being written, to send what is long at the speed at which the client reads. The
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
        self.queue.end(End::Close(code, shortened(reason), counted));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn closed_with(code: u16, reason: &str) -> Option<End> {
        let connection = Connection::new(Arc::new(OutboundQueue::new(1000)));
        connection.close(code, reason.to_owned());
        connection.queue.sent().1
    }

    #[test]
    fn a_reason_that_no_close_frame_can_hold_is_cut_between_two_characters() {
        let reason = closed_with(1000, &"\u{fc}".repeat(100));
        assert_eq!(reason, Some(End::Close(1000, "\u{fc}".repeat(61).into(), None)));
    }

    #[test]
    fn a_code_that_no_server_may_send_is_replaced() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(closed_with(code, ""), Some(End::Close(1011, "".into(), None)), "{code}");
        }
        assert_eq!(closed_with(4999, ""), Some(End::Close(4999, "".into(), None)));
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use everwire_core::protocol::{
    self, EncodeError, EncodedMsg, ErrorCode, MessageWriter, Msg, Payload, Producer, ServerError, ServerLine,
};
use tokio::sync::Mutex;

use crate::broker::Stored;
use crate::connection::{Connection, OutboundQueue};
use crate::message::Message;
use crate::metrics::DropReason;

/// The largest message of several lines.
pub(super) const MESSAGE_BYTES: usize = 64 << 10;

/// Sends lines to the client of one connection. Lines that wait together are joined into one message.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    /// Increases with each connection that is accepted.
    number: u64,
    /// Held while a page of history is read and sent, so that no more than one of all subscriptions fills the outbound queue.
    page_lock: Mutex<()>,
}

impl Link {
    pub(super) fn new(connection: &Connection) -> Arc<Self> {
        static ACCEPTED: AtomicU64 = AtomicU64::new(0);
        let number = ACCEPTED.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { connection: connection.clone(), number, page_lock: Mutex::default() })
    }

    /// Sends a line after everything that was sent before.
    pub(super) fn send(&self, line: &ServerLine<'_>, payload: Payload<'_>) {
        let mut writer = MessageWriter::new(usize::MAX);
        match writer.push(line, payload) {
            Ok(()) => self.send_all(&mut writer),
            Err(error) => tracing::error!(%error, line = line.line_type(), "a line was not sent"),
        }
    }

    /// Sends what was written.
    pub(super) fn send_all(&self, writer: &mut MessageWriter) {
        while let Some(message) = writer.pop() {
            self.send_lines(&to_message(message));
        }
    }

    /// Sends lines that are encoded.
    pub(super) fn send_lines(&self, lines: &Message) {
        self.queue().send_lines(lines);
    }

    /// Sends an `error` after which the connection is closed, and closes it.
    pub(super) fn end(&self, error: ServerError<'_>, text: &str) {
        let code = error.code;
        let payload = if text.is_empty() { Payload::None } else { Payload::Text(text) };
        self.send(&ServerLine::Error(error), payload);
        let close_code = code.close_code().unwrap_or(1011);
        match code {
            ErrorCode::Malformed | ErrorCode::Unexpected | ErrorCode::Credits | ErrorCode::Sequence => {
                self.connection.reject(close_code, DropReason::Malformed, code.as_str());
            }
            ErrorCode::Unauthorized => self.connection.reject(close_code, DropReason::Rejected, code.as_str()),
            _ => self.connection.close(close_code, code.as_str()),
        }
    }

    /// Ends the connection of a session that is over.
    pub(super) fn send_bye(&self, code: ErrorCode) {
        self.send(&ServerLine::Bye { code }, Payload::None);
        self.connection.close(code.close_code().unwrap_or(1000), code.as_str());
    }

    /// Whether the other connection was accepted later.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.number < other.number
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn queue(&self) -> &Arc<OutboundQueue> {
        self.connection.queue()
    }

    pub(super) fn page_lock(&self) -> &Mutex<()> {
        &self.page_lock
    }
}

/// A written message, to be sent.
pub(super) fn to_message(message: protocol::Message) -> Message {
    match message {
        protocol::Message::Text(text) => Message::text(text),
        protocol::Message::Binary(bytes) => Message::binary(bytes),
    }
}

/// The payload of a line.
pub(super) fn payload(message: Option<&Message>) -> Payload<'_> {
    match message {
        None => Payload::None,
        Some(Message::Text(text)) => Payload::Text(text),
        Some(Message::Binary(bytes)) => Payload::Binary(bytes),
    }
}

/// A copy of a line's payload. The message that it arrived in may be far larger, and would stay in memory if it were shared.
pub(super) fn owned_payload(payload: Payload<'_>) -> Option<Message> {
    match payload {
        Payload::None => None,
        Payload::Text(text) => Some(Message::from(text)),
        Payload::Binary(bytes) => Some(Message::from(bytes.to_vec())),
    }
}

/// The header of a message, for all subscribers.
pub(super) fn encoded(message: &Stored) -> Result<EncodedMsg, EncodeError> {
    let mut msg = Msg::new(message.channel.as_str(), message.cursor);
    msg.by = message.by.as_ref().map(|by| Producer { session: by.session.as_str(), seq: by.seq });
    msg.key = message.key.as_ref().map(|key| key.as_str());
    msg.encode()
}

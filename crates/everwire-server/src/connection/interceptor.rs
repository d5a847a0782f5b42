use tokio::time::Instant;

use super::frames::Frames;
use crate::message::Message;

/// Comes between a connection and its client: it may delay, add or drop messages to the client, and end the connection by force.
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

    /// So many messages more were received from the client, or written to it.
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

//! For tests of a [`Handler`](crate::Handler) without a network.

use std::sync::Arc;

use crate::connection::{Connection, End, OutboundQueue};
use crate::message::Message;

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
            Some(End::Close(code, reason, _)) => Some((code, reason.into_owned())),
            _ => None,
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

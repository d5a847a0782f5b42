use everwire_server::{Connection, Handler, Message};

use crate::json::SendJson;

/// `/hello`: a name in, a greeting out, then close 1000.
pub(super) struct HelloHandler {
    connection: Connection,
}

impl HelloHandler {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Handler for HelloHandler {
    fn on_message(&mut self, message: Message) {
        match &message {
            Message::Text(name) if !name.trim().is_empty() => {
                self.connection.send(Message::text(format!("Hello {}!", name.trim())));
                self.connection.close(1000, "");
            }
            _ => self.connection.send_error("send your name as text, like Ann"),
        }
    }
}

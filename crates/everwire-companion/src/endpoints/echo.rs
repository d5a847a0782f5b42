use everwire_server::{Connection, Handler, Message};

/// `/echo`: every message back unchanged, pings too.
pub(super) struct EchoHandler {
    connection: Connection,
}

impl EchoHandler {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Handler for EchoHandler {
    fn on_message(&mut self, message: Message) {
        self.connection.send(message);
    }
}

use everwire_server::{Connection, Message};
use serde::Serialize;

/// A text message with `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Message {
    Message::text(serde_json::to_string(value).expect("structs with string keys always have a JSON form"))
}

/// JSON to a connection.
pub(crate) trait SendJson {
    /// Sends `value` as JSON text.
    fn send_json(&self, value: &impl Serialize);

    /// Answers a message that the endpoint did not expect.
    fn send_error(&self, what_to_do: &str) {
        #[derive(Serialize)]
        struct Error<'a> {
            error: &'a str,
        }
        self.send_json(&Error { error: what_to_do });
    }
}

impl SendJson for Connection {
    fn send_json(&self, value: &impl Serialize) {
        self.send(json(value));
    }
}

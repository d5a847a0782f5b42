use everwire_server::{Clock, Connection, Handler, Message};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::json::SendJson;

/// `/clock`: the client's time in, the client's and the server's out.
pub(super) struct ClockHandler {
    clock: Clock,
    connection: Connection,
}

#[derive(Deserialize)]
struct Question {
    client_time: Number,
}

#[derive(Serialize)]
struct Answer {
    client_time: Number,
    server_time: f64,
}

impl ClockHandler {
    pub(super) fn new(clock: Clock, connection: &Connection) -> Self {
        Self { clock, connection: connection.clone() }
    }
}

impl Handler for ClockHandler {
    fn on_message(&mut self, message: Message) {
        let question = match &message {
            Message::Text(text) => serde_json::from_str::<Question>(text).ok(),
            _ => None,
        };
        match question {
            Some(Question { client_time }) => {
                self.connection.send_json(&Answer { client_time, server_time: self.clock.now_ms() });
            }
            None => self.connection.send_error(r#"send {"client_time":T} with T your time in milliseconds"#),
        }
    }
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio_tungstenite::tungstenite::Message;

use crate::Clock;
use crate::connection::Mailbox;
use crate::session::Session;

/// `/clock`: the client's time in, the client's and the server's out.
pub(super) struct ClockSession {
    clock: Clock,
    mailbox: Arc<Mailbox>,
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

impl ClockSession {
    pub(super) fn new(clock: Clock, mailbox: &Arc<Mailbox>) -> Self {
        Self { clock, mailbox: Arc::clone(mailbox) }
    }
}

impl Session for ClockSession {
    fn received(&mut self, message: Message) {
        let question = match &message {
            Message::Text(text) => serde_json::from_str::<Question>(text).ok(),
            _ => None,
        };
        match question {
            Some(Question { client_time }) => {
                self.mailbox.send_json(&Answer { client_time, server_time: self.clock.now_ms() });
            }
            None => self.mailbox.send_error(r#"send {"client_time":T} with T your time in milliseconds"#),
        }
    }
}

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio_tungstenite::tungstenite::Message;

use crate::Clock;
use crate::connection::OutboundQueue;
use crate::handler::Handler;

/// `/clock`: the client's time in, the client's and the server's out.
pub(super) struct ClockHandler {
    clock: Clock,
    outbound: Arc<OutboundQueue>,
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
    pub(super) fn new(clock: Clock, outbound: &Arc<OutboundQueue>) -> Self {
        Self { clock, outbound: Arc::clone(outbound) }
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
                self.outbound.send_json(&Answer { client_time, server_time: self.clock.now_ms() });
            }
            None => self.outbound.send_error(r#"send {"client_time":T} with T your time in milliseconds"#),
        }
    }
}

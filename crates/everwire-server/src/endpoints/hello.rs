use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use crate::connection::OutboundQueue;
use crate::handler::Handler;

/// `/hello`: a name in, a greeting out, then close 1000.
pub(super) struct HelloHandler {
    outbound: Arc<OutboundQueue>,
}

impl HelloHandler {
    pub(super) fn new(outbound: &Arc<OutboundQueue>) -> Self {
        Self { outbound: Arc::clone(outbound) }
    }
}

impl Handler for HelloHandler {
    fn on_message(&mut self, message: Message) {
        match &message {
            Message::Text(name) if !name.trim().is_empty() => {
                self.outbound.send(Message::text(format!("Hello {}!", name.trim())));
                self.outbound.close(1000, "");
            }
            _ => self.outbound.send_error("send your name as text, like Ann"),
        }
    }
}

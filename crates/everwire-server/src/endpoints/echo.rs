use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use crate::connection::OutboundQueue;
use crate::handler::Handler;

/// `/echo`: every message back unchanged, pings too.
pub(super) struct EchoHandler {
    outbound: Arc<OutboundQueue>,
}

impl EchoHandler {
    pub(super) fn new(outbound: &Arc<OutboundQueue>) -> Self {
        Self { outbound: Arc::clone(outbound) }
    }
}

impl Handler for EchoHandler {
    fn on_message(&mut self, message: Message) {
        self.outbound.send(message);
    }
}

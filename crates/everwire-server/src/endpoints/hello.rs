use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use crate::connection::Mailbox;
use crate::session::Session;

/// `/hello`: a name in, a greeting out, then close 1000.
pub(super) struct Hello {
    mailbox: Arc<Mailbox>,
}

impl Hello {
    pub(super) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self { mailbox: Arc::clone(mailbox) }
    }
}

impl Session for Hello {
    fn received(&mut self, message: Message) {
        match &message {
            Message::Text(name) if !name.trim().is_empty() => {
                self.mailbox.send(Message::text(format!("Hello {}!", name.trim())));
                self.mailbox.close(1000, "");
            }
            _ => self.mailbox.send_error("send your name as text, like Ann"),
        }
    }
}

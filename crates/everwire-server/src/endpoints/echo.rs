use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use crate::connection::Mailbox;
use crate::session::Session;

/// `/echo`: every message back unchanged, pings too.
pub(super) struct Echo {
    mailbox: Arc<Mailbox>,
}

impl Echo {
    pub(super) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self { mailbox: Arc::clone(mailbox) }
    }
}

impl Session for Echo {
    fn received(&mut self, message: Message) {
        self.mailbox.send(message);
    }
}

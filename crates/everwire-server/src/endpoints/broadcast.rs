use std::sync::Arc;
use std::task::Waker;

use tokio_tungstenite::tungstenite::Message;

use crate::connection::Mailbox;
use crate::hub::{Hub, Membership};
use crate::session::Session;

/// `/broadcast`: every message to everyone connected, the sender included.
pub(super) struct Broadcast {
    membership: Membership<()>,
}

impl Broadcast {
    pub(super) fn new(hub: &Arc<Hub<()>>, mailbox: &Arc<Mailbox>) -> Self {
        Self { membership: hub.join(mailbox, |_, _| Vec::new()) }
    }
}

impl Session for Broadcast {
    fn received(&mut self, message: Message) {
        self.membership.hub().gather(|_, _| Some(message));
    }

    fn is_ready(&mut self, waker: &Waker) -> bool {
        self.membership.hub().has_room(waker)
    }

    fn settle(&mut self) {
        self.membership.hub().send_gathered();
    }
}

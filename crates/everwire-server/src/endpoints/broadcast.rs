use std::sync::Arc;
use std::task::Waker;

use tokio_tungstenite::tungstenite::Message;

use crate::connection::OutboundQueue;
use crate::group::{Group, Membership};
use crate::handler::Handler;

/// `/broadcast`: every message to everyone connected, the sender included.
pub(super) struct BroadcastHandler {
    membership: Membership<()>,
}

impl BroadcastHandler {
    pub(super) fn new(group: &Arc<Group<()>>, outbound: &Arc<OutboundQueue>) -> Self {
        Self { membership: group.join(outbound, |_, _| Vec::new()) }
    }
}

impl Handler for BroadcastHandler {
    fn on_message(&mut self, message: Message) {
        self.membership.group().enqueue(|_, _| Some(message));
    }

    fn is_ready(&mut self, waker: &Waker) -> bool {
        self.membership.group().has_room(waker)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

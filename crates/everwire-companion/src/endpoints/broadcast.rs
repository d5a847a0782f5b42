use std::task::{Context, Poll};

use everwire_server::{Connection, Group, Handler, Membership, Message};

/// `/broadcast`: every message to everyone connected, the sender included.
pub(super) struct BroadcastHandler {
    membership: Membership<()>,
}

impl BroadcastHandler {
    pub(super) fn new(group: &Group<()>, connection: &Connection) -> Self {
        Self { membership: group.join(connection, |_, _| Vec::new()) }
    }
}

impl Handler for BroadcastHandler {
    fn on_message(&mut self, message: Message) {
        self.membership.group().enqueue(|_, _| Some(message));
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

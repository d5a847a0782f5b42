use alloc::vec::Vec;

use super::io::{ClientAction, SubscriptionId};
use crate::{
    connection::Delivery,
    protocol::{Cursor, ErrorCode, GapReason, Start},
    queue::ActionQueue,
};

/// How often in a row a subscription is repeated because a message does not continue its position.
const MAX_REPAIRS: u8 = 3;

/// The subscriptions of a client, their positions, and what the server knows of them.
///
/// The protocol's lines name a channel, not a subscription. To tell which subscription a line belongs to, at most one `sub` of a channel is
/// unanswered at a time, and the server answers each exactly once: a line that arrives before the answer belongs to an earlier subscription
/// and is ignored. With two unanswered ones, messages of the first would be delivered as if they continued the second.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Subscriptions {
    /// In the order of their ids.
    all: Vec<Subscription>,
    latest_id: u64,
    /// `hello` was sent on an open socket, so that lines can follow.
    is_connected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subscription {
    id: SubscriptionId,
    /// Where it starts, as long as there is no position.
    start: Start,
    /// After the latest message that was delivered.
    position: Option<Cursor>,
    desired: Desired,
    remote: Remote,
    /// The server has answered since the start was set: the application has what came before the position.
    is_answered: bool,
    /// The connection was lost, and neither a gap nor [`ClientAction::Resumed`] has been reported since.
    is_recovering: bool,
    /// How often the client has subscribed again because of a wrong number, since the last delivery.
    repairs: u8,
}

/// The state that the application wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Desired {
    Messages,
    Paused,
    /// Kept until the answer to an outstanding `sub` comes.
    Ended,
}

/// The state on the server, as far as this connection knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Remote {
    /// Nothing.
    None,
    /// A `sub` was sent, and its answer is outstanding.
    Pending {
        start: Start,
        /// The application has changed its mind meanwhile: the answer only ends the wait.
        is_stale: bool,
    },
    /// The server has accepted it.
    Active {
        /// The server cannot continue from the position: a `gap` has to come before anything else.
        expects_gap: bool,
    },
}

/// Lines fail to continue the position even after new subscriptions: an error of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RepairFailed;

impl Subscription {
    fn is_held(&self) -> bool {
        self.start == Start::Hold && self.position.is_some()
    }

    /// Sends `sub` if the application wants messages, or marks an outstanding answer as stale: the next `sub` follows it.
    fn subscribe(&mut self, actions: &mut ActionQueue<ClientAction>) {
        if self.desired != Desired::Messages || self.is_held() {
            return;
        }
        if let Remote::Pending { is_stale, .. } = &mut self.remote {
            *is_stale = true;
            return;
        }
        let start = self.position.map_or(self.start, Start::From);
        self.remote = Remote::Pending { start, is_stale: false };
        actions.push(ClientAction::Subscribe { subscription: self.id, start });
    }

    /// Sends `unsub` if the server has the subscription. While its answer is outstanding that is not known, so the answer is awaited.
    fn release(&mut self, actions: &mut ActionQueue<ClientAction>) {
        match &mut self.remote {
            Remote::None => {}
            Remote::Pending { is_stale, .. } => *is_stale = true,
            Remote::Active { .. } => {
                self.remote = Remote::None;
                actions.push(ClientAction::Unsubscribe { subscription: Some(self.id) });
            }
        }
    }

    /// Subscribes again from the position, because a line does not continue it. Bounded: a server that never continues the position would
    /// otherwise be subscribed to in a loop.
    fn repair(&mut self, actions: &mut ActionQueue<ClientAction>) -> Result<(), RepairFailed> {
        if self.repairs == MAX_REPAIRS {
            return Err(RepairFailed);
        }
        self.repairs += 1;
        actions.push(ClientAction::ReportError { code: ErrorCode::Sequence });
        self.remote = Remote::None;
        self.subscribe(actions);
        Ok(())
    }
}

impl Subscriptions {
    /// The position of a subscription, after the latest message that was delivered.
    pub(super) fn position_of(&self, id: SubscriptionId) -> Option<Cursor> {
        self.all[self.place(id)?].position
    }

    // Calls of the application.

    pub(super) fn subscribe(&mut self, start: Start, actions: &mut ActionQueue<ClientAction>) -> SubscriptionId {
        self.latest_id += 1;
        let id = SubscriptionId(self.latest_id);
        self.all.push(Subscription {
            id,
            start,
            position: None,
            desired: Desired::Messages,
            remote: Remote::None,
            is_answered: false,
            is_recovering: false,
            repairs: 0,
        });
        self.restart(id, start, actions);
        id
    }

    pub(super) fn restart(&mut self, id: SubscriptionId, start: Start, actions: &mut ActionQueue<ClientAction>) {
        let is_connected = self.is_connected;
        let Some(subscription) = self.find(id) else { return };
        subscription.start = start;
        subscription.position = if let Start::From(cursor) = start { Some(cursor) } else { None };
        subscription.is_answered = false;
        subscription.is_recovering = false;
        subscription.repairs = 0;
        if subscription.desired == Desired::Ended {
            subscription.desired = Desired::Messages;
        }
        if is_connected {
            subscription.subscribe(actions);
        }
    }

    pub(super) fn pause(&mut self, id: SubscriptionId, actions: &mut ActionQueue<ClientAction>) {
        if let Some(subscription) = self.find(id)
            && subscription.desired == Desired::Messages
        {
            subscription.desired = Desired::Paused;
            subscription.release(actions);
        }
    }

    pub(super) fn resume(&mut self, id: SubscriptionId, actions: &mut ActionQueue<ClientAction>) {
        let is_connected = self.is_connected;
        if let Some(subscription) = self.find(id)
            && subscription.desired == Desired::Paused
        {
            subscription.desired = Desired::Messages;
            if is_connected {
                subscription.subscribe(actions);
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, actions: &mut ActionQueue<ClientAction>) {
        let Some(subscription) = self.find(id) else { return };
        subscription.desired = Desired::Ended;
        subscription.release(actions);
        if subscription.remote == Remote::None {
            self.remove(id, None, actions);
        }
    }

    // The connection.

    /// Repeats every subscription on a new connection. The `sub` lines go out with `hello`, before `welcome`.
    pub(super) fn connected(&mut self, actions: &mut ActionQueue<ClientAction>) {
        self.is_connected = true;
        for subscription in &mut self.all {
            subscription.is_recovering |= subscription.is_answered;
            subscription.repairs = 0;
            subscription.subscribe(actions);
        }
    }

    /// Forgets the state on the server: subscriptions end with their connection.
    pub(super) fn disconnected(&mut self, actions: &mut ActionQueue<ClientAction>) {
        self.is_connected = false;
        self.all.retain_mut(|subscription| {
            subscription.remote = Remote::None;
            let is_over = subscription.desired == Desired::Ended;
            if is_over {
                actions.push(ClientAction::Ended { subscription: subscription.id, code: None });
            }
            !is_over
        });
    }

    pub(super) fn end(&mut self, code: ErrorCode, actions: &mut ActionQueue<ClientAction>) {
        for subscription in &self.all {
            actions.push(ClientAction::Ended { subscription: subscription.id, code: Some(code) });
        }
        self.all.clear();
    }

    // Lines of the server.

    pub(super) fn subscribed(&mut self, id: SubscriptionId, cursor: Cursor, actions: &mut ActionQueue<ClientAction>) {
        let Some(subscription) = self.find(id) else { return };
        match subscription.remote {
            Remote::Pending { is_stale: true, .. } => {
                if subscription.desired != Desired::Messages {
                    actions.push(ClientAction::Unsubscribe { subscription: Some(id) });
                }
                self.settle(id, actions);
            }
            Remote::Pending { start, .. } => {
                // A server that cannot continue from the requested cursor answers with another one, and must send a gap. The position stays the
                // requested one until then, so that a server which forgets the gap is noticed.
                let requested = if let Start::From(requested) = start { requested } else { cursor };
                subscription.remote = Remote::Active { expects_gap: requested != cursor };
                subscription.position = Some(requested);
                subscription.is_answered = true;
                if start == Start::Hold {
                    actions.push(ClientAction::Held { subscription: id, cursor });
                }
            }
            // A second answer, which no server should send. If it belongs to another subscription, the next message does not continue the
            // position, and is repaired.
            Remote::Active { .. } => {}
            Remote::None => actions.push(ClientAction::Unsubscribe { subscription: Some(id) }),
        }
    }

    pub(super) fn unsubscribed(
        &mut self,
        id: SubscriptionId,
        code: ErrorCode,
        actions: &mut ActionQueue<ClientAction>,
    ) {
        match self.find(id).map(|subscription| subscription.remote) {
            Some(Remote::Pending { is_stale: true, .. }) => self.settle(id, actions),
            Some(_) => self.remove(id, Some(code), actions),
            None => {}
        }
    }

    /// Handles the answer to a `sub` that is stale.
    fn settle(&mut self, id: SubscriptionId, actions: &mut ActionQueue<ClientAction>) {
        let Some(subscription) = self.find(id) else { return };
        subscription.remote = Remote::None;
        match subscription.desired {
            Desired::Messages => subscription.subscribe(actions),
            Desired::Paused => {}
            Desired::Ended => self.remove(id, None, actions),
        }
    }

    /// Handles a message. `after` is the offset of the message before it.
    pub(super) fn receive(
        &mut self,
        id: SubscriptionId,
        cursor: Cursor,
        after: u64,
        actions: &mut ActionQueue<ClientAction>,
    ) -> Result<Delivery, RepairFailed> {
        let Some((subscription, position, expects_gap)) = self.find_active(id) else { return Ok(Delivery::Ignore) };
        let is_same_epoch = cursor.epoch == position.epoch;
        if is_same_epoch && cursor.offset <= position.offset {
            return Ok(Delivery::Ignore);
        }
        if !is_same_epoch || after != position.offset || expects_gap {
            return subscription.repair(actions).map(|()| Delivery::Ignore);
        }
        subscription.position = Some(cursor);
        subscription.repairs = 0;
        Ok(Delivery::Deliver)
    }

    pub(super) fn advance(
        &mut self,
        id: SubscriptionId,
        cursor: Cursor,
        is_live: bool,
        actions: &mut ActionQueue<ClientAction>,
    ) -> Result<(), RepairFailed> {
        let Some((subscription, position, expects_gap)) = self.find_active(id) else { return Ok(()) };
        if cursor.epoch != position.epoch || expects_gap {
            return subscription.repair(actions);
        }
        if cursor.offset > position.offset {
            subscription.position = Some(cursor);
        }
        if is_live {
            if core::mem::take(&mut subscription.is_recovering) {
                actions.push(ClientAction::Resumed { subscription: id });
            }
            actions.push(ClientAction::CaughtUp { subscription: id });
        }
        Ok(())
    }

    pub(super) fn skip(
        &mut self,
        id: SubscriptionId,
        reason: GapReason,
        cursor: Cursor,
        missed: Option<u64>,
        actions: &mut ActionQueue<ClientAction>,
    ) {
        let Some((subscription, position, expects_gap)) = self.find_active(id) else { return };
        // A gap that does not lead forward was sent before messages that have arrived since, and would move the position back.
        let is_late = match reason {
            _ if expects_gap || cursor.epoch != position.epoch => false,
            GapReason::Trimmed => cursor.offset <= position.offset,
            // At the position itself, it reports that the messages before the start are refused.
            GapReason::Refused => cursor.offset < position.offset,
            // A store restored from an older copy has the same epoch and smaller offsets. Ignoring the gap would ignore the messages after it
            // as repetitions.
            GapReason::Rewritten => false,
        };
        if is_late {
            return;
        }
        subscription.position = Some(cursor);
        subscription.remote = Remote::Active { expects_gap: false };
        subscription.is_recovering = false;
        actions.push(ClientAction::Gap { subscription: id, reason, cursor, missed });
    }

    /// Whether a line of the channel belongs to the current subscription.
    pub(super) fn accepts(&self, id: SubscriptionId) -> bool {
        self.place(id).is_some_and(|place| matches!(self.all[place].remote, Remote::Active { .. }))
    }

    fn place(&self, id: SubscriptionId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |subscription| subscription.id).ok()
    }

    fn find(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let place = self.place(id)?;
        self.all.get_mut(place)
    }

    /// A subscription to which the server delivers, its position, and whether a gap must come first.
    fn find_active(&mut self, id: SubscriptionId) -> Option<(&mut Subscription, Cursor, bool)> {
        let subscription = self.find(id).filter(|subscription| !subscription.is_held())?;
        match (subscription.remote, subscription.position) {
            (Remote::Active { expects_gap }, Some(position)) => Some((subscription, position, expects_gap)),
            _ => None,
        }
    }

    fn remove(&mut self, id: SubscriptionId, code: Option<ErrorCode>, actions: &mut ActionQueue<ClientAction>) {
        if let Some(place) = self.place(id) {
            self.all.remove(place);
            actions.push(ClientAction::Ended { subscription: id, code });
        }
    }
}

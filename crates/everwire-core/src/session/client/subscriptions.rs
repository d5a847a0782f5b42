use alloc::vec::Vec;

use super::io::{ClientAction, SubscriptionId};
use crate::{
    Delivery,
    actions::Actions,
    protocol::{Cursor, ErrorCode, GapReason, Start},
};

/// How often in a row a subscription is repeated because a message does not continue its position.
const MAX_REPAIRS: u8 = 3;

/// The subscriptions of a client, their positions, and what the server knows of them.
///
/// Every `sub` has exactly one answer, and there is never more than one `sub` of a channel without its answer: so a line that arrives
/// before the answer belongs to an earlier subscription of the channel, and is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Subscriptions {
    /// In the order of their ids.
    all: Vec<Subscription>,
    latest_id: u64,
    /// Lines can be sent: `hello` went out on an open socket.
    is_connected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subscription {
    id: SubscriptionId,
    /// Where the application wants it to start, until there is a position.
    start: Start,
    /// After the latest message that was delivered.
    position: Option<Cursor>,
    wish: Wish,
    link: Link,
    /// The server has answered since the start was set: the application has what came before the position.
    is_answered: bool,
    /// The connection was lost, and neither a gap nor the end of what was missed has been reported since.
    is_recovering: bool,
    /// How often it was repeated because of a wrong number since the last delivery.
    repairs: u8,
}

/// What the application wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wish {
    Messages,
    Pause,
    /// Kept until the answer of a `sub` that is still outstanding.
    End,
}

/// What the server knows, on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Link {
    /// Nothing.
    None,
    /// A `sub` was sent, and its answer is outstanding.
    Asked {
        start: Start,
        /// Something else is wanted by now: the answer counts only as the end of the wait.
        is_stale: bool,
    },
    /// The server has accepted it.
    Open {
        /// The server cannot continue from the position: a `gap` has to come before anything else.
        expects_gap: bool,
    },
}

/// A line does not continue the position, over and over: the server is in error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Irreparable;

impl Subscription {
    fn is_held(&self) -> bool {
        self.start == Start::Hold && self.position.is_some()
    }

    /// Sends `sub` if it is wanted and possible.
    fn ask(&mut self, actions: &mut Actions<ClientAction>) {
        if self.wish != Wish::Messages || self.is_held() {
            return;
        }
        if let Link::Asked { is_stale, .. } = &mut self.link {
            *is_stale = true;
            return;
        }
        let start = self.position.map_or(self.start, Start::From);
        self.link = Link::Asked { start, is_stale: false };
        actions.push(ClientAction::Subscribe { subscription: self.id, start });
    }

    /// Sends `unsub` if the server has it; where that is not known yet, its answer is awaited.
    fn release(&mut self, actions: &mut Actions<ClientAction>) {
        match &mut self.link {
            Link::None => {}
            Link::Asked { is_stale, .. } => *is_stale = true,
            Link::Open { .. } => {
                self.link = Link::None;
                actions.push(ClientAction::Unsubscribe { subscription: Some(self.id) });
            }
        }
    }

    /// Subscribes again from the position, because a line does not continue it.
    fn repair(&mut self, actions: &mut Actions<ClientAction>) -> Result<(), Irreparable> {
        if self.repairs == MAX_REPAIRS {
            return Err(Irreparable);
        }
        self.repairs += 1;
        actions.push(ClientAction::ReportError { code: ErrorCode::Sequence });
        self.link = Link::None;
        self.ask(actions);
        Ok(())
    }
}

impl Subscriptions {
    /// The position of a subscription, after the latest message that was delivered.
    pub(super) fn position_of(&self, id: SubscriptionId) -> Option<Cursor> {
        self.all[self.place(id)?].position
    }

    // What the application asks for.

    pub(super) fn subscribe(&mut self, start: Start, actions: &mut Actions<ClientAction>) -> SubscriptionId {
        self.latest_id += 1;
        let id = SubscriptionId(self.latest_id);
        self.all.push(Subscription {
            id,
            start,
            position: None,
            wish: Wish::Messages,
            link: Link::None,
            is_answered: false,
            is_recovering: false,
            repairs: 0,
        });
        self.restart(id, start, actions);
        id
    }

    pub(super) fn restart(&mut self, id: SubscriptionId, start: Start, actions: &mut Actions<ClientAction>) {
        let is_connected = self.is_connected;
        let Some(subscription) = self.find(id) else { return };
        subscription.start = start;
        subscription.position = if let Start::From(cursor) = start { Some(cursor) } else { None };
        subscription.is_answered = false;
        subscription.is_recovering = false;
        subscription.repairs = 0;
        if subscription.wish == Wish::End {
            subscription.wish = Wish::Messages;
        }
        if is_connected {
            subscription.ask(actions);
        }
    }

    pub(super) fn pause(&mut self, id: SubscriptionId, actions: &mut Actions<ClientAction>) {
        if let Some(subscription) = self.find(id)
            && subscription.wish == Wish::Messages
        {
            subscription.wish = Wish::Pause;
            subscription.release(actions);
        }
    }

    pub(super) fn resume(&mut self, id: SubscriptionId, actions: &mut Actions<ClientAction>) {
        let is_connected = self.is_connected;
        if let Some(subscription) = self.find(id)
            && subscription.wish == Wish::Pause
        {
            subscription.wish = Wish::Messages;
            if is_connected {
                subscription.ask(actions);
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId, actions: &mut Actions<ClientAction>) {
        let Some(subscription) = self.find(id) else { return };
        subscription.wish = Wish::End;
        subscription.release(actions);
        if subscription.link == Link::None {
            self.remove(id, None, actions);
        }
    }

    // What happens to the connection.

    /// Lines can be sent from now on.
    pub(super) fn connected(&mut self, actions: &mut Actions<ClientAction>) {
        self.is_connected = true;
        for subscription in &mut self.all {
            subscription.is_recovering |= subscription.is_answered;
            subscription.repairs = 0;
            subscription.ask(actions);
        }
    }

    /// No more lines are received or can be sent.
    pub(super) fn disconnected(&mut self, actions: &mut Actions<ClientAction>) {
        self.is_connected = false;
        self.all.retain_mut(|subscription| {
            subscription.link = Link::None;
            let is_over = subscription.wish == Wish::End;
            if is_over {
                actions.push(ClientAction::Ended { subscription: subscription.id, code: None });
            }
            !is_over
        });
    }

    pub(super) fn end(&mut self, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        for subscription in &self.all {
            actions.push(ClientAction::Ended { subscription: subscription.id, code: Some(code) });
        }
        self.all.clear();
    }

    // What the server sends.

    pub(super) fn subscribed(&mut self, id: SubscriptionId, cursor: Cursor, actions: &mut Actions<ClientAction>) {
        let Some(subscription) = self.find(id) else { return };
        match subscription.link {
            Link::Asked { is_stale: true, .. } => {
                if subscription.wish != Wish::Messages {
                    actions.push(ClientAction::Unsubscribe { subscription: Some(id) });
                }
                self.settle(id, actions);
            }
            Link::Asked { start, .. } => {
                let asked = if let Start::From(asked) = start { asked } else { cursor };
                subscription.link = Link::Open { expects_gap: asked != cursor };
                subscription.position = Some(asked);
                subscription.is_answered = true;
                if start == Start::Hold {
                    actions.push(ClientAction::Held { subscription: id, cursor });
                }
            }
            // A second answer. If it is not that of the present subscription, the next message does not continue the position.
            Link::Open { .. } => {}
            Link::None => actions.push(ClientAction::Unsubscribe { subscription: Some(id) }),
        }
    }

    pub(super) fn unsubscribed(&mut self, id: SubscriptionId, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        match self.find(id).map(|subscription| subscription.link) {
            Some(Link::Asked { is_stale: true, .. }) => self.settle(id, actions),
            Some(_) => self.remove(id, Some(code), actions),
            None => {}
        }
    }

    /// The answer of a `sub` came that is not wanted any more.
    fn settle(&mut self, id: SubscriptionId, actions: &mut Actions<ClientAction>) {
        let Some(subscription) = self.find(id) else { return };
        subscription.link = Link::None;
        match subscription.wish {
            Wish::Messages => subscription.ask(actions),
            Wish::Pause => {}
            Wish::End => self.remove(id, None, actions),
        }
    }

    /// A message arrived; `after` is the offset of the one before it.
    pub(super) fn receive(
        &mut self,
        id: SubscriptionId,
        cursor: Cursor,
        after: u64,
        actions: &mut Actions<ClientAction>,
    ) -> Result<Delivery, Irreparable> {
        let Some((subscription, position, expects_gap)) = self.find_open(id) else { return Ok(Delivery::Ignore) };
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
        actions: &mut Actions<ClientAction>,
    ) -> Result<(), Irreparable> {
        let Some((subscription, position, expects_gap)) = self.find_open(id) else { return Ok(()) };
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
        actions: &mut Actions<ClientAction>,
    ) {
        let Some((subscription, position, expects_gap)) = self.find_open(id) else { return };
        let is_late = match reason {
            _ if expects_gap || cursor.epoch != position.epoch => false,
            GapReason::Trimmed => cursor.offset <= position.offset,
            // At the position itself, it says that what was before the start is refused.
            GapReason::Refused => cursor.offset < position.offset,
            // A store that came back older has the same epoch and smaller offsets: what follows is new, although its offsets are not.
            GapReason::Rewritten => false,
        };
        if is_late {
            return;
        }
        subscription.position = Some(cursor);
        subscription.link = Link::Open { expects_gap: false };
        subscription.is_recovering = false;
        actions.push(ClientAction::Gap { subscription: id, reason, cursor, missed });
    }

    /// Whether a line of the channel belongs to the present subscription.
    pub(super) fn accepts(&self, id: SubscriptionId) -> bool {
        self.place(id).is_some_and(|place| matches!(self.all[place].link, Link::Open { .. }))
    }

    // Access.

    fn place(&self, id: SubscriptionId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |subscription| subscription.id).ok()
    }

    fn find(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let place = self.place(id)?;
        self.all.get_mut(place)
    }

    /// A subscription to which the server delivers, its position, and whether a gap has to come first.
    fn find_open(&mut self, id: SubscriptionId) -> Option<(&mut Subscription, Cursor, bool)> {
        let subscription = self.find(id).filter(|subscription| !subscription.is_held())?;
        match (subscription.link, subscription.position) {
            (Link::Open { expects_gap }, Some(position)) => Some((subscription, position, expects_gap)),
            _ => None,
        }
    }

    fn remove(&mut self, id: SubscriptionId, code: Option<ErrorCode>, actions: &mut Actions<ClientAction>) {
        if let Some(place) = self.place(id) {
            self.all.remove(place);
            actions.push(ClientAction::Ended { subscription: id, code });
        }
    }
}

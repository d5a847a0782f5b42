use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_tungstenite::tungstenite::Message;

use crate::connection::{FramesMut, Mailbox};

/// A state that many connections share, and the connections that hear of its changes.
///
/// One lock covers both, so that nobody misses a change between the welcome and the first message, or hears of
/// changes in another order than somebody else. Sending only fills mailboxes, so that the lock is never held long.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    state: T,
    members: HashMap<u64, Arc<Mailbox>>,
    next: u64,
    /// What everybody is about to hear.
    gathered: FramesMut,
}

/// One connection's place in a hub; dropping it leaves.
#[derive(Debug)]
#[must_use = "dropping the membership leaves the hub"]
pub(crate) struct Membership<T> {
    hub: Arc<Hub<T>>,
    number: u64,
    mailbox: Arc<Mailbox>,
}

impl<T> Hub<T> {
    pub(crate) fn new(state: T) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner { state, members: HashMap::new(), next: 1, gathered: FramesMut::default() }),
        })
    }

    /// Lets a connection in; `welcome` sees the state and the newcomer's number, and what it returns is the first
    /// that the newcomer hears.
    pub(crate) fn join(
        self: &Arc<Self>,
        mailbox: &Arc<Mailbox>,
        welcome: impl FnOnce(&T, u64) -> Vec<Message>,
    ) -> Membership<T> {
        let mut inner = self.inner();
        // The state that the newcomer sees holds these changes already.
        inner.send_gathered();
        let number = inner.next;
        inner.next += 1;
        welcome(&inner.state, number).into_iter().for_each(|message| mailbox.send(message));
        inner.members.insert(number, Arc::clone(mailbox));
        Membership { hub: Arc::clone(self), number, mailbox: Arc::clone(mailbox) }
    }

    /// Changes the state; what `change` returns goes to everybody. It is told how many that are.
    pub(crate) fn update(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        self.gather(change);
        self.send_gathered();
    }

    /// Like [`update`](Self::update), but what is to be said waits for [`send_gathered`](Self::send_gathered), so that
    /// changes that come together are told together: to each member in one piece, and so in one write.
    pub(crate) fn gather(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        let mut inner = self.inner();
        let members = inner.members.len();
        if let Some(message) = change(&mut inner.state, members) {
            inner.gathered.push(&message);
        }
    }

    /// Sends everybody what was gathered, whoever gathered it.
    pub(crate) fn send_gathered(&self) {
        self.inner().send_gathered();
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    fn send_gathered(&mut self) {
        if !self.gathered.is_empty() {
            let frames = self.gathered.take();
            self.members.values().for_each(|mailbox| mailbox.send_frames(&frames));
        }
    }
}

impl<T> Membership<T> {
    /// The member's number, from 1, never used again.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn hub(&self) -> &Hub<T> {
        &self.hub
    }

    /// Where messages to this member alone go.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }
}

impl<T> Drop for Membership<T> {
    fn drop(&mut self) {
        self.hub.inner().members.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_sent_the_same_bytes_and_not_a_copy() {
        let hub = Hub::new(());
        let mailboxes = [(); 3].map(|()| Arc::new(Mailbox::new(1000)));
        let _memberships = mailboxes.each_ref().map(|mailbox| hub.join(mailbox, |_, _| Vec::new()));
        hub.update(|_, _| Some(Message::text("encoded once")));
        let addresses = mailboxes.each_ref().map(|mailbox| mailbox.pieces()[0].bytes().as_ptr());
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    }

    #[test]
    fn what_was_gathered_is_one_piece() {
        let hub = Hub::new(0);
        let mailbox = Arc::new(Mailbox::new(1000));
        let _membership = hub.join(&mailbox, |_, _| Vec::new());
        for _ in 0..8 {
            hub.gather(|count, _| {
                *count += 1;
                Some(Message::text(count.to_string()))
            });
        }
        assert_eq!(mailbox.bytes(), 0);
        hub.send_gathered();
        let pieces = mailbox.pieces();
        assert_eq!((pieces.len(), pieces[0].messages()), (1, 8));
    }

    #[test]
    fn a_newcomer_does_not_hear_what_its_welcome_tells_already() {
        let hub = Hub::new(0);
        let (old, new) = (Arc::new(Mailbox::new(1000)), Arc::new(Mailbox::new(1000)));
        let _old = hub.join(&old, |_, _| Vec::new());
        hub.gather(|count, _| {
            *count += 1;
            Some(Message::text("changed"))
        });
        let _new = hub.join(&new, |count, _| vec![Message::text(count.to_string())]);
        hub.send_gathered();
        assert_eq!(old.sent().0, [Message::text("changed")]);
        assert_eq!(new.sent().0, [Message::text("1")]);
    }

    #[test]
    fn who_left_hears_nothing_more() {
        let hub = Hub::new(());
        let mailbox = Arc::new(Mailbox::new(1000));
        drop(hub.join(&mailbox, |_, _| vec![Message::text("welcome")]));
        hub.update(|_, members| Some(Message::text(format!("to {members}"))));
        assert_eq!(mailbox.sent().0, [Message::text("welcome")]);
    }
}

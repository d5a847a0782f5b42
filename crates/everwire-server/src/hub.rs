use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_tungstenite::tungstenite::Message;

use crate::connection::Mailbox;

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
        Arc::new(Self { inner: Mutex::new(Inner { state, members: HashMap::new(), next: 1 }) })
    }

    /// Lets a connection in; `welcome` sees the state and the newcomer's number, and what it returns is the first
    /// that the newcomer hears.
    pub(crate) fn join(
        self: &Arc<Self>,
        mailbox: &Arc<Mailbox>,
        welcome: impl FnOnce(&T, u64) -> Vec<Message>,
    ) -> Membership<T> {
        let mut inner = self.inner();
        let number = inner.next;
        inner.next += 1;
        welcome(&inner.state, number).into_iter().for_each(|message| mailbox.send(message));
        inner.members.insert(number, Arc::clone(mailbox));
        Membership { hub: Arc::clone(self), number, mailbox: Arc::clone(mailbox) }
    }

    /// Changes the state; what `change` returns goes to everybody. It is told how many that are.
    pub(crate) fn update(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        let mut inner = self.inner();
        let members = inner.members.len();
        if let Some(message) = change(&mut inner.state, members) {
            inner.members.values().for_each(|mailbox| mailbox.send(message.clone()));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
        hub.update(|_, _| Some(Message::text("encoded once".to_owned())));
        let addresses = mailboxes.each_ref().map(|mailbox| match mailbox.take().0.pop_front() {
            Some(Message::Text(text)) => text.as_ptr(),
            other => panic!("{other:?}"),
        });
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    }

    #[test]
    fn who_left_hears_nothing_more() {
        let hub = Hub::new(());
        let mailbox = Arc::new(Mailbox::new(1000));
        drop(hub.join(&mailbox, |_, _| vec![Message::text("welcome")]));
        hub.update(|_, members| Some(Message::text(format!("to {members}"))));
        assert_eq!(mailbox.take().0, [Message::text("welcome")]);
    }
}

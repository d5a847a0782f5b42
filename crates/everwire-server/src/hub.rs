use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::{Frames, FramesMut, Mailbox};

/// Members that are sent to in one go, before other connections get their turn.
const AT_ONCE: usize = 64;
/// Bytes that may be gathered while earlier ones are still being delivered. Whoever says more helps to deliver, and holds
/// up the others of its worker: so it is as much as several messages of the greatest size.
const MOST_GATHERED: usize = 4 << 20;

/// A state that many connections share, and the connections that hear of its changes.
///
/// One lock covers both, so that nobody misses a change between the welcome and the first message, or hears of
/// changes in another order than somebody else. What is said to everybody is gathered, and delivered by rounds: while
/// one goes from member to member, all that is said meanwhile becomes the next, in one piece and so in one write each.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    state: T,
    /// By number, so that a round knows how far it is although members come and go.
    members: BTreeMap<u64, Arc<Mailbox>>,
    next: u64,
    /// What the next round will tell.
    gathered: FramesMut,
    /// The first is under way.
    rounds: VecDeque<Round>,
    has_courier: bool,
}

/// A piece on its way to everybody.
#[derive(Debug)]
struct Round {
    frames: Frames,
    /// The first member who has not got it, and the first who came too late for it.
    next: u64,
    end: u64,
}

/// One connection's place in a hub; dropping it leaves.
#[derive(Debug)]
#[must_use = "dropping the membership leaves the hub"]
pub(crate) struct Membership<T> {
    hub: Arc<Hub<T>>,
    number: u64,
    mailbox: Arc<Mailbox>,
}

impl<T: Send + 'static> Hub<T> {
    pub(crate) fn new(state: T) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                state,
                members: BTreeMap::new(),
                next: 1,
                gathered: FramesMut::default(),
                rounds: VecDeque::new(),
                has_courier: false,
            }),
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
        inner.seal();
        let number = inner.next;
        inner.next += 1;
        welcome(&inner.state, number).into_iter().for_each(|message| mailbox.send(message));
        inner.members.insert(number, Arc::clone(mailbox));
        Membership { hub: Arc::clone(self), number, mailbox: Arc::clone(mailbox) }
    }

    /// Changes the state; what `change` returns goes to everybody. It is told how many that are.
    pub(crate) fn update(self: &Arc<Self>, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        self.gather(change);
        self.send_gathered();
    }

    /// Like [`update`](Self::update), but what is to be said waits for [`send_gathered`](Self::send_gathered), so that
    /// changes that come together are told together.
    pub(crate) fn gather(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        let mut inner = self.inner();
        let members = inner.members.len();
        if let Some(message) = change(&mut inner.state, members) {
            inner.gathered.push(&message);
        }
    }

    /// Sends everybody what was gathered, whoever gathered it.
    pub(crate) fn send_gathered(self: &Arc<Self>) {
        let mut inner = self.inner();
        let Ok(runtime) = Handle::try_current() else {
            // Then there are no others that would have to wait.
            while inner.deliver() {}
            return;
        };
        while inner.is_full() {
            inner.deliver();
            // Between two turns of the others.
            drop(inner);
            inner = self.inner();
        }
        if inner.has_work() && !inner.has_courier {
            inner.has_courier = true;
            runtime.spawn(Arc::clone(self).courier());
        }
    }

    /// Delivers until nothing is left.
    async fn courier(self: Arc<Self>) {
        loop {
            // Those who have something to say already say it, and it becomes part of the round.
            yield_now().await;
            let mut inner = self.inner();
            if !inner.deliver() {
                inner.has_courier = false;
                return;
            }
        }
    }
}

impl<T> Hub<T> {
    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// Makes a round of what was gathered, for those who are here now.
    fn seal(&mut self) {
        if !self.gathered.is_empty() {
            self.rounds.push_back(Round { frames: self.gathered.take(), next: 0, end: self.next });
        }
    }

    fn has_work(&self) -> bool {
        !self.gathered.is_empty() || !self.rounds.is_empty()
    }

    /// Whether too much waits for the round that is under way.
    fn is_full(&mut self) -> bool {
        if self.rounds.is_empty() && self.gathered.len() > MOST_GATHERED {
            self.seal();
        }
        let behind = self.rounds.iter().skip(1).map(|round| round.frames.bytes().len());
        self.gathered.len() + behind.sum::<usize>() > MOST_GATHERED
    }

    /// Sends some members what they have not got. Says whether there was anything to send.
    fn deliver(&mut self) -> bool {
        if self.rounds.is_empty() {
            self.seal();
        }
        let Some(round) = self.rounds.front_mut() else { return false };
        let now = Instant::now();
        let mut last = None;
        let members = self.members.range(round.next..round.end).take(AT_ONCE);
        members.clone().for_each(|(_, mailbox)| mailbox.prepare());
        for (number, mailbox) in members {
            mailbox.send_frames(&round.frames, now);
            last = Some(*number);
        }
        match last {
            Some(last) => round.next = last + 1,
            None => drop(self.rounds.pop_front()),
        }
        true
    }
}

impl<T> Membership<T> {
    /// The member's number, from 1, never used again.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn hub(&self) -> &Arc<Hub<T>> {
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

    #[tokio::test]
    async fn who_says_something_long_leaves_it_to_the_courier() {
        let hub = Hub::new(());
        let mailboxes: Vec<_> = (0..200).map(|_| Arc::new(Mailbox::new(1000))).collect();
        let _memberships: Vec<_> = mailboxes.iter().map(|mailbox| hub.join(mailbox, |_, _| Vec::new())).collect();
        let waiting = || mailboxes.iter().filter(|mailbox| mailbox.bytes() > 0).count();
        hub.update(|_, _| Some(Message::binary(vec![0; 5 << 20])));
        assert_eq!(waiting(), 0);
        while waiting() < 200 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_says_more_than_can_be_delivered_helps() {
        let hub = Hub::new(());
        let mailbox = Arc::new(Mailbox::new(100 << 20));
        let _membership = hub.join(&mailbox, |_, _| Vec::new());
        (0..50).for_each(|_| hub.update(|_, _| Some(Message::binary(vec![0; 1 << 20]))));
        assert!(mailbox.bytes() > 35 << 20, "{}", mailbox.bytes());
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

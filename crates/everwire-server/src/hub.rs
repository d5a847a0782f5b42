use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::{Frames, FramesMut, Mailbox};

/// What the courier does in one turn, before other tasks get theirs: sends to so many members, or writes so many bytes.
/// Either takes some 100 µs.
const MEMBERS_A_TURN: usize = 64;
const BYTES_A_TURN: usize = 128 << 10;
/// Bytes of a round, which is longer by the message that goes beyond.
const ROUND: usize = 128 << 10;
/// Bytes that may wait while a round is under way. Members that send more are not read until there is room again. It is
/// as much as several messages of the greatest size.
const MOST_WAITING: usize = 4 << 20;

/// A state that many connections share, and the connections that hear of its changes.
///
/// One lock covers both, so that nobody misses a change between the welcome and the first message, or hears of
/// changes in another order than somebody else. What is said to everybody is gathered, and delivered by rounds: while
/// one goes from member to member, all that is said meanwhile becomes the next, in one piece and so in one write each.
/// Nothing is written under the lock: one courier at a time keeps the order.
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
    /// Bytes of the rounds behind the first.
    behind: usize,
    has_courier: bool,
    /// Who waits for room.
    waiting: Vec<Waker>,
}

/// A round and the members that get it next.
struct Share {
    frames: Frames,
    mailboxes: SmallVec<[Arc<Mailbox>; MEMBERS_A_TURN]>,
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
                behind: 0,
                has_courier: false,
                waiting: Vec::new(),
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
            if inner.gathered.len() >= ROUND {
                inner.seal();
            }
        }
    }

    /// Sends everybody what was gathered, whoever gathered it.
    pub(crate) fn send_gathered(self: &Arc<Self>) {
        let mut inner = self.inner();
        if inner.has_courier || inner.is_empty() {
            return;
        }
        inner.has_courier = true;
        drop(inner);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(Arc::clone(self).courier())),
            // Then there are no others that would have to wait.
            Err(_) => {
                while let Some(Share { frames, mailboxes }) = self.next_share() {
                    for mailbox in mailboxes {
                        mailbox.send_frames(&frames, Instant::now());
                    }
                }
            }
        }
    }

    /// Delivers until nothing is left.
    async fn courier(self: Arc<Self>) {
        loop {
            // Those who have something to say already say it, and it becomes part of the round.
            yield_now().await;
            let Some(Share { frames, mailboxes }) = self.next_share() else { return };
            mailboxes.iter().for_each(|mailbox| mailbox.prepare());
            let mut now = Instant::now();
            let mut written = 0;
            for mailbox in mailboxes {
                if written >= BYTES_A_TURN {
                    yield_now().await;
                    (now, written) = (Instant::now(), 0);
                }
                written += mailbox.send_frames(&frames, now);
            }
        }
    }
}

impl<T> Hub<T> {
    /// Whether there is room for more to be said. Where there is not, `waker` is woken as soon as there is.
    pub(crate) fn has_room(&self, waker: &Waker) -> bool {
        let mut inner = self.inner();
        let has_room = inner.has_room();
        if !has_room && !inner.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            inner.waiting.push(waker.clone());
        }
        has_room
    }

    /// Whom to send what next. Without it the courier is done.
    fn next_share(&self) -> Option<Share> {
        self.inner().next_share()
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// Makes a round of what was gathered, for those who are here now.
    fn seal(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let frames = self.gathered.take();
        if !self.rounds.is_empty() {
            self.behind += frames.bytes().len();
        }
        self.rounds.push_back(Round { frames, next: 0, end: self.next });
    }

    fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.rounds.is_empty()
    }

    fn has_room(&self) -> bool {
        self.gathered.len() + self.behind <= MOST_WAITING
    }

    fn next_share(&mut self) -> Option<Share> {
        loop {
            if self.rounds.is_empty() {
                self.seal();
            }
            let Some(round) = self.rounds.front_mut() else {
                self.has_courier = false;
                return None;
            };
            let mut mailboxes = SmallVec::new();
            for (number, mailbox) in self.members.range(round.next..round.end).take(MEMBERS_A_TURN) {
                round.next = number + 1;
                mailboxes.push(Arc::clone(mailbox));
            }
            if !mailboxes.is_empty() {
                return Some(Share { frames: round.frames.clone(), mailboxes });
            }
            self.rounds.pop_front();
            self.behind -= self.rounds.front().map_or(0, |round| round.frames.bytes().len());
            if self.has_room() {
                self.waiting.drain(..).for_each(Waker::wake);
            }
        }
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
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::connection::Tcp;
    use crate::endpoints::Endpoint;
    use crate::{Config, Everwire};

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
    async fn who_says_more_than_can_be_delivered_waits_for_room() {
        let hub = Hub::new(());
        let mailbox = Arc::new(Mailbox::new(100 << 20));
        let _membership = hub.join(&mailbox, |_, _| Vec::new());
        let say = || hub.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut said = 0;
        while hub.has_room(Waker::noop()) {
            say();
            said += 1;
        }
        assert!((5..8).contains(&said), "{said} messages");
        while !hub.has_room(Waker::noop()) {
            yield_now().await;
        }
        say();
        while !hub.inner().is_empty() {
            yield_now().await;
        }
        let (messages, _) = mailbox.sent();
        assert_eq!(messages.len(), said + 1);
    }

    /// Many large writes would hold up whatever else the worker serves.
    #[tokio::test]
    async fn other_tasks_run_while_a_large_round_is_written() {
        let everwire = Everwire::new(Config::default());
        let hub = Hub::new(());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut members = Vec::new();
        for _ in 0..10 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let server = Tcp::new(listener.accept().await.unwrap().0);
            let mailbox = Arc::new(Mailbox::with_direct(10 << 20, server.direct(&everwire, Endpoint::Broadcast)));
            let membership = hub.join(&mailbox, |_, _| Vec::new());
            members.push((client, server, membership));
        }
        hub.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut turns = 0;
        while !hub.inner().is_empty() {
            yield_now().await;
            turns += 1;
        }
        assert!(turns >= members.len(), "{turns} turns of another task");
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

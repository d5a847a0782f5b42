use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::{Frames, FramesMut, OutboundQueue};

/// What the flush task does in one turn, before other tasks get theirs: sends to so many members, or writes so many bytes.
/// Either takes some 100 µs.
const MEMBERS_PER_TURN: usize = 64;
const BYTES_PER_TURN: usize = 128 << 10;
/// Bytes of a batch, which is longer by the message that goes beyond.
const MAX_BATCH_BYTES: usize = 128 << 10;
/// Bytes that may wait while a batch is under way. Members that send more are not read until there is room again. It is
/// as much as several messages of the greatest size.
const MAX_QUEUED_BYTES: usize = 4 << 20;

/// A state that many connections share, and the connections that hear of its changes.
///
/// One lock covers both, so that nobody misses a change between the welcome and the first message, or hears of
/// changes in another order than somebody else. Changes are delivered in batches: while one goes from member to member, everything
/// that is enqueued meanwhile is pending, and becomes the next batch: one piece, and so one write a member.
/// Nothing is written under the lock: one flush task at a time keeps the order.
#[derive(Debug)]
pub(crate) struct Group<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    state: T,
    /// By number, so that a batch knows how far it is although members come and go.
    members: BTreeMap<u64, Arc<OutboundQueue>>,
    next: u64,
    /// The next batch.
    pending: FramesMut,
    /// The first is under way.
    batches: VecDeque<OutboundBatch>,
    /// Bytes of the batches behind the first.
    queued_bytes: usize,
    is_flushing: bool,
    /// Who waits for room.
    wakers: Vec<Waker>,
}

/// A batch and the members that get it next.
struct Delivery {
    frames: Frames,
    queues: SmallVec<[Arc<OutboundQueue>; MEMBERS_PER_TURN]>,
}

/// A piece on its way to everybody.
#[derive(Debug)]
struct OutboundBatch {
    frames: Frames,
    /// The first member who has not got it, and the first who came too late for it.
    next: u64,
    end: u64,
}

/// One connection's place in a group; dropping it leaves.
#[derive(Debug)]
#[must_use = "dropping the membership leaves the group"]
pub(crate) struct Membership<T> {
    group: Arc<Group<T>>,
    number: u64,
    outbound: Arc<OutboundQueue>,
}

impl<T: Send + 'static> Group<T> {
    pub(crate) fn new(state: T) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                state,
                members: BTreeMap::new(),
                next: 1,
                pending: FramesMut::default(),
                batches: VecDeque::new(),
                queued_bytes: 0,
                is_flushing: false,
                wakers: Vec::new(),
            }),
        })
    }

    /// Lets a connection in; `welcome` sees the state and the newcomer's number, and what it returns is the first
    /// that the newcomer hears.
    pub(crate) fn join(
        self: &Arc<Self>,
        outbound: &Arc<OutboundQueue>,
        welcome: impl FnOnce(&T, u64) -> Vec<Message>,
    ) -> Membership<T> {
        let mut inner = self.inner();
        // The state that the newcomer sees holds these changes already.
        inner.seal();
        let number = inner.next;
        inner.next += 1;
        welcome(&inner.state, number).into_iter().for_each(|message| outbound.send(message));
        inner.members.insert(number, Arc::clone(outbound));
        Membership { group: Arc::clone(self), number, outbound: Arc::clone(outbound) }
    }

    /// Changes the state; what `change` returns goes to everybody. It is told how many that are.
    pub(crate) fn update(self: &Arc<Self>, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        self.enqueue(change);
        self.flush();
    }

    /// Like [`update`](Self::update), but the message waits for [`flush`](Self::flush), so that changes that come
    /// together are sent together.
    pub(crate) fn enqueue(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        let mut inner = self.inner();
        let members = inner.members.len();
        if let Some(message) = change(&mut inner.state, members) {
            inner.pending.push(&message);
            if inner.pending.len() >= MAX_BATCH_BYTES {
                inner.seal();
            }
        }
    }

    /// Sends every member what is pending, also what others enqueued.
    pub(crate) fn flush(self: &Arc<Self>) {
        let mut inner = self.inner();
        if inner.is_flushing || inner.is_empty() {
            return;
        }
        inner.is_flushing = true;
        drop(inner);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(Arc::clone(self).run_flush_task())),
            // Then there are no others that would have to wait.
            Err(_) => {
                while let Some(Delivery { frames, queues }) = self.next_delivery() {
                    for outbound in queues {
                        outbound.send_frames(&frames, Instant::now());
                    }
                }
            }
        }
    }

    /// Delivers until nothing is left.
    async fn run_flush_task(self: Arc<Self>) {
        loop {
            // Those who have something to say already say it, and it becomes part of the batch.
            yield_now().await;
            let Some(Delivery { frames, queues }) = self.next_delivery() else { return };
            queues.iter().for_each(|outbound| outbound.prepare());
            let mut now = Instant::now();
            let mut written = 0;
            for outbound in queues {
                if written >= BYTES_PER_TURN {
                    yield_now().await;
                    (now, written) = (Instant::now(), 0);
                }
                written += outbound.send_frames(&frames, now);
            }
        }
    }
}

impl<T> Group<T> {
    /// Whether there is room for more to be said. Where there is not, `waker` is woken as soon as there is.
    pub(crate) fn has_room(&self, waker: &Waker) -> bool {
        let mut inner = self.inner();
        let has_room = inner.has_room();
        if !has_room && !inner.wakers.iter().any(|waiting| waiting.will_wake(waker)) {
            inner.wakers.push(waker.clone());
        }
        has_room
    }

    /// Whom to send what next. Without it the flush task is done.
    fn next_delivery(&self) -> Option<Delivery> {
        self.inner().next_delivery()
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// Makes a batch of what is pending, for those who are here now.
    fn seal(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let frames = self.pending.take();
        if !self.batches.is_empty() {
            self.queued_bytes += frames.bytes().len();
        }
        self.batches.push_back(OutboundBatch { frames, next: 0, end: self.next });
    }

    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.batches.is_empty()
    }

    fn has_room(&self) -> bool {
        self.pending.len() + self.queued_bytes <= MAX_QUEUED_BYTES
    }

    fn next_delivery(&mut self) -> Option<Delivery> {
        loop {
            if self.batches.is_empty() {
                self.seal();
            }
            let Some(batch) = self.batches.front_mut() else {
                self.is_flushing = false;
                return None;
            };
            let mut queues = SmallVec::new();
            for (number, outbound) in self.members.range(batch.next..batch.end).take(MEMBERS_PER_TURN) {
                batch.next = number + 1;
                queues.push(Arc::clone(outbound));
            }
            if !queues.is_empty() {
                return Some(Delivery { frames: batch.frames.clone(), queues });
            }
            self.batches.pop_front();
            self.queued_bytes -= self.batches.front().map_or(0, |batch| batch.frames.bytes().len());
            if self.has_room() {
                self.wakers.drain(..).for_each(Waker::wake);
            }
        }
    }
}

impl<T> Membership<T> {
    /// The member's number, from 1, never used again.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn group(&self) -> &Arc<Group<T>> {
        &self.group
    }

    /// Where messages to this member alone go.
    pub(crate) fn outbound(&self) -> &OutboundQueue {
        &self.outbound
    }
}

impl<T> Drop for Membership<T> {
    fn drop(&mut self) {
        self.group.inner().members.remove(&self.number);
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
        let group = Group::new(());
        let queues = [(); 3].map(|()| Arc::new(OutboundQueue::new(1000)));
        let _memberships = queues.each_ref().map(|outbound| group.join(outbound, |_, _| Vec::new()));
        group.update(|_, _| Some(Message::text("encoded once")));
        let addresses = queues.each_ref().map(|outbound| outbound.pieces()[0].bytes().as_ptr());
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    }

    #[test]
    fn what_is_pending_is_one_piece() {
        let group = Group::new(0);
        let outbound = Arc::new(OutboundQueue::new(1000));
        let _membership = group.join(&outbound, |_, _| Vec::new());
        for _ in 0..8 {
            group.enqueue(|count, _| {
                *count += 1;
                Some(Message::text(count.to_string()))
            });
        }
        assert_eq!(outbound.bytes(), 0);
        group.flush();
        let pieces = outbound.pieces();
        assert_eq!((pieces.len(), pieces[0].messages()), (1, 8));
    }

    #[tokio::test]
    async fn who_says_something_long_leaves_it_to_the_flush_task() {
        let group = Group::new(());
        let queues: Vec<_> = (0..200).map(|_| Arc::new(OutboundQueue::new(1000))).collect();
        let _memberships: Vec<_> = queues.iter().map(|outbound| group.join(outbound, |_, _| Vec::new())).collect();
        let waiting = || queues.iter().filter(|outbound| outbound.bytes() > 0).count();
        group.update(|_, _| Some(Message::binary(vec![0; 5 << 20])));
        assert_eq!(waiting(), 0);
        while waiting() < 200 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_says_more_than_can_be_delivered_waits_for_room() {
        let group = Group::new(());
        let outbound = Arc::new(OutboundQueue::new(100 << 20));
        let _membership = group.join(&outbound, |_, _| Vec::new());
        let say = || group.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut said = 0;
        while group.has_room(Waker::noop()) {
            say();
            said += 1;
        }
        assert!((5..8).contains(&said), "{said} messages");
        while !group.has_room(Waker::noop()) {
            yield_now().await;
        }
        say();
        while !group.inner().is_empty() {
            yield_now().await;
        }
        let (messages, _) = outbound.sent();
        assert_eq!(messages.len(), said + 1);
    }

    /// Many large writes would hold up whatever else the worker serves.
    #[tokio::test]
    async fn other_tasks_run_while_a_large_batch_is_written() {
        let everwire = Everwire::new(Config::default());
        let group = Group::new(());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut members = Vec::new();
        for _ in 0..10 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let server = Tcp::new(listener.accept().await.unwrap().0);
            let outbound =
                Arc::new(OutboundQueue::with_direct(10 << 20, server.direct(&everwire, Endpoint::Broadcast)));
            let membership = group.join(&outbound, |_, _| Vec::new());
            members.push((client, server, membership));
        }
        group.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut turns = 0;
        while !group.inner().is_empty() {
            yield_now().await;
            turns += 1;
        }
        assert!(turns >= members.len(), "{turns} turns of another task");
    }

    #[test]
    fn a_newcomer_does_not_hear_what_its_welcome_tells_already() {
        let group = Group::new(0);
        let (old, new) = (Arc::new(OutboundQueue::new(1000)), Arc::new(OutboundQueue::new(1000)));
        let _old = group.join(&old, |_, _| Vec::new());
        group.enqueue(|count, _| {
            *count += 1;
            Some(Message::text("changed"))
        });
        let _new = group.join(&new, |count, _| vec![Message::text(count.to_string())]);
        group.flush();
        assert_eq!(old.sent().0, [Message::text("changed")]);
        assert_eq!(new.sent().0, [Message::text("1")]);
    }

    #[test]
    fn who_left_hears_nothing_more() {
        let group = Group::new(());
        let outbound = Arc::new(OutboundQueue::new(1000));
        drop(group.join(&outbound, |_, _| vec![Message::text("welcome")]));
        group.update(|_, members| Some(Message::text(format!("to {members}"))));
        assert_eq!(outbound.sent().0, [Message::text("welcome")]);
    }
}

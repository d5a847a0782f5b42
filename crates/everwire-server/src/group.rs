use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::connection::{Frames, FramesMut, OutboundQueue};

/// Work of the flush task between two yields: sends to this many members, or writes this many bytes. Either takes about
/// 100 µs, which bounds how long other tasks of the worker wait.
const MEMBERS_PER_YIELD: usize = 64;
const BYTES_PER_YIELD: usize = 128 << 10;
/// A batch is sealed once it has this many bytes, so that it exceeds them by at most one message.
const BATCH_BYTES: usize = 128 << 10;
/// High-water mark of the bytes behind the batch that is being delivered. Above it, members that publish are not read until
/// the group has caught up. It holds several messages of the greatest default size.
const HIGH_WATER_MARK: usize = 4 << 20;

/// State that many connections share, and fan-out of its changes to all of them.
///
/// One lock covers the state and the list of members. A newcomer therefore misses no change between the state that it is
/// shown and its first message, and all members receive the changes in the same order.
///
/// Changes are delivered in batches: while one batch goes from member to member, everything that is enqueued is pending
/// and becomes the next batch, which is encoded once and takes one write a member. Nothing is written under the lock; a
/// single flush task at a time keeps the order.
#[derive(Debug)]
pub(crate) struct Group<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    state: T,
    /// Ordered by number, so that a batch can be continued although members join and leave meanwhile.
    members: BTreeMap<u64, Arc<OutboundQueue>>,
    next_number: u64,
    /// Enqueued messages that are not part of a batch yet.
    pending: FramesMut,
    /// Sealed batches; the first is being delivered.
    batches: VecDeque<OutboundBatch>,
    /// Bytes of the batches behind the first.
    queued_bytes: usize,
    /// Whether a flush task runs.
    is_flushing: bool,
    /// Connections that are not read until the group has caught up.
    wakers: Vec<Waker>,
}

/// Encoded messages on their way to the members.
#[derive(Debug)]
struct OutboundBatch {
    frames: Frames,
    /// The members with numbers in `next..end` have yet to receive it. Those from `end` joined after it was sealed, and saw its
    /// changes in the state.
    next: u64,
    end: u64,
}

/// The part of a batch that the flush task delivers before it yields.
struct Delivery {
    frames: Frames,
    queues: SmallVec<[Arc<OutboundQueue>; MEMBERS_PER_YIELD]>,
}

/// A connection's membership in a group. Dropping it leaves the group.
#[derive(Debug)]
#[must_use = "dropping the membership leaves the group"]
pub(crate) struct Membership<T> {
    group: Arc<Group<T>>,
    number: u64,
    outbound: Arc<OutboundQueue>,
}

impl<T: Send + 'static> Group<T> {
    /// A group without members.
    pub(crate) fn new(state: T) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                state,
                members: BTreeMap::new(),
                next_number: 1,
                pending: FramesMut::default(),
                batches: VecDeque::new(),
                queued_bytes: 0,
                is_flushing: false,
                wakers: Vec::new(),
            }),
        })
    }

    /// Adds a member. `welcome` is given the state and the new member's number, and returns the first messages that the member
    /// receives.
    pub(crate) fn join(
        self: &Arc<Self>,
        outbound: &Arc<OutboundQueue>,
        welcome: impl FnOnce(&T, u64) -> Vec<Message>,
    ) -> Membership<T> {
        let mut inner = self.inner();
        // `welcome` sees the state with these changes, so they must not be sent to the new member as well.
        inner.seal();
        let number = inner.next_number;
        inner.next_number += 1;
        welcome(&inner.state, number).into_iter().for_each(|message| outbound.send(message));
        inner.members.insert(number, Arc::clone(outbound));
        Membership { group: Arc::clone(self), number, outbound: Arc::clone(outbound) }
    }

    /// Changes the state and sends the message that `change` returns to all members. `change` is given the state and the number
    /// of members.
    pub(crate) fn update(self: &Arc<Self>, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        self.enqueue(change);
        self.flush();
    }

    /// Like [`update`](Self::update), but the message waits for [`flush`](Self::flush), so that changes that come together are
    /// sent together.
    pub(crate) fn enqueue(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        let mut inner = self.inner();
        let members = inner.members.len();
        if let Some(message) = change(&mut inner.state, members) {
            inner.pending.push(&message);
            if inner.pending.len() >= BATCH_BYTES {
                inner.seal();
            }
        }
    }

    /// Sends all members what is pending, whichever connection enqueued it. Returns at once; the flush task does the work.
    pub(crate) fn flush(self: &Arc<Self>) {
        let mut inner = self.inner();
        if inner.is_flushing || inner.is_empty() {
            return;
        }
        inner.is_flushing = true;
        drop(inner);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(Arc::clone(self).run_flush_task())),
            // Outside of a runtime no other task has to wait for this one.
            Err(_) => {
                while let Some(Delivery { frames, queues }) = self.next_delivery() {
                    for outbound in queues {
                        outbound.send_frames(&frames, Instant::now());
                    }
                }
            }
        }
    }

    /// Delivers batches until none is left.
    async fn run_flush_task(self: Arc<Self>) {
        loop {
            // Connections that are ready enqueue their messages first, and these become part of the batch.
            yield_now().await;
            let Some(Delivery { frames, queues }) = self.next_delivery() else { return };
            queues.iter().for_each(|outbound| outbound.prepare());
            let mut now = Instant::now();
            let mut written = 0;
            for outbound in queues {
                if written >= BYTES_PER_YIELD {
                    yield_now().await;
                    (now, written) = (Instant::now(), 0);
                }
                written += outbound.send_frames(&frames, now);
            }
        }
    }
}

impl<T> Group<T> {
    /// Whether the group is below its high-water mark. Otherwise `waker` is woken once it is.
    pub(crate) fn has_room(&self, waker: &Waker) -> bool {
        let mut inner = self.inner();
        let has_room = inner.has_room();
        if !has_room && !inner.wakers.iter().any(|waiting| waiting.will_wake(waker)) {
            inner.wakers.push(waker.clone());
        }
        has_room
    }

    /// What the flush task sends next; `None` ends it.
    fn next_delivery(&self) -> Option<Delivery> {
        self.inner().next_delivery()
    }

    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// Makes a batch of what is pending, for the members that the group has now.
    fn seal(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let frames = self.pending.take();
        if !self.batches.is_empty() {
            self.queued_bytes += frames.bytes().len();
        }
        self.batches.push_back(OutboundBatch { frames, next: 0, end: self.next_number });
    }

    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.batches.is_empty()
    }

    fn has_room(&self) -> bool {
        self.pending.len() + self.queued_bytes <= HIGH_WATER_MARK
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
            for (number, outbound) in self.members.range(batch.next..batch.end).take(MEMBERS_PER_YIELD) {
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
    /// The member's number: 1 for the first, and never given again.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The group that this is a membership in.
    pub(crate) fn group(&self) -> &Arc<Group<T>> {
        &self.group
    }

    /// The queue for messages to this member alone.
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
    fn all_members_share_the_encoded_bytes() {
        let group = Group::new(());
        let queues = [(); 3].map(|()| Arc::new(OutboundQueue::new(1000)));
        let _memberships = queues.each_ref().map(|outbound| group.join(outbound, |_, _| Vec::new()));
        group.update(|_, _| Some(Message::text("encoded once")));
        let addresses = queues.each_ref().map(|outbound| outbound.pieces()[0].bytes().as_ptr());
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    }

    #[test]
    fn pending_messages_leave_in_one_piece() {
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
    async fn a_publisher_leaves_delivery_to_the_flush_task() {
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
    async fn a_publisher_over_the_high_water_mark_waits_until_the_group_has_caught_up() {
        let group = Group::new(());
        let outbound = Arc::new(OutboundQueue::new(100 << 20));
        let _membership = group.join(&outbound, |_, _| Vec::new());
        let publish = || group.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut published = 0;
        while group.has_room(Waker::noop()) {
            publish();
            published += 1;
        }
        assert!((5..8).contains(&published), "{published} messages");
        while !group.has_room(Waker::noop()) {
            yield_now().await;
        }
        publish();
        while !group.inner().is_empty() {
            yield_now().await;
        }
        let (messages, _) = outbound.sent();
        assert_eq!(messages.len(), published + 1);
    }

    /// Many large writes in a row would hold up every other task of the worker.
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
        let mut yields = 0;
        while !group.inner().is_empty() {
            yield_now().await;
            yields += 1;
        }
        assert!(yields >= members.len(), "another task ran {yields} times");
    }

    #[test]
    fn a_new_member_is_not_sent_changes_that_its_first_message_contains() {
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
    fn a_member_that_left_is_sent_nothing_more() {
        let group = Group::new(());
        let outbound = Arc::new(OutboundQueue::new(1000));
        drop(group.join(&outbound, |_, _| vec![Message::text("welcome")]));
        group.update(|_, members| Some(Message::text(format!("to {members}"))));
        assert_eq!(outbound.sent().0, [Message::text("welcome")]);
    }
}

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::connection::{Connection, Frames, FramesMut, OutboundQueue};
use crate::message::Message;

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
///
/// A clone is cheap and is the same group. A [`Handler`](crate::Handler) that publishes should report
/// [`poll_ready`](Self::poll_ready) as its own, so that members that publish faster than the others can be sent to are slowed down:
///
/// ```
/// use std::task::{Context, Poll};
///
/// use everwire_server::{Connection, Group, Handler, Membership, Message};
///
/// /// Sends every message to everyone, the sender included.
/// struct Chat(Membership<()>);
///
/// impl Chat {
///     fn new(group: &Group<()>, connection: &Connection) -> Self {
///         Self(group.join(connection, |_, _| ["Welcome!".into()]))
///     }
/// }
///
/// impl Handler for Chat {
///     fn on_message(&mut self, message: Message) {
///         self.0.group().enqueue(|_, _| Some(message));
///     }
///
///     fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
///         self.0.group().poll_ready(context)
///     }
///
///     fn on_batch_end(&mut self) {
///         self.0.group().flush();
///     }
/// }
/// ```
pub struct Group<T> {
    inner: Arc<Mutex<Inner<T>>>,
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
#[must_use = "dropping the membership leaves the group"]
pub struct Membership<T> {
    group: Group<T>,
    number: u64,
    connection: Connection,
}

impl<T: Send + 'static> Group<T> {
    /// A group without members.
    pub fn new(state: T) -> Self {
        let inner = Inner {
            state,
            members: BTreeMap::new(),
            next_number: 1,
            pending: FramesMut::default(),
            batches: VecDeque::new(),
            queued_bytes: 0,
            is_flushing: false,
            wakers: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Adds a member. `welcome` is given the state and the new member's number, and returns the first messages that the member
    /// receives. It runs under the lock of the group, as the closures of the other methods do: it must return soon, and not use the
    /// group.
    pub fn join<M>(&self, connection: &Connection, welcome: impl FnOnce(&T, u64) -> M) -> Membership<T>
    where
        M: IntoIterator<Item = Message>,
    {
        let mut inner = self.inner();
        // `welcome` sees the state with these changes, so they must not be sent to the new member as well.
        inner.seal();
        let number = inner.next_number;
        inner.next_number += 1;
        welcome(&inner.state, number).into_iter().for_each(|message| connection.send(message));
        inner.members.insert(number, Arc::clone(connection.queue()));
        Membership { group: self.clone(), number, connection: connection.clone() }
    }

    /// Changes the state and sends the message that `change` returns to all members. `change` is given the state and the number
    /// of members.
    pub fn update(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
        self.enqueue(change);
        self.flush();
    }

    /// Sends a message to all members.
    pub fn publish(&self, message: impl Into<Message>) {
        self.update(|_, _| Some(message.into()));
    }

    /// Like [`update`](Self::update), but the message waits for [`flush`](Self::flush), so that changes that come together are
    /// sent together.
    pub fn enqueue(&self, change: impl FnOnce(&mut T, usize) -> Option<Message>) {
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
    pub fn flush(&self) {
        let mut inner = self.inner();
        if inner.is_flushing || inner.is_empty() {
            return;
        }
        inner.is_flushing = true;
        drop(inner);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(self.clone().run_flush_task())),
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
    async fn run_flush_task(self) {
        loop {
            // Connections that are ready enqueue their messages first, and these become part of the batch.
            yield_now().await;
            let Some(Delivery { frames, queues }) = self.next_delivery() else { return };
            queues.iter().for_each(|outbound| outbound.prefetch());
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
    /// Reads or changes the state without a message to the members.
    pub fn with_state<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.inner().state)
    }

    /// How many members there are.
    pub fn members(&self) -> usize {
        self.inner().members.len()
    }

    /// Ready while the group is below its high-water mark: 4 MiB that wait behind what is being sent. Otherwise the context's waker is
    /// woken once it is.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner();
        if inner.has_room() {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|waiting| waiting.will_wake(context.waker())) {
            inner.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whether [`poll_ready`](Self::poll_ready) would be ready now, for a publisher that rather skips a message than waits.
    pub fn is_ready(&self) -> bool {
        self.inner().has_room()
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
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The group that this is a membership in.
    pub fn group(&self) -> &Group<T> {
        &self.group
    }

    /// The member's connection, to send to it alone.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl<T> Clone for Group<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Default + Send + 'static> Default for Group<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("members", &self.members()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Membership<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("number", &self.number).field("group", &self.group).finish_non_exhaustive()
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
    use crate::everwire::Everwire;

    fn connection(limit: usize) -> Connection {
        Connection::new(Arc::new(OutboundQueue::new(limit)))
    }

    #[test]
    fn all_members_share_the_encoded_bytes() {
        let group = Group::new(());
        let connections = [(); 3].map(|()| connection(1000));
        let _memberships = connections.each_ref().map(|connection| group.join(connection, |_, _| []));
        group.update(|_, _| Some(Message::text("encoded once")));
        let addresses = connections.each_ref().map(|connection| connection.queue().pieces()[0].bytes().as_ptr());
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    }

    #[test]
    fn pending_messages_leave_in_one_piece() {
        let group = Group::new(0);
        let connection = connection(1000);
        let _membership = group.join(&connection, |_, _| []);
        for _ in 0..8 {
            group.enqueue(|count, _| {
                *count += 1;
                Some(Message::text(count.to_string()))
            });
        }
        assert_eq!(connection.queued_bytes(), 0);
        group.flush();
        let pieces = connection.queue().pieces();
        assert_eq!((pieces.len(), pieces[0].messages()), (1, 8));
    }

    #[tokio::test]
    async fn a_publisher_leaves_delivery_to_the_flush_task() {
        let group = Group::new(());
        let connections: Vec<_> = (0..200).map(|_| connection(1000)).collect();
        let _memberships: Vec<_> = connections.iter().map(|connection| group.join(connection, |_, _| [])).collect();
        let waiting = || connections.iter().filter(|connection| connection.queued_bytes() > 0).count();
        group.update(|_, _| Some(Message::binary(vec![0; 5 << 20])));
        assert_eq!(waiting(), 0);
        while waiting() < 200 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_publisher_over_the_high_water_mark_waits_until_the_group_has_caught_up() {
        let group = Group::new(());
        let connection = connection(100 << 20);
        let _membership = group.join(&connection, |_, _| []);
        let publish = || group.update(|_, _| Some(Message::binary(vec![0; 1 << 20])));
        let mut published = 0;
        while group.is_ready() {
            publish();
            published += 1;
        }
        assert!((5..8).contains(&published), "{published} messages");
        while !group.is_ready() {
            yield_now().await;
        }
        publish();
        while !group.inner().is_empty() {
            yield_now().await;
        }
        let (messages, _) = connection.queue().sent();
        assert_eq!(messages.len(), published + 1);
    }

    /// Many large writes in a row would hold up every other task of the worker.
    #[tokio::test]
    async fn other_tasks_run_while_a_large_batch_is_written() {
        let environment = Everwire::default().environment("/", Default::default(), true);
        let group = Group::new(());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut members = Vec::new();
        for _ in 0..10 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let server = Tcp::new(listener.accept().await.unwrap().0);
            let queue = OutboundQueue::with_direct(10 << 20, server.direct_writer(&environment));
            let membership = group.join(&Connection::new(Arc::new(queue)), |_, _| []);
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
        let (old, new) = (connection(1000), connection(1000));
        let _old = group.join(&old, |_, _| []);
        group.enqueue(|count, _| {
            *count += 1;
            Some(Message::text("changed"))
        });
        let _new = group.join(&new, |count, _| [Message::text(count.to_string())]);
        group.flush();
        assert_eq!(old.queue().sent().0, [Message::text("changed")]);
        assert_eq!(new.queue().sent().0, [Message::text("1")]);
    }

    #[test]
    fn a_member_that_left_is_sent_nothing_more() {
        let group = Group::new(());
        let connection = connection(1000);
        drop(group.join(&connection, |_, _| [Message::text("welcome")]));
        group.update(|_, members| Some(Message::text(format!("to {members}"))));
        assert_eq!(connection.queue().sent().0, [Message::text("welcome")]);
    }
}

//! Delivery to many connections: encoded once, sent in batches by one flush task at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::connection::{Frames, OutboundQueue};

/// Work of the flush task between two yields: sends to this many members, or writes of about this many bytes. Either takes about
/// 100 µs, which bounds how long other tasks of the worker wait.
const MEMBERS_PER_YIELD: usize = 64;
const BYTES_PER_YIELD: usize = 128 << 10;
/// A batch is sealed once it has this many bytes, so that it exceeds them by at most one message.
const BATCH_BYTES: usize = 128 << 10;
/// High-water mark of the bytes behind the batch that is being delivered. Above it, connections that publish are not read until the
/// members have caught up. It is several times the default limit on a message.
const HIGH_WATER_MARK: usize = 4 << 20;

/// Delivers the messages of a [`Source`] to all members.
///
/// Messages are delivered in batches: while one batch goes from member to member, everything that the source encodes is pending and
/// becomes the next batch, which takes one write per member. Nothing is written under the lock of the source and the members; a single
/// flush task at a time keeps the order.
///
/// A member gets each message that is pending after it has joined, until it leaves or falls behind.
pub(crate) struct FanOut<S: Source> {
    state: Mutex<FanOutState<S>>,
    /// Held while frames are sent.
    delivery: Mutex<()>,
}

/// Encodes what is delivered. It is under the lock of its [`FanOut`], so that its other state changes in step with the messages.
pub(crate) trait Source: Sized {
    /// What is known of a member besides its queue.
    type Member;
    /// Where a batch begins.
    type Position: Copy;

    /// A member with more bytes in its outbound queue falls behind.
    const BEHIND_BYTES: usize = usize::MAX;

    /// Bytes of what is pending.
    fn pending_bytes(&self) -> usize;

    /// Takes what is pending, if there is something, and where it begins.
    fn take_pending(&mut self) -> Option<(Self::Position, Frames)>;

    /// A member was removed: it does not keep up, or messages are missing. It was sent everything before this position.
    fn fell_behind(member: Self::Member, position: Self::Position);
}

struct FanOutState<S: Source> {
    source: S,
    /// Ordered by number, so that a batch can be continued although members join and leave meanwhile. The queue is not part of
    /// `S::Member`, because following one more pointer for each member costs as much as a tenth of a write.
    members: BTreeMap<u64, (Arc<OutboundQueue>, S::Member)>,
    next_number: u64,
    /// Sealed batches; the first is being delivered.
    batches: VecDeque<Batch<S::Position>>,
    /// Bytes of the batches behind the first.
    queued_bytes: usize,
    /// Whether a flush task runs.
    is_flushing: bool,
    /// The runtime of the member that joined last, for messages that come from a thread without one, as those of a journal do.
    runtime: Option<Handle>,
    /// Connections that are not read until the members have caught up.
    wakers: Vec<Waker>,
}

/// Encoded messages on their way to the members.
struct Batch<P> {
    position: P,
    /// `None` if messages are missing here: all members fall behind.
    frames: Option<Frames>,
    /// The members with numbers in `next..end` have yet to receive it. Those from `end` joined after it was sealed.
    next: u64,
    end: u64,
}

/// The part of a batch that the flush task delivers before it yields.
struct DeliveryChunk<P> {
    position: P,
    frames: Option<Frames>,
    members: SmallVec<[(u64, Arc<OutboundQueue>); MEMBERS_PER_YIELD]>,
}

/// The flush task. If it ends before its time, by a panic or with its runtime, the next flush starts another one.
struct FlushTask<S: Source> {
    fan_out: Arc<FanOut<S>>,
    /// Nothing was left, and [`FanOutState::is_flushing`] says so.
    is_done: bool,
}

/// The source and the members while nothing changes them.
pub(crate) struct LockedFanOut<'a, S: Source>(MutexGuard<'a, FanOutState<S>>);

impl<S: Source> FanOut<S> {
    /// A fan-out without members.
    pub(crate) fn new(source: S) -> Self {
        let state = FanOutState {
            source,
            members: BTreeMap::new(),
            next_number: 1,
            batches: VecDeque::new(),
            queued_bytes: 0,
            is_flushing: false,
            runtime: None,
            wakers: Vec::new(),
        };
        Self { state: Mutex::new(state), delivery: Mutex::default() }
    }

    pub(crate) fn lock(&self) -> LockedFanOut<'_, S> {
        LockedFanOut(self.state())
    }

    /// Sends the members what is pending. Returns at once; the flush task does the work.
    pub(crate) fn flush(self: &Arc<Self>)
    where
        S: Send + 'static,
        S::Member: Send,
        S::Position: Send,
    {
        let mut state = self.state();
        if state.is_flushing || state.is_empty() {
            return;
        }
        // Under the lock, so that there is one flush task at a time.
        state.is_flushing = true;
        let runtime = Handle::try_current().ok().or_else(|| state.runtime.clone());
        drop(state);
        let task = FlushTask { fan_out: Arc::clone(self), is_done: false };
        match runtime {
            Some(runtime) => drop(runtime.spawn(task.run())),
            // Outside of a runtime no other task has to wait for this one.
            None => task.run_at_once(),
        }
    }

    /// Removes a member. A delivery that is under way may still reach it.
    pub(crate) fn leave(&self, number: u64) {
        let removed = self.state().members.remove(&number);
        // What a member holds may be large: it is dropped without the lock.
        drop(removed);
    }

    /// Like [`leave`](Self::leave), and returns when nothing more is sent to the member. Must not be called under a lock that is taken in
    /// [`Source::fell_behind`].
    #[cfg(feature = "channels")]
    pub(crate) fn leave_at_once(&self, number: u64) {
        self.leave(number);
        drop(self.delivery.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Ready below the high-water mark. Otherwise the context's waker is woken once that is so.
    pub(crate) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.has_room() {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waiting| waiting.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whether [`poll_ready`](Self::poll_ready) would be ready now.
    pub(crate) fn has_room(&self) -> bool {
        self.state().has_room()
    }

    /// Delivers a part of the first batch. Returns whether there was one.
    fn deliver(&self) -> bool {
        let sending = self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(DeliveryChunk { position, frames, members }) = self.state().next_delivery() else { return false };
        let mut behind: SmallVec<[u64; MEMBERS_PER_YIELD]> = SmallVec::new();
        match frames {
            Some(frames) => {
                members.iter().for_each(|(_, queue)| queue.prefetch());
                let now = Instant::now();
                for (number, queue) in &members {
                    if !queue.send_frames_below(S::BEHIND_BYTES, &frames, now) {
                        behind.push(*number);
                    }
                }
            }
            None => behind.extend(members.iter().map(|(number, _)| *number)),
        }
        // Without this lock: `fell_behind` takes locks under which `leave_at_once` may be waiting for it.
        drop(sending);
        for number in behind {
            // One that has left meanwhile needs nothing.
            let removed = self.state().members.remove(&number);
            if let Some((_, member)) = removed {
                S::fell_behind(member, position);
            }
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, FanOutState<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source> FlushTask<S> {
    async fn run(mut self) {
        // Connections that are ready publish their messages first, and these become part of the batch.
        yield_now().await;
        while self.deliver() {
            yield_now().await;
        }
    }

    fn run_at_once(mut self) {
        while self.deliver() {}
    }

    fn deliver(&mut self) -> bool {
        self.is_done = !self.fan_out.deliver();
        !self.is_done
    }
}

impl<S: Source> Drop for FlushTask<S> {
    fn drop(&mut self) {
        if !self.is_done {
            self.fan_out.state().is_flushing = false;
        }
    }
}

impl<S: Source> LockedFanOut<'_, S> {
    pub(crate) fn source(&self) -> &S {
        &self.0.source
    }

    /// Call [`seal_if_full`](Self::seal_if_full) after something became pending.
    pub(crate) fn source_mut(&mut self) -> &mut S {
        &mut self.0.source
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> usize {
        self.0.members.len()
    }

    /// The number of the member that joins next: 1 for the first, and never used again.
    pub(crate) fn next_number(&self) -> u64 {
        self.0.next_number
    }

    /// Adds a member, which is sent what becomes pending from now on. Returns its number.
    pub(crate) fn join(&mut self, queue: Arc<OutboundQueue>, member: S::Member) -> u64 {
        // What is pending goes to the members before this one, which has seen it in the source.
        self.0.seal();
        let number = self.0.next_number;
        self.0.next_number += 1;
        self.0.members.insert(number, (queue, member));
        self.0.runtime = Handle::try_current().ok().or(self.0.runtime.take());
        number
    }

    /// A message is pending. Makes a batch of what is, if that is enough for one.
    pub(crate) fn seal_if_full(&mut self) {
        if self.0.source.pending_bytes() >= BATCH_BYTES {
            self.0.seal();
        }
    }

    /// Messages are missing behind those that are pending: the members fall behind there.
    #[cfg(feature = "channels")]
    pub(crate) fn interrupt(&mut self, position: S::Position) {
        self.0.seal();
        self.0.push(position, None);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Source> FanOutState<S> {
    /// Makes a batch of what is pending, for the members that there are now.
    fn seal(&mut self) {
        if let Some((position, frames)) = self.source.take_pending() {
            self.push(position, Some(frames));
        }
    }

    fn push(&mut self, position: S::Position, frames: Option<Frames>) {
        let batch = Batch { position, frames, next: 0, end: self.next_number };
        if !self.batches.is_empty() {
            self.queued_bytes += batch.bytes();
        }
        self.batches.push_back(batch);
    }

    fn is_empty(&self) -> bool {
        self.source.pending_bytes() == 0 && self.batches.is_empty()
    }

    fn has_room(&self) -> bool {
        self.source.pending_bytes() + self.queued_bytes <= HIGH_WATER_MARK
    }

    fn next_delivery(&mut self) -> Option<DeliveryChunk<S::Position>> {
        loop {
            if self.batches.is_empty() {
                self.seal();
            }
            let Some(batch) = self.batches.front_mut() else {
                // Under the lock, so that whatever becomes pending from now on starts another flush task.
                self.is_flushing = false;
                return None;
            };
            let count = BYTES_PER_YIELD.div_ceil(batch.bytes().max(1)).min(MEMBERS_PER_YIELD);
            let mut members = SmallVec::new();
            for (number, (queue, _)) in self.members.range(batch.next..batch.end).take(count) {
                batch.next = number + 1;
                members.push((*number, Arc::clone(queue)));
            }
            if !members.is_empty() {
                return Some(DeliveryChunk { position: batch.position, frames: batch.frames.clone(), members });
            }
            self.batches.pop_front();
            self.queued_bytes -= self.batches.front().map_or(0, Batch::bytes);
            if self.has_room() {
                self.wakers.drain(..).for_each(Waker::wake);
            }
        }
    }
}

impl<P> Batch<P> {
    fn bytes(&self) -> usize {
        self.frames.as_ref().map_or(0, |frames| frames.bytes().len())
    }
}

//! The outbound queue of a connection: what waits to be written to its client, and direct writes around the connection's task.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::time::Instant;

use super::frames::{Frames, FramesMut, Pieces};
use super::transport::DirectWriter;
use crate::limits::Charge;
use crate::message::Message;
use crate::metrics::{DropReason, this_worker};

/// The cost of a piece in addition to its bytes, so that a long queue of short messages counts, too.
const OVERHEAD: usize = size_of::<Frames>();

/// Shared frames of at most this size are copied if something is queued already: sharing takes as much memory, and more time,
/// since short pieces are combined for a write in any case.
const MAX_COPIED_BYTES: usize = 512;

/// The size at which the tail becomes a piece. The time limit for writes applies to a piece, so pieces must not be large.
const TAIL_BYTES: usize = 32 << 10;

/// The messages that wait to be written to one connection.
///
/// Sending never blocks. When more than the limit is queued, everything is dropped and the connection closes.
#[derive(Debug)]
pub(crate) struct OutboundQueue {
    limit: usize,
    direct: Option<DirectWriter>,
    state: Mutex<State>,
}

/// The fields that a direct write reads come first: with thousands of members, the cache lines that each takes are what fan-out
/// costs.
#[derive(Debug, Default)]
#[repr(C)]
struct State {
    /// Bytes in the queue.
    queued: usize,
    /// Bytes that were taken last and may not be written yet.
    taken: usize,
    /// The parts of both that only this connection holds. Shared frames cost no memory for each connection.
    own_queued: usize,
    own_taken: usize,
    end: Option<QueueEnd>,
    /// The time of the last direct write.
    direct_at: Option<Instant>,
    /// Bytes of the first piece that a direct write has written.
    offset: usize,
    pieces: Pieces,
    /// Messages behind the pieces that only this connection receives, encoded one after another.
    tail: FramesMut,
    /// Wakes the connection's task, which writes.
    writer: Option<Waker>,
    /// Whether the writer runs and will take from the queue before it sleeps.
    is_wake_suppressed: bool,
    /// The worker that polled the connection last.
    worker: usize,
    charge: Option<Charge>,
    /// The wakers of tasks that wait until less is queued.
    drain_wakers: Vec<Waker>,
}

/// The content of an outbound queue.
#[derive(Debug, Default)]
pub(super) struct QueueContent {
    pub(super) pieces: Pieces,
    /// Bytes of the first piece that are written already.
    pub(super) offset: usize,
    pub(super) end: Option<QueueEnd>,
}

/// Why the queue accepts no more messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueueEnd {
    /// The handler closes the connection with this code and reason once the queue is written, and counts a drop if there is one.
    Close(u16, Cow<'static, str>, Option<DropReason>),
    /// The client reads too slowly.
    Overflow,
    /// The server is draining.
    Drained,
}

impl OutboundQueue {
    /// A queue that overflows when a message is sent while more than `limit` bytes are queued.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, direct: None, state: Mutex::default() }
    }

    /// A queue that writes shared frames directly while it is empty. Waking the connection's task for each message would cost as
    /// much as the write.
    pub(crate) fn with_direct(limit: usize, direct: DirectWriter) -> Self {
        Self { limit, direct: Some(direct), state: Mutex::default() }
    }

    /// Charges the memory budget for messages that only this connection holds.
    pub(crate) fn with_charge(self, charge: Charge) -> Self {
        self.state().charge = Some(charge);
        self
    }

    /// Queues a message. After the end it is dropped.
    pub(crate) fn send(&self, message: &Message) {
        self.enqueue_own(|tail| tail.push(message));
    }

    /// Queues lines of `everwire.v1`, which join those that wait.
    #[cfg(feature = "channels")]
    pub(crate) fn send_lines(&self, message: &Message) {
        self.enqueue_own(|tail| tail.push_lines(message));
    }

    /// Queues the answer to a ping.
    pub(super) fn send_pong(&self, payload: &[u8]) {
        self.enqueue_own(|tail| tail.push_pong(payload));
    }

    /// Queues frames that other connections receive as well, without a copy, unless more than `mark` bytes wait. Returns whether fewer
    /// waited.
    pub(crate) fn send_frames_below(&self, mark: usize, frames: &Frames, now: Instant) -> bool {
        let mut is_below = true;
        self.enqueue(false, |state| {
            if state.queued + state.taken > mark {
                is_below = false;
                return 0;
            }
            // Only while nothing is queued or being written, or the frames would overtake it.
            if let Some(direct) = self.direct.as_ref().filter(|_| state.queued + state.taken == 0) {
                state.offset = direct.write(frames);
                state.direct_at = Some(now);
                if state.offset == frames.bytes().len() {
                    state.offset = 0;
                    return 0;
                }
            }
            if state.queued > 0 && frames.bytes().len() <= MAX_COPIED_BYTES {
                state.own_queued += frames.bytes().len();
                return state.push_copy(frames);
            }
            state.own_queued += OVERHEAD;
            state.push(frames.clone())
        });
        is_below
    }

    /// Ends the queue: it accepts no more messages. The first end counts.
    pub(crate) fn end(&self, end: QueueEnd) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        state.wake();
        state.wake_drained();
    }

    /// Suppresses wakes until the next [`take`](Self::take): the connection's task is handling messages and takes their answers by
    /// itself, so that a wake would only have it polled once more for nothing.
    pub(super) fn suppress_wake(&self) {
        self.state().is_wake_suppressed = true;
    }

    /// Takes the whole content, after what was taken before has been written. `waker` is woken when there is more.
    pub(super) fn take(&self, waker: &Waker) -> QueueContent {
        let mut state = self.state();
        state.register(waker);
        state.worker = this_worker();
        // What was taken before has been written by now.
        state.taken = std::mem::take(&mut state.queued);
        state.wake_drained();
        state.own_taken = std::mem::take(&mut state.own_queued);
        state.update_charge();
        state.seal_tail();
        let pieces = std::mem::take(&mut state.pieces);
        QueueContent { pieces, offset: std::mem::take(&mut state.offset), end: state.end.clone() }
    }

    /// Ends the queue, which also ends direct writes, and takes its content for the last time.
    pub(super) fn close_and_take(&self) -> QueueContent {
        let mut state = self.state();
        state.end.get_or_insert(QueueEnd::Drained);
        drop(state);
        // Also wakes the tasks that wait until less is queued.
        self.take(Waker::noop())
    }

    /// Loads the memory that a direct write needs into the cache. Done for several members before the first write, their cache
    /// misses overlap.
    pub(crate) fn prefetch(&self) {
        if let Some(direct) = &self.direct {
            direct.prefetch();
        }
    }

    /// The time of the last direct write.
    pub(super) fn direct_at(&self) -> Option<Instant> {
        self.state().direct_at
    }

    /// The end, if there is one, while what was taken is still being written. `waker` is woken when there is one.
    pub(super) fn poll_end(&self, waker: &Waker) -> Option<QueueEnd> {
        let mut state = self.state();
        state.register(waker);
        state.end.clone()
    }

    /// Ready when at most `most` bytes are queued or being written, or nothing can be sent any more. The result is whether something can.
    pub(crate) fn poll_drained(&self, most: usize, waker: &Waker) -> Poll<bool> {
        let mut state = self.state();
        if state.end.is_some() {
            return Poll::Ready(false);
        }
        if state.queued + state.taken <= most {
            return Poll::Ready(true);
        }
        if !state.drain_wakers.iter().any(|waiting| waiting.will_wake(waker)) {
            state.drain_wakers.push(waker.clone());
        }
        Poll::Pending
    }

    /// Whether others may write to TCP without waking the connection's task.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    /// The index of the worker that polled the connection last.
    pub(crate) fn worker(&self) -> usize {
        self.state().worker
    }

    /// Bytes that are queued or being written.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.state();
        state.queued + state.taken
    }

    /// Takes the queued messages, decoded, and the end after them: for tests without a peer.
    pub(crate) fn drain_messages(&self) -> (Vec<Message>, Option<QueueEnd>) {
        let QueueContent { pieces, end, .. } = self.take(Waker::noop());
        (pieces.iter().flat_map(Frames::messages_decoded).collect(), end)
    }

    /// The end of the queue, if it has ended.
    pub(crate) fn end_so_far(&self) -> Option<QueueEnd> {
        self.state().end.clone()
    }

    /// Queues frames that other connections receive as well, however many wait.
    #[cfg(test)]
    pub(crate) fn send_frames(&self, frames: &Frames, now: Instant) {
        self.send_frames_below(usize::MAX, frames, now);
    }

    /// The queued frames.
    #[cfg(test)]
    pub(crate) fn pieces(&self) -> Pieces {
        self.take(Waker::noop()).pieces
    }

    /// Queues what `encode` adds to the messages that only this connection receives.
    fn enqueue_own(&self, encode: impl FnOnce(&mut FramesMut)) {
        self.enqueue(true, |state| {
            let before = state.tail.len();
            encode(&mut state.tail);
            let added = state.tail.len() - before;
            state.own_queued += added;
            if state.tail.len() >= TAIL_BYTES {
                state.seal_tail();
            }
            added
        });
    }

    /// Queues what `add` adds, unless the queue is over its limit. `add` returns the number of bytes added.
    fn enqueue(&self, is_answer: bool, add: impl FnOnce(&mut State) -> usize) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        if state.queued + state.taken > self.limit {
            state.overflow();
            return;
        }
        // The first message has woken the writer; it has not taken from the queue since.
        let is_first = state.queued == 0;
        state.queued += add(&mut state);
        // Answers are bounded by what is read. Messages of others are not, and must not fill the memory.
        if !state.update_charge() && !is_answer {
            state.overflow();
            return;
        }
        if is_first && state.queued > 0 {
            state.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a piece after everything else. Returns the number of bytes that it counts as.
    fn push(&mut self, piece: Frames) -> usize {
        self.seal_tail();
        let bytes = piece.bytes().len() + OVERHEAD;
        self.pieces.push(piece);
        bytes
    }

    /// Copies short frames after everything else. Returns the number of bytes that they count as.
    fn push_copy(&mut self, frames: &Frames) -> usize {
        self.tail.extend(frames);
        if self.tail.len() >= TAIL_BYTES {
            self.seal_tail();
        }
        frames.bytes().len()
    }

    /// Makes the tail a piece.
    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let piece = self.tail.take();
            self.pieces.push(piece);
        }
    }

    /// Drops the content and ends the queue. The rest of a frame that is partly written must stay, or the peer could not find its
    /// end.
    fn overflow(&mut self) {
        let incomplete = self.pieces.first().and_then(|piece| piece.up_to_incomplete(self.offset));
        if incomplete.is_none() {
            self.offset = 0;
        }
        self.pieces.clear();
        self.pieces.extend(incomplete);
        self.tail = FramesMut::default();
        self.queued = 0;
        self.taken = 0;
        (self.own_queued, self.own_taken) = (0, 0);
        self.update_charge();
        self.end = Some(QueueEnd::Overflow);
        self.wake();
        self.wake_drained();
    }

    /// Charges the memory budget. Returns whether it has room.
    fn update_charge(&mut self) -> bool {
        let bytes = self.own_queued + self.own_taken;
        self.charge.as_mut().is_none_or(|charge| charge.force(bytes))
    }

    fn register(&mut self, waker: &Waker) {
        self.is_wake_suppressed = false;
        if !self.writer.as_ref().is_some_and(|writer| writer.will_wake(waker)) {
            self.writer = Some(waker.clone());
        }
    }

    /// Wakes the tasks that wait until less is queued.
    fn wake_drained(&mut self) {
        self.drain_wakers.drain(..).for_each(Waker::wake);
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.as_ref().filter(|_| !self.is_wake_suppressed) {
            writer.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::limits::{Limits, MemoryBudget};

    /// Counts wakes.
    #[derive(Default)]
    struct WakeCounter(AtomicUsize);

    impl Wake for WakeCounter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn queued_messages_are_taken_in_order_with_the_end_after_them() {
        let outbound = OutboundQueue::new(1000);
        outbound.send(&Message::text("a"));
        outbound.send_frames(&Frames::of(&Message::text("b")), Instant::now());
        outbound.send(&Message::text("c"));
        outbound.send(&Message::text("d"));
        outbound.end(QueueEnd::Close(1000, "done".into(), None));
        outbound.send(&Message::text("after the end"));
        let (messages, end) = outbound.drain_messages();
        assert_eq!(messages, ["a", "b", "c", "d"].map(Message::text));
        assert_eq!(end, Some(QueueEnd::Close(1000, "done".into(), None)));
    }

    #[test]
    fn a_backlog_over_the_limit_is_dropped_and_ends_the_queue() {
        let outbound = OutboundQueue::new(1000);
        let message = Message::binary(vec![0; 400]);
        for _ in 0..3 {
            outbound.send(&message);
        }
        assert!(outbound.bytes() > 1200, "{}", outbound.bytes());
        outbound.send(&message);
        assert_eq!(outbound.bytes(), 0);
        assert_eq!(outbound.drain_messages(), (Vec::new(), Some(QueueEnd::Overflow)));
    }

    #[test]
    fn a_connection_is_woken_once_and_not_for_answers_to_messages_that_it_handles() {
        let woken = Arc::new(WakeCounter::default());
        let waker = Waker::from(Arc::clone(&woken));
        let outbound = OutboundQueue::new(1000);
        outbound.take(&waker);
        outbound.suppress_wake();
        outbound.send(&Message::text("answer"));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        outbound.take(&waker);
        outbound.send(&Message::text("news"));
        outbound.send(&Message::text("more news"));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn taken_bytes_count_until_the_next_take() {
        let outbound = OutboundQueue::new(1000);
        outbound.send(&Message::binary(vec![0; 900]));
        let taken = outbound.pieces();
        assert!(outbound.bytes() > 900, "{}", outbound.bytes());
        drop(taken);
        assert!(outbound.pieces().is_empty());
        assert_eq!(outbound.bytes(), 0);
    }

    #[test]
    fn a_task_that_waits_for_the_queue_is_woken_when_it_was_written_or_cannot_be() {
        let woken = Arc::new(WakeCounter::default());
        let waker = Waker::from(Arc::clone(&woken));
        let outbound = OutboundQueue::new(1000);
        outbound.send(&Message::binary(vec![0; 500]));
        assert_eq!(outbound.poll_drained(100, &waker), Poll::Pending);
        outbound.take(Waker::noop());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(outbound.poll_drained(100, &waker), Poll::Pending, "it is being written");
        outbound.take(Waker::noop());
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        assert_eq!(outbound.poll_drained(100, &waker), Poll::Ready(true));
        outbound.send(&Message::binary(vec![0; 500]));
        assert_eq!(outbound.poll_drained(100, &waker), Poll::Pending);
        outbound.close_and_take();
        assert_eq!(woken.0.load(Ordering::Relaxed), 3);
        assert_eq!(outbound.poll_drained(100, &waker), Poll::Ready(false));
    }

    #[test]
    fn a_connection_above_the_mark_is_sent_no_frames() {
        let outbound = OutboundQueue::new(1000);
        let frames = Frames::of(&Message::binary(vec![0; 300]));
        assert!(outbound.send_frames_below(200, &frames, Instant::now()));
        assert!(!outbound.send_frames_below(200, &frames, Instant::now()));
        assert_eq!(outbound.drain_messages().0.len(), 1);
    }

    /// A reader that is thousands of short messages behind must not cost more than their bytes.
    #[test]
    fn short_shared_messages_are_queued_in_few_pieces() {
        let outbound = OutboundQueue::new(1 << 20);
        let short = Frames::of(&Message::text("short"));
        for _ in 0..10_000 {
            outbound.send_frames(&short, Instant::now());
        }
        assert!(outbound.bytes() < 80_000, "{} bytes", outbound.bytes());
        let pieces = outbound.pieces();
        assert!(pieces.len() < 10, "{} pieces", pieces.len());
        assert_eq!(pieces.iter().map(Frames::messages).sum::<u64>(), 10_000);
    }

    #[test]
    fn only_own_messages_are_charged_and_a_queue_overflows_if_the_budget_has_no_room_for_shared_ones() {
        let budget = MemoryBudget::new(&Limits { buffered_bytes: 100_000, ..Limits::default() });
        let outbound = || OutboundQueue::new(1 << 20).with_charge(budget.charge(None));
        let (one, other) = (outbound(), outbound());
        let large = Message::binary(vec![0; 60_000]);
        one.send(&large);
        // Shared frames take memory once for all members.
        for _ in 0..10 {
            other.send_frames(&Frames::of(&large), Instant::now());
        }
        assert_eq!(other.drain_messages().1, None);
        other.send(&large);
        let short = Frames::of(&Message::binary(vec![0; 500]));
        let mut sent = 0;
        while other.bytes() > 0 {
            other.send_frames(&short, Instant::now());
            sent += 1;
        }
        assert!(sent < 20, "{sent}");
        assert_eq!(other.drain_messages().1, Some(QueueEnd::Overflow));
        assert_eq!(one.drain_messages().0, [large], "answers are sent in any case");
        drop((one, other));
        assert!(budget.charge(None).force(100_000), "all of it is returned");
    }

    #[test]
    fn empty_messages_also_fill_an_outbound_queue() {
        let own = OutboundQueue::new(1000);
        let shared = OutboundQueue::new(1000);
        let empty = Frames::of(&Message::text(""));
        for _ in 0..1000 {
            own.send(&Message::text(""));
            shared.send_frames(&empty, Instant::now());
        }
        assert_eq!(own.drain_messages().1, Some(QueueEnd::Overflow));
        assert_eq!(shared.drain_messages().1, Some(QueueEnd::Overflow));
    }
}

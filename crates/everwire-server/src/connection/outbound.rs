use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::frames::{Frames, FramesMut};
use super::tcp::Direct;
use crate::limits::Charge;
use crate::message::Message;
use crate::metrics::{DropReason, this_worker};

/// What shared frames cost beside their bytes, so that nobody can have a long queue of short ones for free.
const OVERHEAD: usize = size_of::<Frames>();

/// Bytes that many get and that are copied all the same where something waits already: to share them costs as much memory,
/// and more time, since they are put together for a write in any case.
const SHORT: usize = 512;

/// Bytes of messages that are encoded in one run. A reader is slow that takes no piece for long, so none may be large.
const RUN: usize = 32 << 10;

/// Frames in the order in which they are written. Most often there is one piece, which needs no memory of its own.
pub(super) type Pieces = SmallVec<[Frames; 1]>;

/// The messages that wait to be written to one connection.
///
/// Anyone may put messages in and never waits for it. When more waits than the reader is allowed to be behind,
/// everything is thrown away and the connection is told to end.
#[derive(Debug)]
pub(crate) struct OutboundQueue {
    limit: usize,
    direct: Option<Direct>,
    queue: Mutex<Queue>,
}

/// What a direct write looks at stands first: of thousands of outbound queues each costs as many cache lines as that takes.
#[derive(Debug, Default)]
#[repr(C)]
struct Queue {
    /// Bytes in here.
    waiting: usize,
    /// Bytes that were taken out last, and may not be written yet.
    taken: usize,
    /// How much of both is of this connection alone. What others hold too costs no memory for each.
    own_waiting: usize,
    own_taken: usize,
    end: Option<End>,
    /// When something was last written directly.
    direct_at: Option<Instant>,
    /// How much of the first piece is written.
    begun: usize,
    pieces: Pieces,
    /// Messages to this connection alone, behind the pieces: encoded in one run, since they share nothing anyway.
    tail: FramesMut,
    /// Who writes.
    writer: Option<Waker>,
    /// Whether the writer is at work, and looks here before it rests.
    is_attended: bool,
    /// The worker that served the connection last.
    worker: usize,
    charge: Option<Charge>,
}

/// What was in an outbound queue.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) pieces: Pieces,
    /// How much of the first piece is written already.
    pub(super) begun: usize,
    pub(super) end: Option<End>,
}

/// Why nothing more will come out of an outbound queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The endpoint is done; close with this code and reason after what is queued, and count it if there is a reason.
    Close(u16, Cow<'static, str>, Option<DropReason>),
    /// The reader is too slow.
    Overflow,
    /// The server stops, and it is this connection's turn.
    Drained,
}

impl OutboundQueue {
    /// An outbound queue that overflows when a message comes while more than `limit` bytes wait.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, direct: None, queue: Mutex::default() }
    }

    /// One that passes what many get straight on while nothing waits in it: to wake the connection for each message
    /// would cost as much as the write.
    pub(crate) fn with_direct(limit: usize, direct: Direct) -> Self {
        Self { limit, direct: Some(direct), queue: Mutex::default() }
    }

    /// Charges for what waits here alone.
    pub(crate) fn charged(self, charge: Charge) -> Self {
        self.queue().charge = Some(charge);
        self
    }

    /// Puts a message in. After the end it goes nowhere.
    pub(crate) fn send(&self, message: &Message) {
        self.put(true, |queue| {
            let before = queue.tail.len();
            queue.tail.push(message);
            let added = queue.tail.len() - before;
            queue.own_waiting += added;
            if queue.tail.len() >= RUN {
                queue.end_run();
            }
            added
        });
    }

    /// Puts in what others get too; it is shared, not copied. Says how many bytes were written directly.
    pub(crate) fn send_frames(&self, frames: &Frames, now: Instant) -> usize {
        let mut written = 0;
        self.put(false, |queue| {
            if let Some(direct) = self.direct.as_ref().filter(|_| queue.waiting + queue.taken == 0) {
                written = direct.write(frames);
                queue.begun = written;
                queue.direct_at = Some(now);
                if queue.begun == frames.bytes().len() {
                    queue.begun = 0;
                    return 0;
                }
            }
            if queue.waiting > 0 && frames.bytes().len() <= SHORT {
                queue.own_waiting += frames.bytes().len();
                return queue.push_copy(frames);
            }
            queue.own_waiting += OVERHEAD;
            queue.push(frames.clone())
        });
        written
    }

    /// Puts in the answer to a ping.
    pub(super) fn send_pong(&self, payload: &[u8]) {
        self.put(true, |queue| {
            let before = queue.tail.len();
            queue.tail.push_pong(payload);
            let added = queue.tail.len() - before;
            queue.own_waiting += added;
            added
        });
    }

    /// Nothing more goes in. The first end counts.
    pub(crate) fn end(&self, end: End) {
        let mut queue = self.queue();
        queue.end.get_or_insert(end);
        queue.wake();
    }

    /// The connection receives messages, and takes out their answers by itself: to be woken for them would cost it one turn
    /// for nothing.
    pub(super) fn attend(&self) {
        self.queue().is_attended = true;
    }

    /// Takes everything out, once what was taken before is written, and remembers whom to wake when there is more.
    pub(super) fn take(&self, waker: &Waker) -> Taken {
        let mut queue = self.queue();
        queue.remember(waker);
        queue.worker = this_worker();
        queue.taken = std::mem::take(&mut queue.waiting);
        queue.own_taken = std::mem::take(&mut queue.own_waiting);
        queue.update_charge();
        queue.end_run();
        let pieces = std::mem::take(&mut queue.pieces);
        Taken { pieces, begun: std::mem::take(&mut queue.begun), end: queue.end.clone() }
    }

    /// Takes everything out for the last time: nothing goes in, and nobody writes directly, any more.
    pub(super) fn retire(&self) -> Taken {
        let mut queue = self.queue();
        queue.end.get_or_insert(End::Drained);
        drop(queue);
        self.take(Waker::noop())
    }

    /// Has the processor fetch what a direct write needs. Done for several members before the first of them is written
    /// to, it waits for memory once and not for each.
    pub(crate) fn prepare(&self) {
        if let Some(direct) = &self.direct {
            direct.prepare();
        }
    }

    /// When something was last written directly.
    pub(super) fn direct_at(&self) -> Option<Instant> {
        self.queue().direct_at
    }

    /// Looks for the end while what was taken is still being written.
    pub(super) fn ended(&self, waker: &Waker) -> Option<End> {
        let mut queue = self.queue();
        queue.remember(waker);
        queue.end.clone()
    }

    /// Whether others may write to TCP without waking the connection's task.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    /// The index of the worker that served the connection last.
    pub(crate) fn worker(&self) -> usize {
        self.queue().worker
    }

    /// Bytes that wait, or are being written.
    pub(crate) fn bytes(&self) -> usize {
        let queue = self.queue();
        queue.waiting + queue.taken
    }

    /// `add` puts something into the queue, and says how many bytes that takes.
    fn put(&self, is_answer: bool, add: impl FnOnce(&mut Queue) -> usize) {
        let mut queue = self.queue();
        if queue.end.is_some() {
            return;
        }
        if queue.waiting + queue.taken > self.limit {
            queue.overflow();
            return;
        }
        // Whoever put in the first message has woken the writer, who has not looked yet.
        let is_first = queue.waiting == 0;
        queue.waiting += add(&mut queue);
        // Answers are bounded by what is read. What others say is not, and must not fill the memory.
        if !queue.update_charge() && !is_answer {
            queue.overflow();
            return;
        }
        if is_first && queue.waiting > 0 {
            queue.wake();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Adds a piece behind everything else, and says how many bytes that takes.
    fn push(&mut self, piece: Frames) -> usize {
        self.end_run();
        let bytes = piece.bytes().len() + OVERHEAD;
        self.pieces.push(piece);
        bytes
    }

    /// Copies short frames behind everything else, and says how many bytes that takes.
    fn push_copy(&mut self, frames: &Frames) -> usize {
        self.tail.extend(frames);
        if self.tail.len() >= RUN {
            self.end_run();
        }
        frames.bytes().len()
    }

    /// Makes a piece of the tail.
    fn end_run(&mut self) {
        if !self.tail.is_empty() {
            let run = self.tail.take();
            self.pieces.push(run);
        }
    }

    /// Throws away what is not begun: the rest of a frame has to follow, or the peer could not tell where it ends.
    fn overflow(&mut self) {
        let under_way = self.pieces.first().and_then(|piece| piece.up_to_incomplete(self.begun));
        if under_way.is_none() {
            self.begun = 0;
        }
        self.pieces.clear();
        self.pieces.extend(under_way);
        self.tail = FramesMut::default();
        self.waiting = 0;
        self.taken = 0;
        (self.own_waiting, self.own_taken) = (0, 0);
        self.update_charge();
        self.end = Some(End::Overflow);
        self.wake();
    }

    /// Charges for what is here. Says whether there is room for it.
    fn update_charge(&mut self) -> bool {
        let bytes = self.own_waiting + self.own_taken;
        self.charge.as_mut().is_none_or(|charge| charge.force(bytes))
    }

    fn remember(&mut self, waker: &Waker) {
        self.is_attended = false;
        if !self.writer.as_ref().is_some_and(|writer| writer.will_wake(waker)) {
            self.writer = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.as_ref().filter(|_| !self.is_attended) {
            writer.wake_by_ref();
        }
    }
}

impl OutboundQueue {
    /// Takes out what waits, decoded, and the end behind it: for tests without a peer.
    pub(crate) fn drain_messages(&self) -> (Vec<Message>, Option<End>) {
        let Taken { pieces, end, .. } = self.take(Waker::noop());
        (pieces.iter().flat_map(Frames::messages_decoded).collect(), end)
    }

    /// Why nothing more will come out, if so.
    pub(crate) fn end_so_far(&self) -> Option<End> {
        self.queue().end.clone()
    }
}

#[cfg(test)]
impl OutboundQueue {
    /// What waits, as a client reads it, and the end behind it.
    pub(crate) fn sent(&self) -> (Vec<Message>, Option<End>) {
        self.drain_messages()
    }

    /// The frames that wait.
    pub(crate) fn pieces(&self) -> Pieces {
        self.take(Waker::noop()).pieces
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::limits::{Limits, MemoryBudget};

    /// Counts how often it is woken.
    #[derive(Default)]
    struct WakeCounter(AtomicUsize);

    impl Wake for WakeCounter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_waits_comes_out_in_order_with_the_end_behind_it() {
        let outbound = OutboundQueue::new(1000);
        outbound.send(&Message::text("a"));
        outbound.send_frames(&Frames::of(&Message::text("b")), Instant::now());
        outbound.send(&Message::text("c"));
        outbound.send(&Message::text("d"));
        outbound.end(End::Close(1000, "done".into(), None));
        outbound.send(&Message::text("after the end"));
        let (messages, end) = outbound.sent();
        assert_eq!(messages, ["a", "b", "c", "d"].map(Message::text));
        assert_eq!(end, Some(End::Close(1000, "done".into(), None)));
    }

    #[test]
    fn a_backlog_over_the_limit_is_thrown_away_and_ends_the_connection() {
        let outbound = OutboundQueue::new(1000);
        let message = Message::binary(vec![0; 400]);
        for _ in 0..3 {
            outbound.send(&message);
        }
        assert!(outbound.bytes() > 1200, "{}", outbound.bytes());
        outbound.send(&message);
        assert_eq!(outbound.bytes(), 0);
        assert_eq!(outbound.sent(), (Vec::new(), Some(End::Overflow)));
    }

    #[test]
    fn a_connection_is_woken_once_and_not_for_the_answers_to_what_it_receives() {
        let woken = Arc::new(WakeCounter::default());
        let waker = Waker::from(Arc::clone(&woken));
        let outbound = OutboundQueue::new(1000);
        outbound.take(&waker);
        outbound.attend();
        outbound.send(&Message::text("answer"));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        outbound.take(&waker);
        outbound.send(&Message::text("news"));
        outbound.send(&Message::text("more news"));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_was_taken_counts_until_it_is_written() {
        let outbound = OutboundQueue::new(1000);
        outbound.send(&Message::binary(vec![0; 900]));
        let taken = outbound.pieces();
        assert!(outbound.bytes() > 900, "{}", outbound.bytes());
        drop(taken);
        assert!(outbound.pieces().is_empty());
        assert_eq!(outbound.bytes(), 0);
    }

    /// A reader that is thousands of short messages behind must not cost more for each than the message has.
    #[test]
    fn short_messages_that_many_get_wait_in_few_pieces() {
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
    fn what_waits_for_one_is_charged_and_who_cannot_be_sent_what_others_say_is_slow() {
        let budget = MemoryBudget::new(&Limits { buffered_bytes: 100_000, ..Limits::default() });
        let outbound = || OutboundQueue::new(1 << 20).charged(budget.charge(None));
        let (one, other) = (outbound(), outbound());
        let large = Message::binary(vec![0; 60_000]);
        one.send(&large);
        // The memory is there once for all who get it.
        for _ in 0..10 {
            other.send_frames(&Frames::of(&large), Instant::now());
        }
        assert_eq!(other.sent().1, None);
        other.send(&large);
        let short = Frames::of(&Message::binary(vec![0; 500]));
        let mut sent = 0;
        while other.bytes() > 0 {
            other.send_frames(&short, Instant::now());
            sent += 1;
        }
        assert!(sent < 20, "{sent}");
        assert_eq!(other.sent().1, Some(End::Overflow));
        assert_eq!(one.sent().0, [large], "an answer is sent all the same");
        drop((one, other));
        assert!(budget.charge(None).force(100_000), "all of it is given back");
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
        assert_eq!(own.sent().1, Some(End::Overflow));
        assert_eq!(shared.sent().1, Some(End::Overflow));
    }
}

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use everwire_core::protocol::{Cursor, EncodeError, MessageWriter};
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::link::{encoded, payload, to_message};
use crate::broker::{ChannelName, Stored};
use crate::connection::{Frames, FramesMut, OutboundQueue};

/// Work of the flush task between two yields, as for [`Group`](crate::Group).
const MEMBERS_PER_YIELD: usize = 64;
const BYTES_PER_YIELD: usize = 128 << 10;
/// A batch is sealed once it has this many bytes.
const BATCH_BYTES: usize = 128 << 10;
/// The largest message of several lines.
const MESSAGE_BYTES: usize = 64 << 10;
/// High-water mark of what waits behind the batch that is being delivered.
const HIGH_WATER_MARK: usize = 4 << 20;
/// A member with more bytes in its outbound queue leaves the fan-out, and reads from history what follows.
pub(super) const BEHIND_BYTES: usize = 256 << 10;

/// The live subscribers of a channel, and the delivery of its new messages to them.
///
/// Messages arrive in the order of their offsets. They are encoded once, and what is ready together leaves in one WebSocket message, by one
/// write a member, as in a [`Group`](crate::Group). A member is sent each message after the position at which it joined, until it
/// leaves or falls behind.
#[derive(Debug)]
pub(super) struct FanOut {
    name: ChannelName,
    inner: Mutex<Inner>,
    /// Held while messages are sent. Taking it after a member has left makes sure that nothing more is sent to it.
    delivery: Mutex<()>,
    /// The position, for subscribers within the server.
    position: watch::Sender<Option<Cursor>>,
}

/// A subscriber with a connection.
pub(super) trait Member: Debug + Send + Sync {
    /// Where its messages go.
    fn queue(&self) -> &Arc<OutboundQueue>;

    /// The member has left the fan-out, since its connection does not keep up or messages are missing. It was sent everything up to this
    /// position.
    fn fell_behind(self: Arc<Self>, position: Cursor);
}

#[derive(Debug)]
struct Inner {
    /// The position after the last message that arrived. Unknown until the first, or until the broker was asked.
    last: Option<Cursor>,
    /// Ordered by number, so that a batch can be continued although members join and leave meanwhile.
    members: BTreeMap<u64, Arc<dyn Member>>,
    next_number: u64,
    pending: Option<Pending>,
    /// Sealed batches; the first is being delivered.
    batches: VecDeque<Batch>,
    /// Bytes of the batches behind the first.
    queued_bytes: usize,
    is_flushing: bool,
    /// Connections that are not read until the channel has caught up.
    wakers: Vec<Waker>,
}

/// Messages that are not part of a batch yet.
#[derive(Debug)]
struct Pending {
    /// The position before the first.
    before: Cursor,
    writer: MessageWriter,
    bytes: usize,
}

/// Encoded messages on their way to the members with numbers in `next..end`. Those from `end` joined after it was sealed.
#[derive(Debug)]
struct Batch {
    before: Cursor,
    /// `None` if messages are missing here: each member has to read history.
    frames: Option<Frames>,
    next: u64,
    end: u64,
}

/// The part of a batch that the flush task delivers before it yields.
struct Delivery {
    before: Cursor,
    frames: Option<Frames>,
    members: SmallVec<[(u64, Arc<dyn Member>); MEMBERS_PER_YIELD]>,
}

/// A channel while its position cannot change.
#[derive(Debug)]
pub(super) struct Locked<'a>(MutexGuard<'a, Inner>);

impl FanOut {
    pub(super) fn new(name: ChannelName) -> Self {
        let inner = Inner {
            last: None,
            members: BTreeMap::new(),
            next_number: 1,
            pending: None,
            batches: VecDeque::new(),
            queued_bytes: 0,
            is_flushing: false,
            wakers: Vec::new(),
        };
        Self { name, inner: Mutex::new(inner), delivery: Mutex::default(), position: watch::Sender::new(None) }
    }

    pub(super) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The broker says that this is the position. What was already reported may be later.
    pub(super) fn learn_position(&self, position: Cursor) {
        let mut inner = self.inner();
        if inner.last.is_none() {
            inner.last = Some(position);
            self.position.send_replace(Some(position));
        }
    }

    /// Takes a message that the broker has stored. [`flush`](Self::flush) sends it.
    pub(super) fn enqueue(&self, message: &Stored) {
        let cursor = message.cursor;
        let mut inner = self.inner();
        let last = inner.last.replace(cursor);
        if let Some(last) = last {
            if last.epoch == cursor.epoch && cursor.offset <= last.offset {
                // Its subscribers have read it from history.
                inner.last = Some(last);
                return;
            }
            if !inner.members.is_empty() {
                let follows = last.epoch == cursor.epoch && cursor.offset == last.offset + 1;
                if !follows || inner.encode(message, last).is_err() {
                    inner.seal();
                    let end = inner.next_number;
                    inner.batches.push_back(Batch { before: last, frames: None, next: 0, end });
                }
            }
        }
        drop(inner);
        self.position.send_replace(Some(cursor));
    }

    /// Sends the members what has arrived. Returns at once; the flush task does the work.
    pub(super) fn flush(self: &Arc<Self>) {
        let mut inner = self.inner();
        if inner.is_flushing || (inner.pending.is_none() && inner.batches.is_empty()) {
            return;
        }
        inner.is_flushing = true;
        drop(inner);
        let channel = Arc::clone(self);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                // Connections that are ready publish their messages first, and these become part of the batch.
                yield_now().await;
                while channel.deliver() {
                    yield_now().await;
                }
            })),
            Err(_) => while channel.deliver() {},
        }
    }

    /// Runs `work` while no message can arrive.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked(self.inner())
    }

    /// Removes a member. Nothing more is sent to it after this. Must not be called under a lock that a member takes in
    /// [`Member::fell_behind`].
    pub(super) fn leave(&self, number: u64) {
        self.inner().members.remove(&number);
        drop(self.delivery.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Ready while little waits to be delivered. Otherwise the context's waker is woken once that is so.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner();
        if inner.has_room() {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|waiting| waiting.will_wake(context.waker())) {
            inner.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn has_room(&self) -> bool {
        self.inner().has_room()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Cursor>> {
        self.position.subscribe()
    }

    /// Delivers a part of the first batch. Returns whether there was one.
    fn deliver(&self) -> bool {
        let sending = self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Delivery { before, frames, members }) = self.inner().next_delivery() else { return false };
        let mut behind: SmallVec<[_; MEMBERS_PER_YIELD]> = SmallVec::new();
        let Some(frames) = frames else {
            drop(sending);
            self.fall_behind(members, before);
            return true;
        };
        members.iter().for_each(|(_, member)| member.queue().prefetch());
        let now = Instant::now();
        let mut written = 0;
        for (number, member) in members {
            if written >= BYTES_PER_YIELD {
                self.inner().continue_with(number);
                break;
            }
            match member.queue().send_frames_below(BEHIND_BYTES, &frames, now) {
                Some(bytes) => written += bytes,
                None => behind.push((number, member)),
            }
        }
        drop(sending);
        self.fall_behind(behind, before);
        true
    }

    fn fall_behind(&self, members: SmallVec<[(u64, Arc<dyn Member>); MEMBERS_PER_YIELD]>, position: Cursor) {
        for (number, member) in members {
            // One that has left meanwhile needs nothing.
            let is_member = self.inner().members.remove(&number).is_some();
            if is_member {
                member.fell_behind(position);
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locked<'_> {
    /// The position, if it is known.
    pub(super) fn position(&self) -> Option<Cursor> {
        self.0.last
    }

    /// Adds a member, which is sent everything after the position. Returns its number.
    pub(super) fn join(&mut self, member: Arc<dyn Member>) -> u64 {
        // What is pending comes before the position.
        self.0.seal();
        let number = self.0.next_number;
        self.0.next_number += 1;
        self.0.members.insert(number, member);
        number
    }
}

impl Inner {
    fn encode(&mut self, message: &Stored, before: Cursor) -> Result<(), EncodeError> {
        let encoded = encoded(message)?;
        let pending =
            self.pending.get_or_insert_with(|| Pending { before, writer: MessageWriter::new(MESSAGE_BYTES), bytes: 0 });
        // A message that is larger goes alone.
        let size = message.size() + MESSAGE_BYTES / 32;
        pending.writer.set_max_bytes(MESSAGE_BYTES.max(size));
        pending.writer.push_encoded(&encoded, before.offset, payload(message.payload.as_ref()))?;
        pending.bytes += message.size();
        if pending.bytes >= BATCH_BYTES {
            self.seal();
        }
        Ok(())
    }

    /// Makes a batch of what is pending, for the members that there are now.
    fn seal(&mut self) {
        let Some(Pending { before, mut writer, .. }) = self.pending.take() else { return };
        let mut frames = FramesMut::default();
        while let Some(message) = writer.pop() {
            frames.push(&to_message(message));
        }
        let frames = frames.take();
        if !self.batches.is_empty() {
            self.queued_bytes += frames.bytes().len();
        }
        self.batches.push_back(Batch { before, frames: Some(frames), next: 0, end: self.next_number });
    }

    fn has_room(&self) -> bool {
        self.pending.as_ref().map_or(0, |pending| pending.bytes) + self.queued_bytes <= HIGH_WATER_MARK
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
            let mut members = SmallVec::new();
            for (number, member) in self.members.range(batch.next..batch.end).take(MEMBERS_PER_YIELD) {
                batch.next = number + 1;
                members.push((*number, Arc::clone(member)));
            }
            if !members.is_empty() {
                return Some(Delivery { before: batch.before, frames: batch.frames.clone(), members });
            }
            self.batches.pop_front();
            let queued = self.batches.front().and_then(|batch| batch.frames.as_ref());
            self.queued_bytes -= queued.map_or(0, |frames| frames.bytes().len());
            if self.has_room() {
                self.wakers.drain(..).for_each(Waker::wake);
            }
        }
    }

    /// The batch that is being delivered goes on with this member.
    fn continue_with(&mut self, number: u64) {
        if let Some(batch) = self.batches.front_mut() {
            batch.next = number;
        }
    }
}

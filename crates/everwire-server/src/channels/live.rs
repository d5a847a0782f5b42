use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Poll};

use everwire_core::protocol::{Cursor, EncodeError, MessageWriter};
use tokio::sync::watch;

use super::link::{MESSAGE_BYTES, encoded, payload, to_message};
use crate::broker::{ChannelName, Stored};
use crate::connection::{Frames, FramesMut, OutboundQueue};
use crate::fan_out::{self, FanOut, Source};

/// The live subscribers of a channel, and the delivery of its new messages to them.
///
/// Messages arrive in the order of their offsets. They are encoded once, and what is ready together leaves in one WebSocket message, by one
/// write a member. A member is sent each message after the position at which it joined, until it leaves or falls behind.
#[derive(Clone)]
pub(super) struct LiveChannel {
    name: ChannelName,
    fan_out: Arc<FanOut<NewMessages>>,
    /// The position, for subscribers within the server.
    position: Arc<watch::Sender<Option<Cursor>>>,
}

/// A subscriber with a connection.
pub(super) trait Member: Debug + Send + Sync {
    /// The member has left the fan-out, since its connection does not keep up or messages are missing. It was sent everything up to this
    /// position.
    fn fell_behind(self: Arc<Self>, position: Cursor);
}

/// The position of a channel, and what has arrived since the latest batch.
#[derive(Default)]
struct NewMessages {
    /// The position after the last message that arrived. Unknown until the first, or until the broker was asked.
    last: Option<Cursor>,
    pending: Option<Pending>,
}

struct Pending {
    /// The position before the first message.
    before: Cursor,
    writer: MessageWriter,
    bytes: usize,
}

/// A channel while its position cannot change.
pub(super) struct Locked<'a>(fan_out::Locked<'a, NewMessages>);

impl LiveChannel {
    pub(super) fn new(name: ChannelName) -> Self {
        let position = Arc::new(watch::Sender::new(None));
        Self { name, fan_out: Arc::new(FanOut::new(NewMessages::default())), position }
    }

    pub(super) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The broker says that this is the position. What was already reported may be later.
    pub(super) fn learn_position(&self, position: Cursor) {
        let mut channel = self.fan_out.lock();
        let last = &mut channel.source_mut().last;
        if last.is_none() {
            *last = Some(position);
            self.position.send_replace(Some(position));
        }
    }

    /// Takes messages that the broker has stored. [`flush`](Self::flush) sends them.
    pub(super) fn enqueue(&self, messages: &[Arc<Stored>]) {
        let mut channel = self.lock();
        let before = channel.position();
        messages.iter().for_each(|message| channel.enqueue(message));
        let last = channel.position();
        drop(channel);
        if last != before {
            self.position.send_replace(last);
        }
    }

    /// Sends the members what has arrived. Returns at once; the flush task does the work.
    pub(super) fn flush(&self) {
        self.fan_out.flush();
    }

    /// Runs `work` while no message can arrive.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked(self.fan_out.lock())
    }

    /// Removes a member. Nothing more is sent to it after this. Must not be called under a lock that a member takes in
    /// [`Member::fell_behind`].
    pub(super) fn leave(&self, number: u64) {
        self.fan_out.leave_at_once(number);
    }

    /// Ready while little waits to be delivered. Otherwise the context's waker is woken once that is so.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.fan_out.poll_ready(context)
    }

    pub(super) fn has_room(&self) -> bool {
        self.fan_out.has_room()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Cursor>> {
        self.position.subscribe()
    }
}

impl Locked<'_> {
    /// The position, if it is known.
    pub(super) fn position(&self) -> Option<Cursor> {
        self.0.source().last
    }

    /// Adds a member with its outbound queue, which is sent everything after the position. Returns its number.
    pub(super) fn join(&mut self, queue: &Arc<OutboundQueue>, member: Arc<dyn Member>) -> u64 {
        self.0.join(Arc::clone(queue), member)
    }

    fn enqueue(&mut self, message: &Stored) {
        let cursor = message.cursor;
        let has_members = self.0.members() > 0;
        let channel = self.0.source_mut();
        let last = channel.last.replace(cursor);
        let Some(last) = last else { return };
        if last.epoch == cursor.epoch && cursor.offset <= last.offset {
            // Its subscribers have read it from history.
            channel.last = Some(last);
            return;
        }
        if !has_members {
            return;
        }
        let follows = last.epoch == cursor.epoch && cursor.offset == last.offset + 1;
        if follows && channel.encode(message, last).is_ok() {
            self.0.encoded();
        } else {
            self.0.interrupt(last);
        }
    }
}

impl NewMessages {
    fn encode(&mut self, message: &Stored, before: Cursor) -> Result<(), EncodeError> {
        let encoded = encoded(message)?;
        let pending =
            self.pending.get_or_insert_with(|| Pending { before, writer: MessageWriter::new(MESSAGE_BYTES), bytes: 0 });
        // A message that is larger goes alone.
        let size = message.size() + MESSAGE_BYTES / 32;
        pending.writer.set_max_bytes(MESSAGE_BYTES.max(size));
        pending.writer.push_encoded(&encoded, before.offset, payload(message.payload.as_ref()))?;
        pending.bytes += message.size();
        Ok(())
    }
}

impl Source for NewMessages {
    type Member = Arc<dyn Member>;
    type Position = Cursor;

    /// Such a member reads from history what follows.
    const BEHIND_BYTES: usize = 256 << 10;

    fn pending_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.bytes)
    }

    fn take_pending(&mut self) -> Option<(Cursor, Frames)> {
        let Pending { before, mut writer, .. } = self.pending.take()?;
        let mut frames = FramesMut::default();
        while let Some(message) = writer.pop() {
            frames.push(&to_message(message));
        }
        Some((before, frames.take()))
    }

    fn fell_behind(member: Arc<dyn Member>, position: Cursor) {
        member.fell_behind(position);
    }
}

impl Debug for LiveChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LiveChannel").field(&self.name).finish()
    }
}

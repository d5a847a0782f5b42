use std::sync::Arc;

use everwire_core::protocol::Cursor;

use super::message::Stored;

/// What a channel has: enough to decide whether a subscriber can resume from its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// The present position: after the latest message, also when that was trimmed. Before the first message its offset is where
    /// the epoch began, which is 0 unless [configured](super::BrokerConfig::first_offset), and its time is 0.
    pub last: Cursor,
    /// The position after the latest message that was trimmed. Every message after it is there.
    pub trimmed: Cursor,
    /// The offset of the latest trimmed message that no later message of its key replaces: a removal, or a value that the limit in
    /// bytes pushed out. After it, [`read_state`](super::Broker::read_state) is complete. In a stream it is that of `trimmed`.
    pub state_trimmed: u64,
    /// The message at the offset that was asked for, if the time of that one is known.
    pub found: Option<Cursor>,
}

impl History {
    /// The epoch of the channel.
    pub fn epoch(&self) -> u64 {
        self.last.epoch
    }

    /// How many messages a subscriber can resume over.
    pub fn len(&self) -> u64 {
        self.last.offset - self.trimmed.offset
    }

    /// Whether there is no message that a subscriber could resume over.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn empty(epoch: u64, offset: u64) -> Self {
        let start = Cursor { epoch, offset, time: 0 };
        Self { last: start, trimmed: start, state_trimmed: offset, found: None }
    }
}

/// How much a read returns at most. It returns at least one message, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageLimits {
    /// Messages.
    pub count: usize,
    /// Bytes, [as each message counts](Stored::size).
    pub bytes: usize,
}

impl Default for PageLimits {
    /// 256 messages, 256 KiB.
    fn default() -> Self {
        Self { count: 256, bytes: 256 << 10 }
    }
}

/// A part of a channel's history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The messages, by ascending offset.
    pub messages: Vec<Arc<Stored>>,
    /// Whether no message follows in this history.
    pub is_last: bool,
    /// The history that the messages were read from. If messages after the offset that was asked for were trimmed, it says so.
    pub history: History,
}

/// The part of a channel's history before an offset.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EarlierPage {
    /// The messages, by ascending offset.
    pub messages: Vec<Arc<Stored>>,
    /// Whether no message that is kept comes before these.
    pub is_first: bool,
    /// The history that the messages were read from.
    pub history: History,
}

/// Collects messages until the limits are reached.
pub(super) fn take_page<E>(
    messages: impl IntoIterator<Item = Result<Arc<Stored>, E>>,
    limits: PageLimits,
) -> Result<(Vec<Arc<Stored>>, bool), E> {
    let mut page = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let message = message?;
        bytes += message.size();
        if !page.is_empty() && (page.len() >= limits.count || bytes > limits.bytes) {
            return Ok((page, false));
        }
        page.push(message);
    }
    Ok((page, true))
}

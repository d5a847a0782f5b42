//! A reader: the messages that wait in one subscription of the application, and its position in the channel.

use core::task::Waker;
use std::collections::VecDeque;

use everwire_core::{
    protocol::{Cursor, Mode, Start},
    session::SubscriptionId,
};

use super::{
    events::{Gap, SubscriptionError},
    options::SubscribeOptions,
};
use crate::{Message, threads::Pointer};

/// A subscription of the application: one of those that share the subscription of a channel.
#[derive(Debug)]
pub(super) struct Reader {
    /// The subscription of the session that it shares; `None` after its end.
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) mode: Mode,
    pub(super) position: Position,
    /// It holds as many messages as it may, and gets no more until some were read.
    pub(super) is_full: bool,
    /// The server has confirmed its position.
    is_confirmed: bool,
    /// It has everything up to now, which was reported. Until the connection is lost or it is full.
    is_live: bool,
    /// The connection was lost, and whether it missed anything was not reported yet.
    is_recovering: bool,
    items: VecDeque<Item>,
    messages: usize,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
    /// The position after what the application has taken.
    taken: Option<Cursor>,
    waker: Option<Waker>,
}

/// The position of a reader in its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// At a start whose position the server has yet to report.
    Start(Start),
    /// On hold while the application loads a snapshot.
    Held,
    /// Within the state that it starts with, the latest message of each key: after this one.
    State(Cursor),
    /// After this message.
    After(Cursor),
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    Message(Pointer<RawMessage>),
    Gap(Gap),
    Resumed,
    CaughtUp,
    /// The position from which a snapshot is to be taken.
    Held(Cursor),
    Ended(SubscriptionError),
}

/// A message as it was received.
#[derive(Debug, Clone)]
pub(super) struct RawMessage {
    pub(super) payload: Option<Message>,
    pub(super) cursor: Cursor,
    pub(super) key: Option<String>,
    pub(super) by: Option<String>,
    pub(super) is_own: bool,
}

impl Position {
    pub(super) fn of(start: Start) -> Self {
        if let Start::From(cursor) = start { Self::After(cursor) } else { Self::Start(start) }
    }

    fn cursor(self) -> Option<Cursor> {
        match self {
            Self::State(cursor) | Self::After(cursor) => Some(cursor),
            Self::Start(_) | Self::Held => None,
        }
    }
}

impl Reader {
    pub(super) fn new(subscription: Option<SubscriptionId>, start: Start, options: &SubscribeOptions) -> Self {
        Self {
            subscription,
            mode: options.mode,
            position: Position::of(start),
            is_full: false,
            is_confirmed: false,
            is_live: false,
            is_recovering: false,
            items: VecDeque::new(),
            messages: 0,
            bytes: 0,
            max_messages: options.max_waiting,
            max_bytes: options.max_waiting_bytes,
            taken: None,
            waker: None,
        }
    }

    /// The position after what the application has taken. It moves on without messages, too.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.position.cursor().filter(|_| self.items.is_empty()).or(self.taken)
    }

    /// The next item, and whether taking it has made room in a full reader.
    pub(super) fn pop(&mut self) -> Option<(Item, bool)> {
        let item = self.items.pop_front()?;
        match &item {
            Item::Message(message) => {
                self.messages -= 1;
                self.bytes -= message.size();
                self.taken = Some(message.cursor);
            }
            Item::Gap(gap) => self.taken = Some(gap.cursor),
            _ => {}
        }
        // At half, not for each message: the server has to repeat what a full reader missed.
        let has_room = self.messages <= self.max_messages / 2 && self.bytes <= self.max_bytes / 2;
        let is_ready = self.is_full && has_room;
        self.is_full &= !has_room;
        Some((item, is_ready))
    }

    pub(super) fn wait(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
    }

    /// Starts over, and drops what belongs to the previous start.
    pub(super) fn restart(&mut self, start: Start) {
        self.items.retain(|item| matches!(item, Item::Ended(_)));
        (self.messages, self.bytes) = (0, 0);
        (self.is_full, self.is_confirmed, self.is_live, self.is_recovering) = (false, false, false, false);
        self.position = Position::of(start);
    }

    /// The server has confirmed that this is its position.
    pub(super) fn confirm(&mut self, position: Position) {
        self.is_confirmed = true;
        self.position = position;
    }

    /// Takes the next message after its position.
    pub(super) fn take(&mut self, message: Pointer<RawMessage>, wakers: &mut Vec<Waker>) {
        self.move_to(message.cursor);
        self.messages += 1;
        self.bytes += message.size();
        self.push(Item::Message(message), wakers);
        if self.messages >= self.max_messages || self.bytes >= self.max_bytes.max(1) {
            self.is_full = true;
            self.is_live = false;
        }
    }

    /// Moves to a later position, with no message for it in between.
    pub(super) fn move_to(&mut self, cursor: Cursor) {
        match &mut self.position {
            Position::State(current) | Position::After(current) => *current = cursor,
            Position::Start(_) | Position::Held => {}
        }
    }

    pub(super) fn skip(&mut self, gap: Gap, wakers: &mut Vec<Waker>) {
        self.confirm(Position::After(gap.cursor));
        (self.is_live, self.is_recovering) = (false, false);
        self.push(Item::Gap(gap), wakers);
    }

    pub(super) fn hold(&mut self, cursor: Cursor, wakers: &mut Vec<Waker>) {
        self.confirm(Position::Held);
        self.push(Item::Held(cursor), wakers);
    }

    /// Everything up to now was delivered.
    pub(super) fn catch_up(&mut self, wakers: &mut Vec<Waker>) {
        if core::mem::take(&mut self.is_recovering) {
            self.push(Item::Resumed, wakers);
        }
        if !core::mem::replace(&mut self.is_live, true) {
            self.push(Item::CaughtUp, wakers);
        }
    }

    /// It has everything up to now, and need not report so, like a subscription that starts with the next message.
    pub(super) fn stay_live(&mut self) {
        self.is_live |= !self.is_full && !self.is_recovering;
    }

    /// There is another connection.
    pub(super) fn reconnected(&mut self) {
        self.is_live = false;
        self.is_recovering |= self.is_confirmed;
    }

    pub(super) fn end(&mut self, error: SubscriptionError, wakers: &mut Vec<Waker>) {
        self.subscription = None;
        self.push(Item::Ended(error), wakers);
    }

    fn push(&mut self, item: Item, wakers: &mut Vec<Waker>) {
        self.items.push_back(item);
        wakers.extend(self.waker.take());
    }
}

impl RawMessage {
    fn size(&self) -> usize {
        self.payload.as_ref().map_or(0, Message::len)
    }
}

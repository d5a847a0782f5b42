//! What a subscription of the application has got and waits for.

use core::task::Waker;
use std::collections::VecDeque;

use everwire_core::{
    protocol::{Cursor, Mode, Start},
    session::SubscriptionId,
};

use super::{
    options::SubscribeOptions,
    report::{Gap, SubscriptionError},
};
use crate::{Message, threads::Pointer};

/// A subscription of the application: one of those that share the subscription of a channel.
#[derive(Debug)]
pub(super) struct Reader {
    /// The one that it shares; `None` after its end.
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) mode: Mode,
    pub(super) place: Place,
    /// It has as much as it may, and gets nothing until some of that was read.
    pub(super) is_full: bool,
    /// The server has said where it is.
    is_answered: bool,
    /// It has everything up to now: that was reported, and holds until the connection is lost, or it is full.
    is_live: bool,
    /// The connection was lost, and what it missed was not reported yet.
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

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The server has to say where this is.
    Start(Start),
    /// The application loads a snapshot.
    Held,
    /// After this message of those that it starts with, the latest of each key.
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

impl Place {
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
            place: Place::of(start),
            is_full: false,
            is_answered: false,
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
        let position = self.place.cursor().filter(|_| self.items.is_empty());
        position.or(self.taken)
    }

    /// The next item, and whether the reader was full and has room by now.
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
        // Not for each single message: what a full reader has missed is requested from the server.
        let has_room = self.messages <= self.max_messages / 2 && self.bytes <= self.max_bytes / 2;
        let is_ready = self.is_full && has_room;
        self.is_full &= !has_room;
        Some((item, is_ready))
    }

    pub(super) fn wait(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
    }

    /// Starts over: what belongs to the start before is forgotten.
    pub(super) fn restart(&mut self, start: Start) {
        self.items.retain(|item| matches!(item, Item::Ended(_)));
        (self.messages, self.bytes) = (0, 0);
        (self.is_full, self.is_answered, self.is_live, self.is_recovering) = (false, false, false, false);
        self.place = Place::of(start);
    }

    /// The server has said that it is here.
    pub(super) fn answered(&mut self, place: Place) {
        self.is_answered = true;
        self.place = place;
    }

    /// A message that follows its place.
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

    /// Nothing between its place and this position concerns it.
    pub(super) fn move_to(&mut self, cursor: Cursor) {
        match &mut self.place {
            Place::State(place) | Place::After(place) => *place = cursor,
            Place::Start(_) | Place::Held => {}
        }
    }

    pub(super) fn skip(&mut self, gap: Gap, wakers: &mut Vec<Waker>) {
        self.answered(Place::After(gap.cursor));
        (self.is_live, self.is_recovering) = (false, false);
        self.push(Item::Gap(gap), wakers);
    }

    pub(super) fn hold(&mut self, cursor: Cursor, wakers: &mut Vec<Waker>) {
        self.answered(Place::Held);
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

    /// It has everything up to now, without a report: a subscription that starts with the next message begins so.
    pub(super) fn stay_live(&mut self) {
        self.is_live |= !self.is_full && !self.is_recovering;
    }

    /// Another connection is there.
    pub(super) fn reconnected(&mut self) {
        self.is_live = false;
        self.is_recovering |= self.is_answered;
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

//! The channels that a client is subscribed to: what waits to be read of each, and who is present.

use core::task::Waker;
use std::collections::VecDeque;

use everwire_core::{
    protocol::{Cursor, Mode, Start},
    session::SubscriptionId,
};

use super::{
    options::SubscribeOptions,
    report::{Gap, SubscriptionError},
    table::Table,
};
use crate::{Message, threads::Pointer};

/// The subscriptions by name, and their readers.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// In the order of their names, for binary search.
    entries: Vec<Entry>,
    pub(super) inboxes: Table<u64, Inbox>,
    pub(super) watchers: Table<u64, Watcher>,
    latest_reader: u64,
}

/// A subscription of the session.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Pointer<str>,
    pub(super) id: SubscriptionId,
    pub(super) start: Start,
    pub(super) mode: Mode,
    /// What reads its messages; `None` where only the members are wanted.
    pub(super) reader: Option<u64>,
    /// Who is present; `None` where the application does not want to know.
    pub(super) members: Option<Members>,
}

/// What waits to be read by a subscription of the application.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) subscription: Option<SubscriptionId>,
    items: VecDeque<Item>,
    messages: usize,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
    pub(super) is_paused: bool,
    /// The application loads a snapshot: nothing is delivered until it has.
    pub(super) is_held: bool,
    /// The position after what the application has taken.
    taken: Option<Cursor>,
    pub(super) waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) enum Item {
    Message(RawMessage),
    Gap(Gap),
    Resumed,
    CaughtUp,
    /// The position from which a snapshot is to be taken.
    Held(Cursor),
    Ended(SubscriptionError),
}

/// A message as it was received.
#[derive(Debug)]
pub(super) struct RawMessage {
    pub(super) payload: Option<Message>,
    pub(super) cursor: Cursor,
    pub(super) key: Option<String>,
    pub(super) by: Option<String>,
    pub(super) is_own: bool,
}

impl Channels {
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        let place = self.place(name).ok()?;
        self.entries.get(place)
    }

    pub(super) fn id(&self, name: &str) -> Option<SubscriptionId> {
        self.find(name).map(|entry| entry.id)
    }

    pub(super) fn of(&mut self, id: SubscriptionId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    pub(super) fn inbox_of(&mut self, id: SubscriptionId) -> Option<&mut Inbox> {
        let reader = self.of(id)?.reader?;
        self.inboxes.get_mut(reader)
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        if let Err(place) = self.place(&entry.name) {
            self.entries.insert(place, entry);
        }
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.id == id)?;
        Some(self.entries.remove(place))
    }

    /// A number for a reader or a watcher.
    pub(super) fn next_reader(&mut self) -> u64 {
        self.latest_reader += 1;
        self.latest_reader
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (*entry.name).cmp(name))
    }
}

impl Inbox {
    pub(super) fn new(subscription: Option<SubscriptionId>, options: &SubscribeOptions, is_held: bool) -> Self {
        Self {
            subscription,
            items: VecDeque::new(),
            messages: 0,
            bytes: 0,
            max_messages: options.max_waiting,
            max_bytes: options.max_waiting_bytes,
            is_paused: false,
            is_held,
            taken: None,
            waker: None,
        }
    }

    pub(super) fn push(&mut self, item: Item) -> Option<Waker> {
        if let Item::Message(message) = &item {
            self.messages += 1;
            self.bytes += message.size();
        }
        self.items.push_back(item);
        self.waker.take()
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
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
        Some(item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets what belongs to a start that is not wanted any more.
    pub(super) fn clear(&mut self) {
        self.items.retain(|item| matches!(item, Item::Ended(_)));
        (self.messages, self.bytes) = (0, 0);
    }

    pub(super) fn taken(&self) -> Option<Cursor> {
        self.taken
    }

    /// Whether more waits than may, so that the server has to wait.
    pub(super) fn is_full(&self) -> bool {
        self.messages >= self.max_messages || self.bytes >= self.max_bytes.max(1)
    }

    /// Whether so much was read since it was full that the server may go on.
    pub(super) fn has_room(&self) -> bool {
        self.messages <= self.max_messages / 2 && self.bytes <= self.max_bytes / 2
    }
}

impl RawMessage {
    fn size(&self) -> usize {
        self.payload.as_ref().map_or(0, Message::len)
    }
}

/// A session that is present in a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    session: Pointer<str>,
    info: Option<Pointer<Message>>,
}

impl Member {
    pub(super) fn new(session: &str, info: Option<Message>) -> Self {
        Self { session: session.into(), info: info.map(Pointer::new) }
    }

    /// The id of the session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// What the server knows of it, if it says so.
    pub fn info(&self) -> Option<&Message> {
        self.info.as_deref()
    }
}

/// Who is present in a channel.
#[derive(Debug, Default)]
pub(super) struct Members {
    current: Vec<Member>,
    /// The whole list is being received: how many are missing, and those that came.
    arriving: Option<(u64, Vec<Member>)>,
}

impl Members {
    pub(super) fn current(&self) -> Vec<Member> {
        self.current.clone()
    }

    /// The whole list follows. Returns whether the members have changed.
    pub(super) fn expect(&mut self, members: u64) -> bool {
        self.arriving = Some((members, Vec::new()));
        self.settle()
    }

    pub(super) fn join(&mut self, member: Member) -> bool {
        if let Some((missing, arrived)) = &mut self.arriving {
            *missing = missing.saturating_sub(1);
            put(arrived, member);
            return self.settle();
        }
        put(&mut self.current, member)
    }

    pub(super) fn leave(&mut self, session: &str) -> bool {
        let before = self.current.len();
        self.current.retain(|member| &*member.session != session);
        self.current.len() != before
    }

    /// A list that is complete replaces the one before: a reconnect where it is the same changes nothing.
    fn settle(&mut self) -> bool {
        let Some((_, mut arrived)) = self.arriving.take_if(|(missing, _)| *missing == 0) else { return false };
        core::mem::swap(&mut self.current, &mut arrived);
        self.current != arrived
    }
}

/// Puts a member into a list, in the order of the sessions. Returns whether the list has changed.
fn put(members: &mut Vec<Member>, member: Member) -> bool {
    match members.binary_search_by(|other| other.session.cmp(&member.session)) {
        Ok(place) if members[place] == member => return false,
        Ok(place) => members[place] = member,
        Err(place) => members.insert(place, member),
    }
    true
}

/// What reads the members of a channel.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) has_news: bool,
    pub(super) waker: Option<Waker>,
}

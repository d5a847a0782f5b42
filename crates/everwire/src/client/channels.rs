//! The channels that a client is subscribed to: one subscription of the session each, shared by all readers of the channel.

use core::task::Waker;

use everwire_core::{
    protocol::{Cursor, Mode, Start},
    session::{ClientSession, SubscriptionId},
};

use super::{
    events::{Gap, SubscriptionError},
    members::{Member, MemberList},
    options::SubscribeOptions,
    pending::IdMap,
    reader::{Item, Position, RawMessage, Reader},
};
use crate::threads::Pointer;

/// The subscriptions of the session, one for each channel, and the readers of the application that share them.
///
/// Each reader has its own position. The subscription of the session serves the readers at its position; the others are ahead and wait
/// for it, or have no room. Before it would leave a reader behind, it restarts from that reader's position, and the others ignore what
/// they have already. So each reader gets what it would get alone, none loses a message, and a slow one delays the others only until its
/// room is full.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// Sorted by name, for binary search.
    entries: Vec<Entry>,
    readers: IdMap<u64, Reader>,
    watchers: IdMap<u64, Watcher>,
    latest_number: u64,
}

/// A subscription of the session.
#[derive(Debug)]
struct Entry {
    name: Pointer<str>,
    id: SubscriptionId,
    served: Served,
    /// The mode of the latest `sub`.
    mode: Mode,
    /// The server has sent everything up to now: what follows is new.
    is_live: bool,
    readers: Vec<u64>,
    /// The members of the channel; `None` if nothing watches them.
    members: Option<MemberList>,
}

/// The readers that a subscription serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    /// None: no reader has room.
    Nothing,
    /// Those that wait for the answer to this start.
    Start(Start),
    /// Those that are loading the latest message of each key, at its position.
    State,
    /// Those that get each message, at its position.
    Messages,
}

/// A stream of the members of a channel.
#[derive(Debug)]
struct Watcher {
    subscription: Option<SubscriptionId>,
    has_changed: bool,
    waker: Option<Waker>,
}

impl Channels {
    pub(super) fn id(&self, name: &str) -> Option<SubscriptionId> {
        let index = self.index(name).ok()?;
        self.entries.get(index).map(|entry| entry.id)
    }

    pub(super) fn name(&self, id: SubscriptionId) -> Option<&Pointer<str>> {
        self.entries.iter().find(|entry| entry.id == id).map(|entry| &entry.name)
    }

    /// The channel, the mode and the presence of the `sub` that is sent for this start.
    pub(super) fn sub(&mut self, id: SubscriptionId, start: Start) -> Option<(&str, Mode, bool)> {
        let (entry, readers) = self.parts(id)?;
        entry.mode = entry.wanted_mode(readers);
        // The rest of an interrupted state: the values that its keys had in between are of no use, and the server may have dropped them.
        if entry.served == Served::State && matches!(start, Start::From(_)) {
            entry.mode = Mode::Latest;
        }
        Some((&entry.name, entry.mode, entry.members.is_some()))
    }

    // Calls of the application.

    /// Subscribes to a channel; returns the number of the reader.
    pub(super) fn subscribe(
        &mut self,
        session: &mut ClientSession,
        name: &str,
        start: Start,
        options: &SubscribeOptions,
        wakers: &mut Vec<Waker>,
    ) -> u64 {
        let number = self.next_number();
        let present = self.id(name);
        let id = present.unwrap_or_else(|| {
            let served = if let Start::From(_) = start { Served::Messages } else { Served::Start(start) };
            self.open(session, name, start, served, None)
        });
        let mut reader = Reader::new(Some(id), start, options);
        let Some((entry, readers)) = self.parts(id) else { return number };
        if let (Start::Live, true, Some(position)) = (start, entry.is_live, session.position(id)) {
            // Everything published after this call comes after this position. A start requested from the server would begin later.
            reader.confirm(Position::After(position));
            reader.stay_live();
        }
        entry.readers.push(number);
        readers.push(number, reader);
        if present.is_some() {
            self.reposition(session, id);
            self.report_if_caught_up(session, number, wakers);
        }
        number
    }

    /// A reader of a subscription that is refused before it starts; returns its number.
    pub(super) fn refuse(&mut self, error: SubscriptionError) -> u64 {
        let number = self.next_number();
        let mut reader = Reader::new(None, Start::Live, &SubscribeOptions::default());
        reader.end(error, &mut Vec::new());
        self.readers.push(number, reader);
        number
    }

    /// The next item of a reader; registers the waker if there is none. `None` in `Some` after the end.
    pub(super) fn next_item(
        &mut self,
        session: &mut ClientSession,
        number: u64,
        waker: &Waker,
        wakers: &mut Vec<Waker>,
    ) -> Option<Option<Item>> {
        let Some(reader) = self.readers.get_mut(number) else { return Some(None) };
        let Some((item, is_ready)) = reader.pop() else {
            if reader.subscription.is_none() {
                return Some(None);
            }
            reader.wait(waker);
            return None;
        };
        if let (true, Some(id)) = (is_ready, reader.subscription) {
            self.reposition(session, id);
            self.report_if_caught_up(session, number, wakers);
        }
        Some(Some(item))
    }

    pub(super) fn cursor(&self, number: u64) -> Option<Cursor> {
        self.readers.get(number)?.cursor()
    }

    /// Restarts a reader: to wait for a snapshot, or to continue from the position of one.
    pub(super) fn restart(&mut self, session: &mut ClientSession, number: u64, start: Start, wakers: &mut Vec<Waker>) {
        let Some(reader) = self.readers.get_mut(number) else { return };
        reader.restart(start);
        if let Some(id) = reader.subscription {
            self.reposition(session, id);
            self.report_if_caught_up(session, number, wakers);
        }
    }

    pub(super) fn drop_reader(&mut self, session: &mut ClientSession, number: u64) {
        let Some(id) = self.readers.remove(number).and_then(|reader| reader.subscription) else { return };
        let Some((entry, _)) = self.parts(id) else { return };
        entry.readers.retain(|other| *other != number);
        if entry.readers.is_empty() && entry.members.is_none() {
            entry.leave(session);
        } else {
            self.reposition(session, id);
        }
    }

    /// Watches who is present in a channel; returns the number of the watcher. Without a name, it ends at once.
    pub(super) fn watch(&mut self, session: &mut ClientSession, name: Option<&str>) -> u64 {
        let number = self.next_number();
        let mut watcher = Watcher { subscription: None, has_changed: false, waker: None };
        if let Some(name) = name {
            let id = self.id(name);
            watcher.has_changed = id.and_then(|id| self.members(id)).is_some();
            if let (Some(id), false) = (id, watcher.has_changed) {
                self.set_members(session, id, Some(MemberList::default()));
            }
            let members = Some(MemberList::default());
            watcher.subscription = id.or_else(|| Some(self.open(session, name, Start::Hold, Served::Nothing, members)));
        }
        self.watchers.push(number, watcher);
        number
    }

    /// The members of a channel if they have changed; registers the waker if they have not. `None` in `Some` after the end.
    pub(super) fn next_members(&mut self, number: u64, waker: &Waker) -> Option<Option<Vec<Member>>> {
        let Some(watcher) = self.watchers.get_mut(number) else { return Some(None) };
        let Some(id) = watcher.subscription else { return Some(None) };
        if core::mem::take(&mut watcher.has_changed) {
            return Some(Some(self.members(id).map(|members| members.current()).unwrap_or_default()));
        }
        watcher.waker = Some(waker.clone());
        None
    }

    pub(super) fn drop_watcher(&mut self, session: &mut ClientSession, number: u64) {
        let Some(id) = self.watchers.remove(number).and_then(|watcher| watcher.subscription) else { return };
        if self.watchers.values_mut().any(|watcher| watcher.subscription == Some(id)) {
            return;
        }
        let Some((entry, _)) = self.parts(id) else { return };
        if entry.readers.is_empty() {
            entry.members = None;
            entry.leave(session);
        } else {
            self.set_members(session, id, None);
        }
    }

    // Messages of the server.

    /// There is another connection: `hello` is sent, and the subscriptions of the session follow.
    pub(super) fn reconnected(&mut self, session: &mut ClientSession) {
        self.readers.values_mut().for_each(Reader::reconnected);
        for entry in &mut self.entries {
            entry.is_live = false;
            // The session does not repeat a subscription that is on hold at a position, which its members need.
            let is_held = entry.served == Served::Nothing && session.position(entry.id).is_some();
            if is_held && entry.members.is_some() {
                session.restart(entry.id, Start::Hold);
            }
        }
    }

    /// A message of the subscription, which was at the position `before`.
    pub(super) fn deliver(
        &mut self,
        session: &mut ClientSession,
        id: SubscriptionId,
        before: Cursor,
        message: RawMessage,
        wakers: &mut Vec<Waker>,
    ) {
        let message = Pointer::new(message);
        let mut is_full = false;
        let is_shared = self.for_each_at(id, before, |reader| {
            reader.take(Pointer::clone(&message), wakers);
            is_full |= reader.is_full;
        });
        if is_full || is_shared {
            self.reposition(session, id);
        }
    }

    /// `subscribed` or `pos`: the subscription was at the position `before`.
    pub(super) fn moved(&mut self, session: &mut ClientSession, id: SubscriptionId, before: Option<Cursor>) {
        let Some(position) = session.position(id) else { return };
        let Some((entry, readers)) = self.parts(id) else { return };
        match entry.served {
            // `Held` follows.
            Served::Start(Start::Hold) => {}
            Served::Start(start) => {
                entry.served = if start == Start::State { Served::State } else { Served::Messages };
                entry.is_live = start == Start::Live;
                let Some(here) = entry.served.at(position) else { return };
                for number in &entry.readers {
                    if let Some(reader) =
                        readers.get_mut(*number).filter(|reader| reader.position == Position::Start(start))
                    {
                        reader.confirm(here);
                    }
                }
                self.reposition(session, id);
            }
            served => {
                let (Some(before), Some(here)) = (before, served.at(position)) else { return };
                let is_shared = self.for_each_at(id, before, |reader| reader.confirm(here));
                // The answer to a `sub` does not move the position, so that no reader is left behind.
                if is_shared && before != position {
                    self.reposition(session, id);
                }
            }
        }
    }

    /// Messages that will not come: the subscription was at the position `before`. Returns whether they concern a reader.
    pub(super) fn skip(
        &mut self,
        session: &mut ClientSession,
        id: SubscriptionId,
        before: Cursor,
        gap: Gap,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let mut is_missed = false;
        let is_shared = self.for_each_at(id, before, |reader| {
            is_missed = true;
            reader.skip(gap, wakers);
        });
        if let Some((entry, _)) = self.parts(id)
            && entry.served == Served::State
        {
            entry.served = Served::Messages;
        }
        if is_shared {
            self.reposition(session, id);
        }
        is_missed
    }

    /// The server has sent everything up to now.
    pub(super) fn caught_up(&mut self, session: &mut ClientSession, id: SubscriptionId, wakers: &mut Vec<Waker>) {
        let Some(position) = session.position(id) else { return };
        self.for_each_at(id, position, |reader| {
            reader.confirm(Position::After(position));
            reader.catch_up(wakers);
        });
        let Some((entry, _)) = self.parts(id) else { return };
        entry.is_live = true;
        if entry.served == Served::State {
            entry.served = Served::Messages;
        }
        self.reposition(session, id);
    }

    /// The position from which snapshots are to be taken.
    pub(super) fn held(
        &mut self,
        session: &mut ClientSession,
        id: SubscriptionId,
        cursor: Cursor,
        wakers: &mut Vec<Waker>,
    ) {
        let Some((entry, readers)) = self.parts(id) else { return };
        for number in &entry.readers {
            if let Some(reader) =
                readers.get_mut(*number).filter(|reader| reader.position == Position::Start(Start::Hold))
            {
                reader.hold(cursor, wakers);
            }
        }
        self.reposition(session, id);
    }

    /// Changes the members of a channel, if they are watched.
    pub(super) fn change_members(
        &mut self,
        id: SubscriptionId,
        change: impl FnOnce(&mut MemberList) -> bool,
        wakers: &mut Vec<Waker>,
    ) {
        let members = self.parts(id).and_then(|(entry, _)| entry.members.as_mut());
        if members.is_some_and(change) {
            for watcher in self.watchers.values_mut().filter(|watcher| watcher.subscription == Some(id)) {
                watcher.has_changed = true;
                wakers.extend(watcher.waker.take());
            }
        }
    }

    /// The subscription has ended: with an error, by the server or with the client; without, by the application.
    pub(super) fn end(&mut self, id: SubscriptionId, error: Option<SubscriptionError>, wakers: &mut Vec<Waker>) {
        let Some(index) = self.entries.iter().position(|entry| entry.id == id) else { return };
        let entry = self.entries.remove(index);
        for watcher in self.watchers.values_mut().filter(|watcher| watcher.subscription == Some(id)) {
            watcher.subscription = None;
            wakers.extend(watcher.waker.take());
        }
        let Some(error) = error else { return };
        for number in entry.readers {
            if let Some(reader) = self.readers.get_mut(number) {
                reader.end(error.clone(), wakers);
            }
        }
    }

    // Changes of the subscription of the session.

    /// Restarts the subscription if its readers need another position than the one that it serves.
    fn reposition(&mut self, session: &mut ClientSession, id: SubscriptionId) {
        let Some((entry, readers)) = self.parts(id) else { return };
        if entry.readers.is_empty() {
            // Only its members are needed. The position stays, in case another reader comes at once.
            return;
        }
        let position = session.position(id);
        let (mut start, mut state, mut after) = (None, None, None);
        for number in &entry.readers {
            let Some(reader) = readers.get(*number).filter(|reader| !reader.is_full) else { continue };
            match reader.position {
                Position::Start(other) if start.is_none() || entry.served == Served::Start(other) => {
                    start = Some(other)
                }
                Position::State(other) if state.is_none() || position == Some(other) => state = Some(other),
                Position::After(other) => {
                    let rank = |cursor| entry.rank(cursor, position);
                    after = Some(after.filter(|after| rank(*after) <= rank(other)).unwrap_or(other));
                }
                _ => {}
            }
        }
        // In this order: an answer to a start comes soon, and the room of a reader bounds how much of its state it takes.
        let (served, start) = match (start, state, after) {
            (Some(start), ..) => (Served::Start(start), start),
            (None, Some(state), _) => (Served::State, Start::From(state)),
            (None, None, Some(after)) => (Served::Messages, Start::From(after)),
            (None, None, None) => (Served::Nothing, Start::Hold),
        };
        let is_there = position.map(Start::From) == Some(start);
        let is_served = match served {
            Served::Nothing | Served::Start(_) => true,
            Served::State => is_there,
            Served::Messages => is_there && entry.mode == entry.wanted_mode(readers),
        };
        if entry.served == served && is_served {
            return;
        }
        entry.suspend_live(readers, position);
        let before = core::mem::replace(&mut entry.served, served);
        match served {
            // A subscription on hold delivers nothing anyway.
            Served::Nothing if before == Served::Start(Start::Hold) => {}
            Served::Nothing if entry.members.is_none() => session.pause(id),
            _ => repeat(session, id, start),
        }
    }

    /// Reports to a reader that it has everything, if it has reached the position of a live subscription.
    fn report_if_caught_up(&mut self, session: &ClientSession, number: u64, wakers: &mut Vec<Waker>) {
        let Some(reader) = self.readers.get_mut(number) else { return };
        let Some(id) = reader.subscription else { return };
        let is_live = self.entries.iter().any(|entry| entry.id == id && entry.is_live);
        if is_live && !reader.is_full && session.position(id).map(Position::After) == Some(reader.position) {
            reader.catch_up(wakers);
        }
    }

    /// Restarts the subscription at its position, with or without members.
    fn set_members(&mut self, session: &mut ClientSession, id: SubscriptionId, members: Option<MemberList>) {
        let Some((entry, readers)) = self.parts(id) else { return };
        entry.members = members;
        entry.suspend_live(readers, session.position(id));
        match entry.served {
            Served::Nothing if entry.members.is_none() => session.pause(id),
            Served::Nothing => repeat(session, id, Start::Hold),
            Served::Start(start) => repeat(session, id, start),
            Served::State | Served::Messages => {
                if let Some(position) = session.position(id) {
                    repeat(session, id, Start::From(position));
                }
            }
        }
    }

    // Access.

    fn open(
        &mut self,
        session: &mut ClientSession,
        name: &str,
        start: Start,
        served: Served,
        members: Option<MemberList>,
    ) -> SubscriptionId {
        let id = session.subscribe(start);
        let (name, mode) = (Pointer::from(name), Mode::Each);
        let index = self.index(&name).unwrap_or_else(|index| index);
        self.entries.insert(index, Entry { name, id, served, mode, is_live: false, readers: Vec::new(), members });
        id
    }

    /// Changes the readers that are served, with the subscription at this position. Returns whether it has several readers.
    fn for_each_at(&mut self, id: SubscriptionId, position: Cursor, mut change: impl FnMut(&mut Reader)) -> bool {
        let Some((entry, readers)) = self.parts(id) else { return false };
        let Some(here) = entry.served.at(position) else { return false };
        for number in &entry.readers {
            if let Some(reader) = readers.get_mut(*number).filter(|reader| !reader.is_full && reader.position == here) {
                change(reader);
            }
        }
        entry.readers.len() > 1
    }

    fn members(&self, id: SubscriptionId) -> Option<&MemberList> {
        self.entries.iter().find(|entry| entry.id == id)?.members.as_ref()
    }

    fn parts(&mut self, id: SubscriptionId) -> Option<(&mut Entry, &mut IdMap<u64, Reader>)> {
        let entry = self.entries.iter_mut().find(|entry| entry.id == id)?;
        Some((entry, &mut self.readers))
    }

    fn index(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (*entry.name).cmp(name))
    }

    fn next_number(&mut self) -> u64 {
        self.latest_number += 1;
        self.latest_number
    }
}

impl Entry {
    /// Each message, if one reader wants each.
    fn wanted_mode(&self, readers: &IdMap<u64, Reader>) -> Mode {
        let mut modes = self.readers.iter().filter_map(|number| readers.get(*number)).map(|reader| reader.mode);
        if self.readers.is_empty() || modes.any(|mode| mode == Mode::Each) { Mode::Each } else { Mode::Latest }
    }

    /// Ends the subscription. Until the server has answered earlier lines about it, a new reader may still take it over.
    fn leave(&mut self, session: &mut ClientSession) {
        (self.served, self.is_live) = (Served::Nothing, false);
        session.unsubscribe(self.id);
    }

    /// The subscription is about to restart, which is not reported to readers that have everything.
    fn suspend_live(&mut self, readers: &mut IdMap<u64, Reader>, position: Option<Cursor>) {
        if !core::mem::take(&mut self.is_live) {
            return;
        }
        for number in &self.readers {
            if let Some(reader) =
                readers.get_mut(*number).filter(|reader| Some(reader.position) == position.map(Position::After))
            {
                reader.stay_live();
            }
        }
    }

    /// How urgently the subscription, which is at `position`, has to serve a reader that is after `cursor`: the lowest rank comes first.
    fn rank(&self, cursor: Cursor, position: Option<Cursor>) -> (u8, u64) {
        let rank = match position {
            Some(position) if cursor == position => 2,
            // The reader would be left behind.
            Some(position) if cursor.epoch == position.epoch && cursor.offset <= position.offset => 0,
            // Its position is not in the channel's history any more, which only a `sub` from there makes the server report.
            Some(_) if self.is_live => 1,
            Some(_) => 3,
            None => 0,
        };
        (rank, cursor.offset)
    }
}

impl Served {
    /// The position of the readers that are served, with the subscription at `position`.
    fn at(self, position: Cursor) -> Option<Position> {
        match self {
            Self::Nothing | Self::Start(_) => None,
            Self::State => Some(Position::State(position)),
            Self::Messages => Some(Position::After(position)),
        }
    }
}

/// Subscribes from another start, and resumes a paused delivery.
fn repeat(session: &mut ClientSession, id: SubscriptionId, start: Start) {
    session.restart(id, start);
    session.resume(id);
}

//! The channels that a client is subscribed to, and what the one subscription of each serves.

use core::task::Waker;

use everwire_core::{
    protocol::{Cursor, Mode, Start},
    session::{ClientSession, SubscriptionId},
};

use super::{
    members::{Member, Members},
    options::SubscribeOptions,
    reader::{Item, Place, RawMessage, Reader},
    report::{Gap, SubscriptionError},
    table::Table,
};
use crate::threads::Pointer;

/// The subscriptions of the session, of which a channel has one, and those of the application that share them.
///
/// Each reader has a position of its own, and the subscription of the session serves those that are at its position. The others are
/// ahead and wait for it, or are not ready to take more. Where it would leave a reader behind, it starts again from that reader's
/// position, and the others ignore what they have. So a reader gets what it would get by itself, the others lose nothing, and a slow one
/// delays no other for longer than its room takes to be filled.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// In the order of their names, for binary search.
    entries: Vec<Entry>,
    readers: Table<u64, Reader>,
    watchers: Table<u64, Watcher>,
    latest_number: u64,
}

/// A subscription of the session.
#[derive(Debug)]
struct Entry {
    name: Pointer<str>,
    id: SubscriptionId,
    served: Served,
    /// The mode that the latest `sub` says.
    mode: Mode,
    /// The server has nothing more at the moment: what it sends is new.
    is_live: bool,
    readers: Vec<u64>,
    /// Who is present; `None` where the application does not want to know.
    members: Option<Members>,
}

/// What a subscription serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    /// No reader can take anything.
    Nothing,
    /// The readers that wait for the answer to this start.
    Start(Start),
    /// The readers that get the latest message of each key, at its position.
    State,
    /// The readers that get each message, at its position.
    Messages,
}

/// What reads the members of a channel.
#[derive(Debug)]
struct Watcher {
    subscription: Option<SubscriptionId>,
    has_news: bool,
    waker: Option<Waker>,
}

impl Channels {
    pub(super) fn id(&self, name: &str) -> Option<SubscriptionId> {
        let place = self.place(name).ok()?;
        self.entries.get(place).map(|entry| entry.id)
    }

    pub(super) fn name(&self, id: SubscriptionId) -> Option<&Pointer<str>> {
        self.entries.iter().find(|entry| entry.id == id).map(|entry| &entry.name)
    }

    /// The channel, the mode and the presence of the `sub` that is sent for this start.
    pub(super) fn sub(&mut self, id: SubscriptionId, start: Start) -> Option<(&str, Mode, bool)> {
        let (entry, readers) = self.parts(id)?;
        entry.mode = entry.wanted_mode(readers);
        // The rest of a state that was interrupted: what its keys had in between is of no use, and need not be kept any more.
        if entry.served == Served::State && matches!(start, Start::From(_)) {
            entry.mode = Mode::Latest;
        }
        Some((&entry.name, entry.mode, entry.members.is_some()))
    }

    // What the application asks for.

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
            // What was published after this call can only come behind it. The server might get the question later.
            reader.answered(Place::After(position));
            reader.stay_live();
        }
        entry.readers.push(number);
        readers.push(number, reader);
        if present.is_some() {
            self.serve(session, id);
            self.settle(session, number, wakers);
        }
        number
    }

    /// A subscription that has ended before it began; returns the number of its reader.
    pub(super) fn refuse(&mut self, error: SubscriptionError) -> u64 {
        let number = self.next_number();
        let mut reader = Reader::new(None, Start::Live, &SubscribeOptions::default());
        reader.end(error, &mut Vec::new());
        self.readers.push(number, reader);
        number
    }

    /// The next item of a reader; registers the waker where there is none. `None` in `Some` after the end.
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
            self.serve(session, id);
            self.settle(session, number, wakers);
        }
        Some(Some(item))
    }

    pub(super) fn cursor(&self, number: u64) -> Option<Cursor> {
        self.readers.get(number)?.cursor()
    }

    /// Has a reader wait for a snapshot, or go on from the position of one.
    pub(super) fn restart(&mut self, session: &mut ClientSession, number: u64, start: Start, wakers: &mut Vec<Waker>) {
        let Some(reader) = self.readers.get_mut(number) else { return };
        reader.restart(start);
        if let Some(id) = reader.subscription {
            self.serve(session, id);
            self.settle(session, number, wakers);
        }
    }

    pub(super) fn drop_reader(&mut self, session: &mut ClientSession, number: u64) {
        let Some(id) = self.readers.remove(number).and_then(|reader| reader.subscription) else { return };
        let Some((entry, _)) = self.parts(id) else { return };
        entry.readers.retain(|other| *other != number);
        if entry.readers.is_empty() && entry.members.is_none() {
            entry.leave(session);
        } else {
            self.serve(session, id);
        }
    }

    /// Watches who is present in a channel; returns the number of the watcher. Without a name, it has ended before it began.
    pub(super) fn watch(&mut self, session: &mut ClientSession, name: Option<&str>) -> u64 {
        let number = self.next_number();
        let mut watcher = Watcher { subscription: None, has_news: false, waker: None };
        if let Some(name) = name {
            let id = self.id(name);
            watcher.has_news = id.and_then(|id| self.members(id)).is_some();
            if let (Some(id), false) = (id, watcher.has_news) {
                self.set_members(session, id, Some(Members::default()));
            }
            let members = Some(Members::default());
            watcher.subscription = id.or_else(|| Some(self.open(session, name, Start::Hold, Served::Nothing, members)));
        }
        self.watchers.push(number, watcher);
        number
    }

    /// The members of a channel if they have changed; registers the waker where they have not. `None` in `Some` after the end.
    pub(super) fn next_members(&mut self, number: u64, waker: &Waker) -> Option<Option<Vec<Member>>> {
        let Some(watcher) = self.watchers.get_mut(number) else { return Some(None) };
        let Some(id) = watcher.subscription else { return Some(None) };
        if core::mem::take(&mut watcher.has_news) {
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

    // What the server sends.

    /// `hello` is sent on another connection, and the subscriptions of the session follow.
    pub(super) fn reconnected(&mut self, session: &mut ClientSession) {
        self.readers.values_mut().for_each(Reader::reconnected);
        for entry in &mut self.entries {
            entry.is_live = false;
            // By itself, the session does not repeat what is on hold at a position.
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
            self.serve(session, id);
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
                    if let Some(reader) = readers.get_mut(*number).filter(|reader| reader.place == Place::Start(start))
                    {
                        reader.answered(here);
                    }
                }
                self.serve(session, id);
            }
            served => {
                let (Some(before), Some(here)) = (before, served.at(position)) else { return };
                let is_shared = self.for_each_at(id, before, |reader| reader.answered(here));
                // The answer to a `sub` has left no reader behind that was not before.
                if is_shared && before != position {
                    self.serve(session, id);
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
            self.serve(session, id);
        }
        is_missed
    }

    /// The server has nothing more at the moment.
    pub(super) fn caught_up(&mut self, session: &mut ClientSession, id: SubscriptionId, wakers: &mut Vec<Waker>) {
        let Some(position) = session.position(id) else { return };
        self.for_each_at(id, position, |reader| {
            reader.answered(Place::After(position));
            reader.catch_up(wakers);
        });
        let Some((entry, _)) = self.parts(id) else { return };
        entry.is_live = true;
        if entry.served == Served::State {
            entry.served = Served::Messages;
        }
        self.serve(session, id);
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
            if let Some(reader) = readers.get_mut(*number).filter(|reader| reader.place == Place::Start(Start::Hold)) {
                reader.hold(cursor, wakers);
            }
        }
        self.serve(session, id);
    }

    /// Changes the members of a channel, if they are watched.
    pub(super) fn change_members(
        &mut self,
        id: SubscriptionId,
        change: impl FnOnce(&mut Members) -> bool,
        wakers: &mut Vec<Waker>,
    ) {
        let members = self.parts(id).and_then(|(entry, _)| entry.members.as_mut());
        if members.is_some_and(change) {
            for watcher in self.watchers.values_mut().filter(|watcher| watcher.subscription == Some(id)) {
                watcher.has_news = true;
                wakers.extend(watcher.waker.take());
            }
        }
    }

    /// The subscription is over, by the server or with the client; without an error, by the application.
    pub(super) fn end(&mut self, id: SubscriptionId, error: Option<SubscriptionError>, wakers: &mut Vec<Waker>) {
        let Some(place) = self.entries.iter().position(|entry| entry.id == id) else { return };
        let entry = self.entries.remove(place);
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

    // What follows.

    /// Has the subscription serve what its readers need, where that is not what it serves.
    fn serve(&mut self, session: &mut ClientSession, id: SubscriptionId) {
        let Some((entry, readers)) = self.parts(id) else { return };
        if entry.readers.is_empty() {
            // Its members are still wanted. The next reader may come at once, and has a position then.
            return;
        }
        let position = session.position(id);
        let (mut start, mut state, mut after) = (None, None, None);
        for number in &entry.readers {
            let Some(reader) = readers.get(*number).filter(|reader| !reader.is_full) else { continue };
            match reader.place {
                Place::Start(other) if start.is_none() || entry.served == Served::Start(other) => start = Some(other),
                Place::State(other) if state.is_none() || position == Some(other) => state = Some(other),
                Place::After(other) => {
                    let rank = |cursor| entry.rank(cursor, position);
                    after = Some(after.filter(|after| rank(*after) <= rank(other)).unwrap_or(other));
                }
                _ => {}
            }
        }
        // An answer to a start comes soon, and the room of a reader bounds what it takes of its state.
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
        entry.leave_live(readers, position);
        let before = core::mem::replace(&mut entry.served, served);
        match served {
            // Nothing is delivered as it is.
            Served::Nothing if before == Served::Start(Start::Hold) => {}
            Served::Nothing if entry.members.is_none() => session.pause(id),
            _ => repeat(session, id, start),
        }
    }

    /// Reports to a reader that it has everything, where it came to a position at which nothing more follows.
    fn settle(&mut self, session: &ClientSession, number: u64, wakers: &mut Vec<Waker>) {
        let Some(reader) = self.readers.get_mut(number) else { return };
        let Some(id) = reader.subscription else { return };
        let is_live = self.entries.iter().any(|entry| entry.id == id && entry.is_live);
        if is_live && !reader.is_full && session.position(id).map(Place::After) == Some(reader.place) {
            reader.catch_up(wakers);
        }
    }

    /// Subscribes again, as a member or not, to what is served.
    fn set_members(&mut self, session: &mut ClientSession, id: SubscriptionId, members: Option<Members>) {
        let Some((entry, readers)) = self.parts(id) else { return };
        entry.members = members;
        entry.leave_live(readers, session.position(id));
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
        members: Option<Members>,
    ) -> SubscriptionId {
        let id = session.subscribe(start);
        let (name, mode) = (Pointer::from(name), Mode::Each);
        let place = self.place(&name).unwrap_or_else(|place| place);
        self.entries.insert(place, Entry { name, id, served, mode, is_live: false, readers: Vec::new(), members });
        id
    }

    /// The readers that are served, where the subscription is at this position. Returns whether it has several.
    fn for_each_at(&mut self, id: SubscriptionId, position: Cursor, mut change: impl FnMut(&mut Reader)) -> bool {
        let Some((entry, readers)) = self.parts(id) else { return false };
        let Some(here) = entry.served.at(position) else { return false };
        for number in &entry.readers {
            if let Some(reader) = readers.get_mut(*number).filter(|reader| !reader.is_full && reader.place == here) {
                change(reader);
            }
        }
        entry.readers.len() > 1
    }

    fn members(&self, id: SubscriptionId) -> Option<&Members> {
        self.entries.iter().find(|entry| entry.id == id)?.members.as_ref()
    }

    fn parts(&mut self, id: SubscriptionId) -> Option<(&mut Entry, &mut Table<u64, Reader>)> {
        let entry = self.entries.iter_mut().find(|entry| entry.id == id)?;
        Some((entry, &mut self.readers))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (*entry.name).cmp(name))
    }

    fn next_number(&mut self) -> u64 {
        self.latest_number += 1;
        self.latest_number
    }
}

impl Entry {
    /// Each message, where a single reader wants each.
    fn wanted_mode(&self, readers: &Table<u64, Reader>) -> Mode {
        let mut modes = self.readers.iter().filter_map(|number| readers.get(*number)).map(|reader| reader.mode);
        if self.readers.is_empty() || modes.any(|mode| mode == Mode::Each) { Mode::Each } else { Mode::Latest }
    }

    /// Ends the subscription. Until the server has answered what was asked before, a new reader may still take it over.
    fn leave(&mut self, session: &mut ClientSession) {
        (self.served, self.is_live) = (Served::Nothing, false);
        session.unsubscribe(self.id);
    }

    /// The subscription is repeated. That is not reported to those of its readers that have everything.
    fn leave_live(&mut self, readers: &mut Table<u64, Reader>, position: Option<Cursor>) {
        if !core::mem::take(&mut self.is_live) {
            return;
        }
        for number in &self.readers {
            if let Some(reader) =
                readers.get_mut(*number).filter(|reader| Some(reader.place) == position.map(Place::After))
            {
                reader.stay_live();
            }
        }
    }

    /// How urgent it is that the subscription, which is at this position, serves a reader that is after `cursor`: the least comes first.
    fn rank(&self, cursor: Cursor, position: Option<Cursor>) -> (u8, u64) {
        let rank = match position {
            Some(position) if cursor == position => 2,
            // It would be left behind.
            Some(position) if cursor.epoch == position.epoch && cursor.offset <= position.offset => 0,
            // Nothing leads there: its history is not the channel's any more, which the server has to say.
            Some(_) if self.is_live => 1,
            Some(_) => 3,
            None => 0,
        };
        (rank, cursor.offset)
    }
}

impl Served {
    /// Where the readers are that are served, where the subscription is at this position.
    fn at(self, position: Cursor) -> Option<Place> {
        match self {
            Self::Nothing | Self::Start(_) => None,
            Self::State => Some(Place::State(position)),
            Self::Messages => Some(Place::After(position)),
        }
    }
}

/// Subscribes from another start, also where the delivery was stopped.
fn repeat(session: &mut ClientSession, id: SubscriptionId, start: Start) {
    session.restart(id, start);
    session.resume(id);
}

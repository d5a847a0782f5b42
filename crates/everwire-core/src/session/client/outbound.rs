//! What a client sends and the server answers: publishes and requests.

use alloc::vec::Vec;

use super::io::{ClientAction, ClientSessionConfig, PublishId, PublishOutcome, QueueError, RequestId};
use crate::{protocol::ErrorCode, queue::ActionQueue, time::Time};

/// The publishes and requests of a client. They are sent in the order of the application's calls, within the server's credits, and kept
/// until they are answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outbound {
    publishes: OutboundQueue,
    requests: OutboundQueue,
    /// Publishes and requests share one counter, so that the smaller id is the earlier call.
    latest_id: u64,
    credits: u64,
    /// Known from the first `welcome` on.
    max_message: Option<usize>,
}

/// What a `welcome` says about publishes and requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct WelcomeFields {
    pub(super) is_new: bool,
    pub(super) acked: u64,
    pub(super) keeps_requests: bool,
    pub(super) credits: u64,
    pub(super) max_message: usize,
}

/// A part of an answer is missing: an error of the server.
#[derive(Debug)]
pub(super) struct OutOfSequence;

impl Default for Outbound {
    fn default() -> Self {
        Self {
            publishes: OutboundQueue::new(Kind::Publishes),
            requests: OutboundQueue::new(Kind::Requests),
            latest_id: 0,
            credits: 0,
            max_message: None,
        }
    }
}

impl Outbound {
    /// How many publishes and requests are kept.
    pub(super) fn len(&self) -> usize {
        self.publishes.len() + self.requests.len()
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        self.publishes.bytes() + self.requests.bytes()
    }

    /// All publishes up to this number are answered.
    pub(super) fn acked(&self) -> u64 {
        self.publishes.floor() - 1
    }

    /// All requests below this number are answered.
    pub(super) fn floor(&self) -> u64 {
        self.requests.floor()
    }

    /// The greatest number that a publish has in this session.
    pub(super) fn greatest_publish(&self) -> u64 {
        self.publishes.greatest()
    }

    /// When to look for expired ones next.
    pub(super) fn next_expiry(&self) -> Time {
        self.publishes.next_expiry().min(self.requests.next_expiry())
    }

    // Calls of the application.

    pub(super) fn publish(
        &mut self,
        now: Time,
        size: usize,
        time_to_live: Option<Time>,
        config: &ClientSessionConfig,
    ) -> Result<PublishId, QueueError> {
        let id = self.accept(size, config)?;
        self.publishes.push(id, size, time_to_live.map_or(Time::NEVER, |time| now + time));
        Ok(PublishId(id))
    }

    pub(super) fn request(
        &mut self,
        now: Time,
        size: usize,
        timeout: Option<Time>,
        config: &ClientSessionConfig,
    ) -> Result<RequestId, QueueError> {
        let id = self.accept(size, config)?;
        self.requests.push(id, size, timeout.map_or(Time::NEVER, |time| now + time));
        Ok(RequestId(id))
    }

    pub(super) fn cancel(&mut self, id: RequestId, is_attached: bool, actions: &mut ActionQueue<ClientAction>) {
        let Some(seq) = self.requests.abandon(id.0) else { return };
        Kind::Requests.fail(id.0, ErrorCode::Cancelled, actions);
        // Without a connection, `cancel` follows the next `welcome`.
        if let Some(seq) = seq.filter(|_| is_attached) {
            actions.push(ClientAction::Cancel { seq });
        }
    }

    // Lines of the server.

    pub(super) fn welcomed(&mut self, now: Time, welcome: WelcomeFields, actions: &mut ActionQueue<ClientAction>) {
        self.credits = welcome.credits;
        self.max_message = Some(welcome.max_message);
        if welcome.is_new {
            // The new session knows none of the old numbers: entries that were sent have an unknown outcome, the others start at 1.
            self.publishes.lose(actions);
            self.publishes.renumber();
            self.requests.lose(actions);
            self.requests.renumber();
            return;
        }
        self.publishes.repeat_above(welcome.acked);
        if welcome.keeps_requests {
            // A request that is merely not repeated would run on and hold a credit, so it is cancelled.
            self.requests.forget_abandoned(|seq| actions.push(ClientAction::Cancel { seq }));
            self.requests.repeat_above(0);
        } else {
            // They may have run, and must not run twice.
            self.requests.lose(actions);
        }
        // Entries that are to be sent again may have expired while the connection was down.
        self.expire(now, actions);
    }

    pub(super) fn set_credits(&mut self, credits: u64) {
        self.credits = credits;
    }

    pub(super) fn published(&mut self, seq: u64, outcome: PublishOutcome, actions: &mut ActionQueue<ClientAction>) {
        if let Some(id) = self.publishes.answered(seq) {
            actions.push(ClientAction::Published { id: PublishId(id), outcome });
        }
    }

    pub(super) fn responded(
        &mut self,
        seq: u64,
        part: u64,
        more: bool,
        actions: &mut ActionQueue<ClientAction>,
    ) -> Result<(), OutOfSequence> {
        match self.requests.answered_in_part(seq, part, more) {
            Part::Expected(id) => actions.push(ClientAction::Answered { id: RequestId(id), part, more }),
            Part::Ignored => {}
            Part::OutOfSequence => return Err(OutOfSequence),
        }
        Ok(())
    }

    /// Reports a request that failed.
    pub(super) fn refused(&mut self, seq: u64, code: ErrorCode, actions: &mut ActionQueue<ClientAction>) {
        if let Some(id) = self.requests.answered(seq) {
            Kind::Requests.fail(id, code, actions);
        }
    }

    // Sending and expiring.

    /// Sends entries that wait, while there are credits.
    pub(super) fn transmit(&mut self, now: Time, actions: &mut ActionQueue<ClientAction>) {
        while ((self.publishes.unanswered() + self.requests.unanswered()) as u64) < self.credits {
            let is_publish = match (self.publishes.next(), self.requests.next()) {
                (None, None) => return,
                (Some(publish), Some(request)) => publish.id < request.id,
                (publish, _) => publish.is_some(),
            };
            if is_publish { self.transmit_publish(actions) } else { self.transmit_request(now, actions) }
        }
    }

    pub(super) fn expire(&mut self, now: Time, actions: &mut ActionQueue<ClientAction>) {
        self.publishes.expire(now, actions);
        self.requests.expire(now, actions);
    }

    /// Reports the outcome of everything at the end of the session.
    pub(super) fn end(&mut self, code: ErrorCode, actions: &mut ActionQueue<ClientAction>) {
        self.publishes.lose(actions);
        self.publishes.discard_all(code, actions);
        self.requests.lose(actions);
        self.requests.discard_all(code, actions);
    }

    fn accept(&mut self, size: usize, config: &ClientSessionConfig) -> Result<u64, QueueError> {
        if let Some(limit) = self.max_message.filter(|limit| size > *limit) {
            return Err(QueueError::TooLarge { limit });
        }
        let bytes = self.bytes().checked_add(size);
        if self.len() >= config.max_pending || bytes.is_none_or(|bytes| bytes > config.max_bytes) {
            return Err(QueueError::Full);
        }
        self.latest_id += 1;
        Ok(self.latest_id)
    }

    fn transmit_publish(&mut self, actions: &mut ActionQueue<ClientAction>) {
        let limit = self.max_message.unwrap_or(usize::MAX);
        if let Some(entry) = self.publishes.next().filter(|entry| entry.size > limit) {
            Kind::Publishes.fail(entry.id, ErrorCode::TooLarge, actions);
            self.publishes.discard_next();
        } else if let Some(Transmission { entry, after, .. }) = self.publishes.transmit_next() {
            actions.push(ClientAction::Publish { id: PublishId(entry.id), seq: entry.seq, after });
        }
    }

    fn transmit_request(&mut self, now: Time, actions: &mut ActionQueue<ClientAction>) {
        let limit = self.max_message.unwrap_or(usize::MAX);
        if let Some(entry) = self.requests.next().filter(|entry| entry.size > limit) {
            // It may have been sent before, under a larger limit, and have run.
            let code = if entry.seq > 0 { ErrorCode::Unknown } else { ErrorCode::TooLarge };
            Kind::Requests.fail(entry.id, code, actions);
            self.requests.discard_next();
        } else if let Some(Transmission { entry, is_repeated, .. }) = self.requests.transmit_next() {
            actions.push(ClientAction::Request {
                id: RequestId(entry.id),
                seq: entry.seq,
                timeout: entry.expires_at.planned().map(|at| at - now),
                floor: self.requests.floor(),
                part: is_repeated.then_some(entry.part),
            });
        }
    }
}

/// The publishes, or the requests, of a session until the server has answered them.
///
/// An entry waits for a credit, gets its number when it is sent for the first time, and is kept until its answer. Ids and numbers ascend
/// in the same order, so that both can be found by binary search. The entries are in a vector, because a `VecDeque` took a kilobyte more
/// of a browser's download; removing at the front moves a few thousand small entries at most.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OutboundQueue {
    kind: Kind,
    /// First the entries that the server has or that were sent on this connection, then those that wait to be sent.
    entries: Vec<Entry>,
    /// How many of them are of the first kind. They count against the credits.
    sent: usize,
    /// The greatest number that was given in this session.
    greatest: u64,
    /// The number of the latest entry that the server has, or that was sent on this connection.
    latest: u64,
    /// The bytes of all entries.
    bytes: usize,
    /// No entry expires before this. A bound rather than the exact time, so that taking an entry out takes constant time.
    next_expiry: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `welcome` reports which of them the server has. Those cannot expire, because the server's answer decides; the others can.
    Publishes,
    /// The server may have any of them that was ever sent. All of them can expire: the application then stops waiting.
    Requests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    id: u64,
    size: usize,
    /// [`Time::NEVER`] if it does not expire.
    expires_at: Time,
    /// 0 before it is sent for the first time.
    seq: u64,
    /// The part of the answer that is expected next.
    part: u64,
    /// The application has its outcome. The entry is kept because it holds a credit until the server answers it.
    is_abandoned: bool,
}

/// An entry to send now.
#[derive(Debug)]
struct Transmission {
    entry: Entry,
    /// The number before it, where that is not one less.
    after: Option<u64>,
    is_repeated: bool,
}

/// How a received part of an answer fits to the parts before it.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// The one that is expected next, for the application.
    Expected(u64),
    /// A repetition, or nothing that the application waits for.
    Ignored,
    /// One before it is missing.
    OutOfSequence,
}

impl Kind {
    /// Reports a failure.
    fn fail(self, id: u64, code: ErrorCode, actions: &mut ActionQueue<ClientAction>) {
        actions.push(match self {
            Self::Publishes => ClientAction::Published { id: PublishId(id), outcome: PublishOutcome::Failed(code) },
            Self::Requests => ClientAction::RequestFailed { id: RequestId(id), code },
        });
    }
}

impl OutboundQueue {
    fn new(kind: Kind) -> Self {
        Self { kind, entries: Vec::new(), sent: 0, greatest: 0, latest: 0, bytes: 0, next_expiry: Time::NEVER }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many entries count against the credits.
    fn unanswered(&self) -> usize {
        self.sent
    }

    /// The greatest number that was given in this session.
    fn greatest(&self) -> u64 {
        self.greatest
    }

    /// All entries below this number are answered.
    fn floor(&self) -> u64 {
        let first = self.entries.first().filter(|entry| entry.seq > 0);
        first.map_or(self.greatest + 1, |entry| entry.seq)
    }

    /// When to look for expired entries next.
    fn next_expiry(&self) -> Time {
        self.next_expiry
    }

    fn push(&mut self, id: u64, size: usize, expires_at: Time) {
        self.bytes += size;
        self.next_expiry = self.next_expiry.min(expires_at);
        self.entries.push(Entry { id, size, expires_at, seq: 0, part: 0, is_abandoned: false });
    }

    /// The entry that is to be sent next.
    fn next(&self) -> Option<&Entry> {
        self.entries.get(self.sent)
    }

    /// Takes out the entry that is to be sent next, without sending it.
    fn discard_next(&mut self) {
        if self.sent < self.entries.len() {
            self.remove(self.sent);
        }
    }

    /// Sends the next entry.
    fn transmit_next(&mut self) -> Option<Transmission> {
        let entry = self.entries.get_mut(self.sent)?;
        let is_repeated = entry.seq > 0;
        if !is_repeated {
            self.greatest += 1;
            entry.seq = self.greatest;
        }
        let after = (self.latest + 1 != entry.seq).then_some(self.latest);
        self.latest = entry.seq;
        self.sent += 1;
        Some(Transmission { entry: *entry, after, is_repeated })
    }

    /// Removes the entry whose final answer came. Returns its id if the application waits for it.
    fn answered(&mut self, seq: u64) -> Option<u64> {
        let place = self.place_of(seq)?;
        let entry = self.remove(place);
        self.sent -= 1;
        (!entry.is_abandoned).then_some(entry.id)
    }

    /// Takes in a part of an answer.
    fn answered_in_part(&mut self, seq: u64, part: u64, more: bool) -> Part {
        let Some(entry) = self.place_of(seq).and_then(|place| self.entries.get_mut(place)) else {
            return Part::Ignored;
        };
        if part > entry.part {
            return Part::OutOfSequence;
        }
        if part < entry.part {
            return Part::Ignored;
        }
        entry.part += 1;
        let (id, is_abandoned) = (entry.id, entry.is_abandoned);
        if !more {
            self.answered(seq);
        }
        if is_abandoned { Part::Ignored } else { Part::Expected(id) }
    }

    /// Ends the application's wait for an entry. Returns its number if the server may have it, `Some(None)` if not, and `None` if the
    /// application did not wait for it.
    fn abandon(&mut self, id: u64) -> Option<Option<u64>> {
        let place = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        if place >= self.sent {
            let seq = self.remove(place).seq;
            return Some((seq > 0).then_some(seq));
        }
        let entry = self.entries.get_mut(place)?;
        let is_first = !core::mem::replace(&mut entry.is_abandoned, true);
        self.bytes -= core::mem::take(&mut entry.size);
        is_first.then_some(Some(entry.seq))
    }

    /// Removes entries that have expired and reports them, in the order of the application's calls.
    fn expire(&mut self, now: Time, actions: &mut ActionQueue<ClientAction>) {
        if now < self.next_expiry {
            return;
        }
        self.next_expiry = Time::NEVER;
        let (kind, sent) = (self.kind, self.sent);
        let (mut bytes, mut next_expiry) = (self.bytes, Time::NEVER);
        self.retain(&mut |place, entry| {
            let is_sent = place < sent;
            if entry.is_abandoned || (is_sent && kind == Kind::Publishes) {
                return true;
            }
            if entry.expires_at > now {
                next_expiry = next_expiry.min(entry.expires_at);
                return true;
            }
            bytes -= core::mem::take(&mut entry.size);
            kind.fail(entry.id, ErrorCode::Expired, actions);
            entry.is_abandoned = is_sent;
            is_sent
        });
        (self.bytes, self.next_expiry) = (bytes, next_expiry);
    }

    /// Removes the sent entries that the application does not wait for, and reports their numbers.
    fn forget_abandoned(&mut self, mut forget: impl FnMut(u64)) {
        let before = self.entries.len();
        // Those that are to be sent are taken out when they are abandoned.
        self.retain(&mut |_, entry| {
            if entry.is_abandoned {
                forget(entry.seq);
            }
            !entry.is_abandoned
        });
        self.sent -= before - self.entries.len();
    }

    /// Marks the entries above this number to be sent again, because the server does not have them.
    fn repeat_above(&mut self, received: u64) {
        self.sent = self.entries.iter().take(self.sent).take_while(|entry| entry.seq <= received).count();
        let expiries = self.entries.iter().skip(self.sent).map(|entry| entry.expires_at);
        self.next_expiry = expiries.min().unwrap_or(Time::NEVER).min(self.next_expiry);
        self.latest = received;
    }

    /// Removes entries that the server may have, and reports their outcome as unknown.
    fn lose(&mut self, actions: &mut ActionQueue<ClientAction>) {
        let count = match self.kind {
            // After a resume, `sent` covers exactly those that the server has.
            Kind::Publishes => self.sent,
            // A request that waits to be sent again may have run on an earlier connection.
            Kind::Requests => self.entries.partition_point(|entry| entry.seq > 0),
        };
        self.discard_first(count, ErrorCode::Unknown, actions);
    }

    /// Starts over at number 1, in a new session, after [`Self::lose`].
    fn renumber(&mut self) {
        (self.greatest, self.latest) = (0, 0);
        for entry in &mut self.entries {
            entry.seq = 0;
        }
    }

    /// Removes the entries that the server does not have, and reports them, after [`Self::lose`].
    fn discard_all(&mut self, code: ErrorCode, actions: &mut ActionQueue<ClientAction>) {
        self.discard_first(self.entries.len(), code, actions);
        self.next_expiry = Time::NEVER;
    }

    fn discard_first(&mut self, count: usize, code: ErrorCode, actions: &mut ActionQueue<ClientAction>) {
        let (kind, mut bytes) = (self.kind, self.bytes);
        self.retain(&mut |place, entry| {
            let is_kept = place >= count;
            if !is_kept {
                bytes -= entry.size;
                if !entry.is_abandoned {
                    kind.fail(entry.id, code, actions);
                }
            }
            is_kept
        });
        self.bytes = bytes;
        self.sent = 0;
    }

    /// Keeps the entries for which the function, given their places, returns true. Not generic: one instance for all callers is smaller
    /// than one for each.
    #[inline(never)]
    fn retain(&mut self, keeps: &mut dyn FnMut(usize, &mut Entry) -> bool) {
        let mut place = 0;
        self.entries.retain_mut(|entry| {
            place += 1;
            keeps(place - 1, entry)
        });
    }

    fn place_of(&self, seq: u64) -> Option<usize> {
        self.entries.get(..self.sent)?.binary_search_by_key(&seq, |entry| entry.seq).ok()
    }

    fn remove(&mut self, place: usize) -> Entry {
        let entry = self.entries.remove(place);
        self.bytes -= entry.size;
        entry
    }
}

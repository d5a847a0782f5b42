use alloc::vec::Vec;

use super::io::{ClientAction, PublishId, PublishOutcome, RequestId};
use crate::{Time, actions::Actions, protocol::ErrorCode};

/// What has to be answered by the server, of one kind: the publishes or the requests of a session.
///
/// A line waits for a credit, gets its number when it is sent for the first time, and is kept until its answer. Ids and numbers ascend
/// in the same order, so that both can be found by binary search. Of a vector, because a queue took a kilobyte more of a browser's
/// download: what is taken out at the front moves at most some thousand small lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outgoing {
    kind: Kind,
    /// Those that the server has, or that were sent on this connection, before those that are to be sent.
    lines: Vec<Line>,
    /// How many of them are sent.
    sent: usize,
    /// The greatest number that was given in this session.
    greatest: u64,
    /// The number of the latest line that the server has, or that was sent on this connection.
    latest: u64,
    /// The bytes of all lines.
    bytes: usize,
    /// No line expires before this. A bound rather than the exact time, so that taking a line out takes constant time.
    next_expiry: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// `welcome` says which of them the server has. The others can expire; of these, the server's answer decides.
    Publishes,
    /// The server may have any of them that was sent, on whatever connection. All of them can expire.
    Requests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) id: u64,
    pub(super) size: usize,
    /// [`Time::NEVER`] if it does not expire.
    pub(super) expires_at: Time,
    /// 0 before it is sent for the first time.
    pub(super) seq: u64,
    /// The part of the answer that is expected next.
    pub(super) part: u64,
    /// The application has its outcome. The line is kept because the server counts it until it has answered it.
    pub(super) is_abandoned: bool,
}

/// A line that goes out now.
#[derive(Debug)]
pub(super) struct Transmission {
    pub(super) line: Line,
    /// The number before it, where that is not one less.
    pub(super) after: Option<u64>,
    pub(super) is_repeated: bool,
}

/// What a part of an answer is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The one that is expected next, for the application.
    Expected(u64),
    /// A repetition, or nothing that the application waits for.
    Ignored,
    /// One before it is missing.
    OutOfSequence,
}

impl Kind {
    /// Reports a failure.
    pub(super) fn fail(self, id: u64, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        actions.push(match self {
            Self::Publishes => ClientAction::Published { id: PublishId(id), outcome: PublishOutcome::Failed(code) },
            Self::Requests => ClientAction::RequestFailed { id: RequestId(id), code },
        });
    }
}

impl Outgoing {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, lines: Vec::new(), sent: 0, greatest: 0, latest: 0, bytes: 0, next_expiry: Time::NEVER }
    }

    /// How many lines are kept.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The bytes of the lines that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many lines count against the credits.
    pub(super) fn unanswered(&self) -> usize {
        self.sent
    }

    /// The greatest number that was given in this session.
    pub(super) fn greatest(&self) -> u64 {
        self.greatest
    }

    /// All lines below this number are answered.
    pub(super) fn floor(&self) -> u64 {
        let first = self.lines.first().filter(|line| line.seq > 0);
        first.map_or(self.greatest + 1, |line| line.seq)
    }

    /// When to look for expired lines next.
    pub(super) fn next_expiry(&self) -> Time {
        self.next_expiry
    }

    pub(super) fn push(&mut self, id: u64, size: usize, expires_at: Time) {
        self.bytes += size;
        self.next_expiry = self.next_expiry.min(expires_at);
        self.lines.push(Line { id, size, expires_at, seq: 0, part: 0, is_abandoned: false });
    }

    /// The line that is to be sent next.
    pub(super) fn next(&self) -> Option<&Line> {
        self.lines.get(self.sent)
    }

    /// Takes out the line that is to be sent next, without sending it.
    pub(super) fn discard_next(&mut self) {
        if self.sent < self.lines.len() {
            self.remove(self.sent);
        }
    }

    /// Sends the next line.
    pub(super) fn transmit_next(&mut self) -> Option<Transmission> {
        let line = self.lines.get_mut(self.sent)?;
        let is_repeated = line.seq > 0;
        if !is_repeated {
            self.greatest += 1;
            line.seq = self.greatest;
        }
        let after = (self.latest + 1 != line.seq).then_some(self.latest);
        self.latest = line.seq;
        self.sent += 1;
        Some(Transmission { line: *line, after, is_repeated })
    }

    /// Takes out the line whose final answer came. Returns its id if the application waits for it.
    pub(super) fn answered(&mut self, seq: u64) -> Option<u64> {
        let place = self.place_of(seq)?;
        let line = self.remove(place);
        self.sent -= 1;
        (!line.is_abandoned).then_some(line.id)
    }

    /// Takes in a part of an answer.
    pub(super) fn answered_in_part(&mut self, seq: u64, part: u64, more: bool) -> Part {
        let Some(line) = self.place_of(seq).and_then(|place| self.lines.get_mut(place)) else { return Part::Ignored };
        if part > line.part {
            return Part::OutOfSequence;
        }
        if part < line.part {
            return Part::Ignored;
        }
        line.part += 1;
        let (id, is_abandoned) = (line.id, line.is_abandoned);
        if !more {
            self.answered(seq);
        }
        if is_abandoned { Part::Ignored } else { Part::Expected(id) }
    }

    /// The application does not wait for this line any more. Returns its number if the server may have it; `None` in `Some` if not.
    pub(super) fn abandon(&mut self, id: u64) -> Option<Option<u64>> {
        let place = self.lines.binary_search_by_key(&id, |line| line.id).ok()?;
        if place >= self.sent {
            let seq = self.remove(place).seq;
            return Some((seq > 0).then_some(seq));
        }
        let line = self.lines.get_mut(place)?;
        let is_first = !core::mem::replace(&mut line.is_abandoned, true);
        self.bytes -= core::mem::take(&mut line.size);
        is_first.then_some(Some(line.seq))
    }

    /// Takes out what has expired and reports it, in the order of the application's calls.
    pub(super) fn expire(&mut self, now: Time, actions: &mut Actions<ClientAction>) {
        if now < self.next_expiry {
            return;
        }
        self.next_expiry = Time::NEVER;
        let (kind, sent) = (self.kind, self.sent);
        let (mut bytes, mut next_expiry) = (self.bytes, Time::NEVER);
        self.retain(&mut |place, line| {
            let is_sent = place < sent;
            if line.is_abandoned || (is_sent && kind == Kind::Publishes) {
                return true;
            }
            if line.expires_at > now {
                next_expiry = next_expiry.min(line.expires_at);
                return true;
            }
            bytes -= core::mem::take(&mut line.size);
            kind.fail(line.id, ErrorCode::Expired, actions);
            line.is_abandoned = is_sent;
            is_sent
        });
        (self.bytes, self.next_expiry) = (bytes, next_expiry);
    }

    /// Takes out the sent lines that the application does not wait for, and reports their numbers.
    pub(super) fn forget_abandoned(&mut self, mut forget: impl FnMut(u64)) {
        let before = self.lines.len();
        // Those that are to be sent are taken out when they are abandoned.
        self.retain(&mut |_, line| {
            if line.is_abandoned {
                forget(line.seq);
            }
            !line.is_abandoned
        });
        self.sent -= before - self.lines.len();
    }

    /// Sends the lines above this number again: on a new connection, the server does not have them.
    pub(super) fn repeat_above(&mut self, received: u64) {
        self.sent = self.lines.iter().take(self.sent).take_while(|line| line.seq <= received).count();
        let expiries = self.lines.iter().skip(self.sent).map(|line| line.expires_at);
        self.next_expiry = expiries.min().unwrap_or(Time::NEVER).min(self.next_expiry);
        self.latest = received;
    }

    /// Takes out what the server may have, and reports it as unknown.
    pub(super) fn lose(&mut self, actions: &mut Actions<ClientAction>) {
        let count = match self.kind {
            Kind::Publishes => self.sent,
            Kind::Requests => self.lines.partition_point(|line| line.seq > 0),
        };
        self.discard_first(count, ErrorCode::Unknown, actions);
    }

    /// Starts over at number 1, in a new session, after [`Self::lose`].
    pub(super) fn renumber(&mut self) {
        (self.greatest, self.latest) = (0, 0);
        for line in &mut self.lines {
            line.seq = 0;
        }
    }

    /// Takes out what the server does not have, and reports it, after [`Self::lose`].
    pub(super) fn discard_all(&mut self, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        self.discard_first(self.lines.len(), code, actions);
        self.next_expiry = Time::NEVER;
    }

    fn discard_first(&mut self, count: usize, code: ErrorCode, actions: &mut Actions<ClientAction>) {
        let (kind, mut bytes) = (self.kind, self.bytes);
        self.retain(&mut |place, line| {
            let is_kept = place >= count;
            if !is_kept {
                bytes -= line.size;
                if !line.is_abandoned {
                    kind.fail(line.id, code, actions);
                }
            }
            is_kept
        });
        self.bytes = bytes;
        self.sent = 0;
    }

    /// Keeps the lines for which the function, given their places, returns true. One instance for all callers is smaller than one for each.
    #[inline(never)]
    fn retain(&mut self, keeps: &mut dyn FnMut(usize, &mut Line) -> bool) {
        let mut place = 0;
        self.lines.retain_mut(|line| {
            place += 1;
            keeps(place - 1, line)
        });
    }

    fn place_of(&self, seq: u64) -> Option<usize> {
        self.lines.get(..self.sent)?.binary_search_by_key(&seq, |line| line.seq).ok()
    }

    fn remove(&mut self, place: usize) -> Line {
        let line = self.lines.remove(place);
        self.bytes -= line.size;
        line
    }
}

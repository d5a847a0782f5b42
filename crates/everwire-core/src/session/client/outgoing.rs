use alloc::collections::VecDeque;

use crate::Time;

/// What has to be answered by the server, of one kind: the publishes or the requests of a session.
///
/// A line waits for a credit, gets its number when it is sent for the first time, and is kept until its answer. Ids and numbers ascend
/// in the same order, so that both can be found by binary search.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outgoing {
    kind: Kind,
    /// What is to be sent on this connection. Lines that have been sent on an earlier one come first.
    waiting: VecDeque<Line>,
    /// What the server has, or was sent on this connection.
    sent: VecDeque<Line>,
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

impl Outgoing {
    pub(super) fn new(kind: Kind) -> Self {
        let (waiting, sent) = (VecDeque::new(), VecDeque::new());
        Self { kind, waiting, sent, greatest: 0, latest: 0, bytes: 0, next_expiry: Time::NEVER }
    }

    /// How many lines are kept.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    /// The bytes of the lines that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many lines count against the credits.
    pub(super) fn unanswered(&self) -> usize {
        self.sent.len()
    }

    /// The greatest number that was given in this session.
    pub(super) fn greatest(&self) -> u64 {
        self.greatest
    }

    /// All lines below this number are answered.
    pub(super) fn floor(&self) -> u64 {
        let first = self.sent.front().or(self.waiting.front()).filter(|line| line.seq > 0);
        first.map_or(self.greatest + 1, |line| line.seq)
    }

    /// When to look for expired lines next.
    pub(super) fn next_expiry(&self) -> Time {
        self.next_expiry
    }

    pub(super) fn push(&mut self, id: u64, size: usize, expires_at: Time) {
        self.bytes += size;
        self.next_expiry = self.next_expiry.min(expires_at);
        self.waiting.push_back(Line { id, size, expires_at, seq: 0, part: 0, is_abandoned: false });
    }

    /// The line that is to be sent next.
    pub(super) fn next(&self) -> Option<&Line> {
        self.waiting.front()
    }

    /// Takes out the line that is to be sent next, without sending it, if it matches.
    pub(super) fn discard_next_if(&mut self, matches: impl FnOnce(&Line) -> bool) -> Option<Line> {
        self.next().filter(|line| matches(line))?;
        let line = self.waiting.pop_front()?;
        self.bytes -= line.size;
        Some(line)
    }

    /// Sends the next line.
    pub(super) fn transmit_next(&mut self) -> Option<Transmission> {
        let mut line = self.waiting.pop_front()?;
        let is_repeated = line.seq > 0;
        if !is_repeated {
            self.greatest += 1;
            line.seq = self.greatest;
        }
        let after = (self.latest + 1 != line.seq).then_some(self.latest);
        self.latest = line.seq;
        self.sent.push_back(line);
        Some(Transmission { line, after, is_repeated })
    }

    /// Takes out the line whose final answer came. Returns its id if the application waits for it.
    pub(super) fn answered(&mut self, seq: u64) -> Option<u64> {
        let place = self.sent.binary_search_by_key(&seq, |line| line.seq).ok()?;
        let line = self.sent.remove(place)?;
        self.bytes -= line.size;
        (!line.is_abandoned).then_some(line.id)
    }

    /// Takes in a part of an answer.
    pub(super) fn answered_in_part(&mut self, seq: u64, part: u64, more: bool) -> Part {
        let Ok(place) = self.sent.binary_search_by_key(&seq, |line| line.seq) else { return Part::Ignored };
        let line = &mut self.sent[place];
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
        if let Ok(place) = self.sent.binary_search_by_key(&id, |line| line.id) {
            let line = &mut self.sent[place];
            let is_first = !core::mem::replace(&mut line.is_abandoned, true);
            self.bytes -= core::mem::take(&mut line.size);
            return is_first.then_some(Some(line.seq));
        }
        let place = self.waiting.binary_search_by_key(&id, |line| line.id).ok()?;
        let line = self.waiting.remove(place)?;
        self.bytes -= line.size;
        Some((line.seq > 0).then_some(line.seq))
    }

    /// Takes out what has expired and reports the ids, in the order of the application's calls.
    pub(super) fn expire(&mut self, now: Time, mut expired: impl FnMut(u64)) {
        if now < self.next_expiry {
            return;
        }
        let mut next_expiry = Time::NEVER;
        let mut bytes = self.bytes;
        let mut has_expired = |line: &mut Line| {
            let has_expired = line.expires_at <= now && !line.is_abandoned;
            if has_expired {
                bytes -= core::mem::take(&mut line.size);
                expired(line.id);
            } else if !line.is_abandoned {
                next_expiry = next_expiry.min(line.expires_at);
            }
            has_expired
        };
        if self.kind == Kind::Requests {
            for line in &mut self.sent {
                line.is_abandoned |= has_expired(line);
            }
        }
        self.waiting.retain_mut(|line| !has_expired(line));
        (self.bytes, self.next_expiry) = (bytes, next_expiry);
    }

    /// Takes out the sent lines that the application does not wait for, and reports their numbers.
    pub(super) fn forget_abandoned(&mut self, mut forget: impl FnMut(u64)) {
        self.sent.retain(|line| {
            if line.is_abandoned {
                forget(line.seq);
            }
            !line.is_abandoned
        });
    }

    /// Sends the lines above this number again: on a new connection, the server does not have them.
    pub(super) fn repeat_above(&mut self, received: u64) {
        let first = self.sent.partition_point(|line| line.seq <= received);
        let mut again = self.sent.split_off(first);
        self.next_expiry = again.iter().map(|line| line.expires_at).min().unwrap_or(Time::NEVER).min(self.next_expiry);
        again.append(&mut self.waiting);
        self.waiting = again;
        self.latest = received;
    }

    /// Takes out what the server may have, and reports the ids.
    pub(super) fn lose(&mut self, mut lost: impl FnMut(u64)) {
        let has_been_sent = |line: &Line| line.seq > 0;
        let also = match self.kind {
            Kind::Publishes => 0,
            Kind::Requests => self.waiting.partition_point(has_been_sent),
        };
        for line in self.sent.drain(..).chain(self.waiting.drain(..also)) {
            self.bytes -= line.size;
            if !line.is_abandoned {
                lost(line.id);
            }
        }
    }

    /// Starts over at number 1, in a new session, after [`Self::lose`].
    pub(super) fn renumber(&mut self) {
        (self.greatest, self.latest) = (0, 0);
        for line in &mut self.waiting {
            line.seq = 0;
        }
    }

    /// Takes out what the server does not have, and reports the ids, after [`Self::lose`].
    pub(super) fn discard_all(&mut self, mut discarded: impl FnMut(u64)) {
        for line in self.waiting.drain(..) {
            discarded(line.id);
        }
        (self.bytes, self.next_expiry) = (0, Time::NEVER);
    }
}

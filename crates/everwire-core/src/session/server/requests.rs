use alloc::{collections::VecDeque, vec::Vec};

use super::io::ServerAction;
use crate::{protocol::ErrorCode, time::Time};

/// The cost of a kept part in addition to its payload, so that the number of empty parts is bounded too.
const PART_COST: usize = 64;

/// A request, and how much of its answer there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TrackedRequest {
    seq: u64,
    /// The attach in which it was sent last. Its answer goes to no other connection: there, a new part would overtake the parts that the
    /// client has lost and requests again by repeating the request.
    generation: u64,
    /// When it is stopped.
    expires_at: Time,
    /// How many parts the answer has so far.
    parts: u64,
    /// The parts before this one are not kept.
    first_kept: u64,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    /// The last part is the end.
    Complete,
    /// The request failed after its parts.
    Failed(ErrorCode),
}

/// The requests of a session. Each runs once, and its answer is kept until the client has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Requests {
    /// The greatest number received.
    received: u64,
    /// In the order of their numbers.
    requests: Vec<TrackedRequest>,
    /// Requests that ended, in this order. A client misses at most as many answers as it has credits, and those are the latest.
    ended: VecDeque<u64>,
    max_ended: usize,
    /// The kept parts, oldest first: number of the request, number of the part, cost. A failure counts as a part.
    kept: VecDeque<(u64, u64, usize)>,
    kept_bytes: usize,
    max_bytes: usize,
}

impl Requests {
    pub(super) fn new(max_ended: usize, max_bytes: usize) -> Self {
        Self {
            received: 0,
            requests: Vec::new(),
            ended: VecDeque::new(),
            max_ended,
            kept: VecDeque::new(),
            kept_bytes: 0,
            max_bytes,
        }
    }

    /// Keeps at least so many answers. The number never shrinks: the client may miss as many as it ever had credits.
    pub(super) fn keep_at_least(&mut self, ended: usize) {
        self.max_ended = self.max_ended.max(ended);
    }

    /// The bytes of the kept answers.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// How many requests run that were sent in this generation.
    pub(super) fn running(&self, generation: u64) -> usize {
        self.requests.iter().filter(|request| request.end.is_none() && request.generation == generation).count()
    }

    pub(super) fn is_new(&self, seq: u64) -> bool {
        seq > self.received
    }

    /// Starts a request, whose number is above all others.
    pub(super) fn start(&mut self, generation: u64, seq: u64, expires_at: Time, actions: &mut VecDeque<ServerAction>) {
        // The client repeats the requests it still wants before it sends new ones. It has given up the others, which would run on and hold
        // credits.
        self.drop_where(|request| request.generation != generation, actions);
        self.received = seq;
        self.requests.push(TrackedRequest { seq, generation, expires_at, parts: 0, first_kept: 0, end: None });
    }

    /// Answers a repeated request, from this part of its answer on.
    pub(super) fn replay(&mut self, generation: u64, seq: u64, part: u64, actions: &mut VecDeque<ServerAction>) {
        let Some(request) = self.find(seq) else {
            actions.push_back(ServerAction::FailRequest { seq, code: ErrorCode::Unknown });
            return;
        };
        // A client that repeats a complete request lacks at least its last part.
        let last = if request.end == Some(End::Complete) { request.parts.saturating_sub(1) } else { request.parts };
        let part = part.min(last);
        if part < request.first_kept {
            self.drop_where(|request| request.seq == seq, actions);
            actions.push_back(ServerAction::FailRequest { seq, code: ErrorCode::Unknown });
            return;
        }
        request.generation = generation;
        let (parts, end) = (request.parts, request.end);
        actions.extend((part..parts).map(|part| {
            let more = end != Some(End::Complete) || part + 1 < parts;
            ServerAction::Respond { seq, part, more }
        }));
        if let Some(End::Failed(code)) = end {
            actions.push_back(ServerAction::FailRequest { seq, code });
        }
        self.release(seq, part, actions);
    }

    /// Adds a part, and sends it if the request was sent on the connection of `attached`. Returns its number; `None` if the request has
    /// ended.
    pub(super) fn responded(
        &mut self,
        attached: Option<u64>,
        seq: u64,
        size: usize,
        more: bool,
        actions: &mut VecDeque<ServerAction>,
    ) -> Option<u64> {
        let request = self.find(seq).filter(|request| request.end.is_none())?;
        let part = request.parts;
        request.parts += 1;
        if Some(request.generation) == attached {
            actions.push_back(ServerAction::Respond { seq, part, more });
        }
        self.keep(seq, part, size, actions);
        if !more {
            self.end(seq, End::Complete, actions);
        }
        Some(part)
    }

    /// Ends a request without the rest of its answer. Returns whether it was running.
    pub(super) fn failed(
        &mut self,
        attached: Option<u64>,
        seq: u64,
        code: ErrorCode,
        size: usize,
        actions: &mut VecDeque<ServerAction>,
    ) -> bool {
        let Some(request) = self.find(seq).filter(|request| request.end.is_none()) else { return false };
        let part = request.parts;
        if Some(request.generation) == attached {
            actions.push_back(ServerAction::FailRequest { seq, code });
        }
        self.keep(seq, part, size, actions);
        self.end(seq, End::Failed(code), actions);
        true
    }

    /// Sends the answer to a running request to the connection of this generation.
    pub(super) fn adopt(&mut self, generation: u64, seq: u64) {
        if let Some(request) = self.find(seq).filter(|request| request.end.is_none()) {
            request.generation = generation;
        }
    }

    /// Stops a request that was cancelled or ran out of time.
    pub(super) fn stop(
        &mut self,
        attached: Option<u64>,
        seq: u64,
        code: ErrorCode,
        actions: &mut VecDeque<ServerAction>,
    ) {
        if self.failed(attached, seq, code, 0, actions) {
            actions.push_back(ServerAction::Stop { seq });
        }
    }

    /// Drops the answers to all requests below this one: the client has them, or does not want them.
    pub(super) fn answered_below(&mut self, floor: u64, actions: &mut VecDeque<ServerAction>) {
        self.drop_where(|request| request.seq < floor, actions);
    }

    /// Drops everything at the end of the session.
    pub(super) fn clear(&mut self, actions: &mut VecDeque<ServerAction>) {
        self.drop_where(|_| true, actions);
    }

    /// When the next request runs out of time.
    pub(super) fn next_expiry(&self) -> Time {
        let running = self.requests.iter().filter(|request| request.end.is_none());
        running.map(|request| request.expires_at).min().unwrap_or(Time::NEVER)
    }

    pub(super) fn expire(&mut self, now: Time, attached: Option<u64>, actions: &mut VecDeque<ServerAction>) {
        let is_due = |request: &&TrackedRequest| request.end.is_none() && request.expires_at <= now;
        let due: Vec<u64> = self.requests.iter().filter(is_due).map(|request| request.seq).collect();
        for seq in due {
            self.stop(attached, seq, ErrorCode::Expired, actions);
        }
    }

    fn find(&mut self, seq: u64) -> Option<&mut TrackedRequest> {
        let index = self.requests.binary_search_by_key(&seq, |request| request.seq).ok()?;
        self.requests.get_mut(index)
    }

    fn end(&mut self, seq: u64, end: End, actions: &mut VecDeque<ServerAction>) {
        if let Some(request) = self.find(seq) {
            request.end = Some(end);
        }
        self.ended.push_back(seq);
        if self.ended.len() > self.max_ended
            && let Some(oldest) = self.ended.pop_front()
        {
            self.drop_where(|request| request.seq == oldest, actions);
        }
    }

    fn keep(&mut self, seq: u64, part: u64, size: usize, actions: &mut VecDeque<ServerAction>) {
        let cost = size.saturating_add(PART_COST);
        self.kept.push_back((seq, part, cost));
        self.kept_bytes = self.kept_bytes.saturating_add(cost);
        // The oldest parts are the most likely to have arrived. A client that lacks one gets `unknown`.
        while self.kept_bytes > self.max_bytes
            && let Some((seq, part, cost)) = self.kept.pop_front()
        {
            self.kept_bytes = self.kept_bytes.saturating_sub(cost);
            if let Some(request) = self.find(seq) {
                request.first_kept = part + 1;
            }
            actions.push_back(ServerAction::Release { seq, below: part + 1 });
        }
    }

    /// Stops keeping the parts of an answer below this one.
    fn release(&mut self, seq: u64, below: u64, actions: &mut VecDeque<ServerAction>) {
        let Some(request) = self.find(seq).filter(|request| request.first_kept < below) else { return };
        request.first_kept = below;
        self.discard(seq, below);
        actions.push_back(ServerAction::Release { seq, below });
    }

    fn discard(&mut self, seq: u64, below: u64) {
        let mut discarded = 0_usize;
        self.kept.retain(|(kept, part, cost)| {
            let is_kept = *kept != seq || *part >= below;
            if !is_kept {
                discarded = cost.saturating_add(discarded);
            }
            is_kept
        });
        self.kept_bytes = self.kept_bytes.saturating_sub(discarded);
    }

    fn drop_where(&mut self, is_dropped: impl Fn(&TrackedRequest) -> bool, actions: &mut VecDeque<ServerAction>) {
        let dropped: Vec<TrackedRequest> = self.requests.extract_if(.., |request| is_dropped(request)).collect();
        for TrackedRequest { seq, end, .. } in dropped {
            match end {
                None => actions.push_back(ServerAction::Stop { seq }),
                Some(_) => self.ended.retain(|ended| *ended != seq),
            }
            self.discard(seq, u64::MAX);
            actions.push_back(ServerAction::Release { seq, below: u64::MAX });
        }
    }
}

//! The server's side of a session.
//!
//! - `io`: what the machine answers, its options, and the table of states and lines of a connection
//! - `requests`: requests and their answers until the client has them

mod io;
mod requests;

use alloc::{collections::VecDeque, vec::Vec};

use crate::{
    protocol::{Cursor, ErrorCode},
    time::Time,
};

pub use io::{Answer, LineHandling, Receipt, Request, ServerAction, ServerConnection, SessionLimits};
use requests::Requests;

/// How many answers may be forgotten that a client has not acknowledged. After a restart it may wait for some of these, while others
/// expired before they were sent; the server cannot tell which, and answers each with `unknown`. Without a limit, one `hello` with a small
/// number could demand billions of answers, so a client that misses more gets a new session.
const MAX_FORGOTTEN: u64 = 1_024;

/// A session on the server: which publishes and requests it has received, how they were answered, and which connection it belongs to.
///
/// A session outlives its connections. Each attach has a generation, and lines of an earlier one have no effect: a connection that was
/// believed dead may still deliver lines that the client has repeated since.
///
/// # The contract
/// 1. The driver reports what happens, with the time where the method takes one: `hello` to [`attach`](Self::attach), the end of a
///    connection to [`detach`](Self::detach), lines to [`publish`](Self::publish), [`request`](Self::request) and
///    [`cancel`](Self::cancel), their outcomes to [`decided`](Self::decided), [`responded`](Self::responded) and
///    [`failed`](Self::failed).
/// 2. After each of these calls it takes [`poll_action`](Self::poll_action) until that returns `None`, and carries the actions out in
///    order. Lines go to the connection of the latest attach.
/// 3. Then it sets its timer to [`poll_deadline`](Self::poll_deadline), and calls [`wake`](Self::wake) when the timer fires.
///
/// Between `hello` and [`ServerAction::Welcome`], the driver reads nothing more from the connection: the welcome waits until the broker
/// has decided the publishes received before, so that its `acked` says for certain which of them are stored.
///
/// Payloads stay with the driver: it keeps the parts of answers to requests until [`ServerAction::Release`].
///
/// The answer to a publish is sent as soon as it is known, whatever the order of the numbers. If the broker reports the decision before
/// it delivers the message to subscribers, an `ack` precedes the client's own copy, as the protocol requires.
///
/// ```
/// use everwire_core::{protocol::Cursor, session::{Answer, Receipt, ServerAction, ServerSession, SessionLimits}};
///
/// let mut session = ServerSession::new(SessionLimits::default());
/// let generation = session.attach(0, 1)?;
/// let welcome = ServerAction::Welcome { generation, acked: 0, keeps_requests: true, credits: 64 };
/// assert_eq!(session.poll_action(), Some(welcome));
///
/// assert_eq!(session.publish(generation, 1, 0), Receipt::Process);
/// // The broker stores it.
/// let stored = Answer::Stored(Cursor { epoch: 0x9f, offset: 1, time: 1_795_219_200_000 });
/// session.decided(1, stored);
/// assert_eq!(session.poll_action(), Some(ServerAction::Answer { seq: 1, answer: stored }));
///
/// // Sent again after a reconnect, it is answered, not stored.
/// assert_eq!(session.publish(generation, 1, 0), Receipt::Ignore);
/// assert_eq!(session.poll_action(), Some(ServerAction::Answer { seq: 1, answer: stored }));
/// # Ok::<(), everwire_core::protocol::ErrorCode>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerSession {
    limits: SessionLimits,
    /// Of the latest attach; 0 before the first.
    generation: u64,
    attachment: AttachState,
    /// The greatest number of credits that the client was given since it attached. It may have sent lines before it knew of a smaller
    /// number.
    credits: usize,
    publishes: Publishes,
    requests: Requests,
    /// The session was restored without its requests, and no line has shown yet that the client knows: the welcome that said so may have
    /// been lost. If a later welcome said that requests are kept, the client would repeat requests that have run.
    has_lost_requests: bool,
    actions: VecDeque<ServerAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum AttachState {
    /// `hello` was received, and the welcome waits for decisions. The client has the answers up to `acked`.
    Attaching { acked: u64 },
    /// `welcome` was sent.
    Attached,
    /// There is no connection.
    Detached { expires_at: Time },
    /// The session is over.
    Over,
}

impl ServerSession {
    /// Creates a session that waits for its first attach, which must follow at once.
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            generation: 0,
            attachment: AttachState::Detached { expires_at: Time::NEVER },
            credits: limits.credits,
            publishes: Publishes::new(limits.credits),
            requests: Requests::new(limits.credits, limits.answer_bytes),
            has_lost_requests: false,
            actions: VecDeque::new(),
        }
    }

    /// Restores a detached session as a broker kept it: its generation, and the numbers and positions of its latest stored publishes, in
    /// any order. The broker writes each in the transaction that stores the message, and keeps as many as the session has credits.
    ///
    /// Requests do not survive. Publishes with smaller numbers than a stored one that are not among `stored` are answered with
    /// [`ErrorCode::Unknown`] if the client still waits for the answer.
    pub fn restore(
        now: Time,
        limits: SessionLimits,
        generation: u64,
        stored: impl IntoIterator<Item = (u64, Cursor)>,
    ) -> Self {
        Self {
            generation,
            attachment: AttachState::Detached { expires_at: now + limits.expires_after },
            publishes: Publishes::restore(limits.credits, stored),
            has_lost_requests: true,
            ..Self::new(limits)
        }
    }

    /// Attaches a connection that sent `hello`: it gets the next generation, and the previous connection is ended.
    /// [`ServerAction::Welcome`] follows, and then the answers that the client does not have, as soon as the broker has decided all
    /// publishes.
    ///
    /// The client has the answers to all publishes up to `acked` and to all requests below `floor`.
    ///
    /// The driver does not attach a connection that was accepted before the session's current one: its `hello` was delayed, and the client
    /// has given it up. It refuses that connection with [`ErrorCode::TakenOver`].
    ///
    /// # Errors
    /// [`ErrorCode::Gone`] if the session is over, as it is now if the client misses too many answers that are not known any more.
    pub fn attach(&mut self, acked: u64, floor: u64) -> Result<u64, ErrorCode> {
        if self.publishes.forgotten_after(acked) > MAX_FORGOTTEN {
            self.end();
        }
        match self.attachment {
            AttachState::Over => return Err(ErrorCode::Gone),
            AttachState::Detached { .. } => {}
            AttachState::Attaching { .. } | AttachState::Attached => {
                self.actions.push_back(ServerAction::TakeOver { generation: self.generation });
            }
        }
        self.generation += 1;
        self.attachment = AttachState::Attaching { acked };
        self.set_enforced_credits(self.limits.credits);
        self.publishes.acknowledged(acked);
        self.requests.answered_below(floor, &mut self.actions);
        self.welcome_if_decided();
        Ok(self.generation)
    }

    /// Reports that the connection of this generation has ended.
    pub fn detach(&mut self, now: Time, generation: u64) {
        if self.is_current(generation) {
            self.attachment = AttachState::Detached { expires_at: now + self.limits.expires_after };
        }
    }

    /// Reports a `pub` line. `after` is the number before it.
    pub fn publish(&mut self, generation: u64, seq: u64, after: u64) -> Receipt {
        // A line of an earlier connection may still arrive. The client sends it again on the latest one, so it is not lost.
        if !self.is_current(generation) {
            return Receipt::Ignore;
        }
        // Until `welcome` the client does not know which of its publishes are decided, and so which ones to send again.
        if !self.is_welcomed() {
            return Receipt::Fatal(ErrorCode::Unexpected);
        }
        // A repetition takes no credit: it is answered at once.
        if seq > self.publishes.received() && self.unanswered() >= self.credits {
            return Receipt::Fatal(ErrorCode::Credits);
        }
        self.has_lost_requests = false;
        match self.publishes.arrived(seq, after) {
            Arrival::OutOfSequence => Receipt::Fatal(ErrorCode::Sequence),
            // The broker has it already: its decision answers the repetition too.
            Arrival::Undecided => Receipt::Ignore,
            Arrival::Repeated(answer) => {
                self.actions.push_back(ServerAction::Answer { seq, answer });
                Receipt::Ignore
            }
            Arrival::New => Receipt::Process,
        }
    }

    /// Reports the decision about a publish: the broker stored it, or the server's rules refuse it. Every publish for which
    /// [`publish`](Self::publish) returned [`Receipt::Process`] must be decided, also after its connection has ended;
    /// [`ErrorCode::Unknown`] is for one whose fate the broker does not know.
    pub fn decided(&mut self, seq: u64, answer: Answer) {
        if !self.publishes.decided(seq, answer) {
            return;
        }
        if self.is_welcomed() {
            self.actions.push_back(ServerAction::Answer { seq, answer });
        } else {
            // The answer is kept and follows a `welcome`, which may have waited for this decision.
            self.welcome_if_decided();
        }
    }

    /// Reports a `req` line. Its outcome goes to [`responded`](Self::responded) and [`failed`](Self::failed).
    pub fn request(&mut self, now: Time, generation: u64, request: Request) -> Receipt {
        if !self.is_current(generation) {
            return Receipt::Ignore;
        }
        if !self.is_welcomed() {
            return Receipt::Fatal(ErrorCode::Unexpected);
        }
        let Request { seq, timeout, floor, part } = request;
        let actions = &mut self.actions;
        self.has_lost_requests = false;
        self.requests.answered_below(floor.min(seq), actions);
        if !self.requests.is_new(seq) {
            // Running it twice might have an effect twice, so a repetition gets what is kept of the first run.
            self.requests.replay(generation, seq, part, actions);
            return Receipt::Ignore;
        }
        if self.unanswered() >= self.credits {
            return Receipt::Fatal(ErrorCode::Credits);
        }
        let expires_at = timeout.map_or(Time::NEVER, |timeout| now + timeout);
        self.requests.start(generation, seq, expires_at, &mut self.actions);
        Receipt::Process
    }

    /// Reports a part of an answer, of `size` bytes, with `more` if others follow. Returns the number of the part, under which the driver
    /// keeps it until [`ServerAction::Release`]; `None` if the request has ended.
    pub fn responded(&mut self, seq: u64, size: usize, more: bool) -> Option<u64> {
        self.requests.responded(self.welcomed(), seq, size, more, &mut self.actions)
    }

    /// Reports that a request's handler failed, with a readable text of `size` bytes that the driver keeps until
    /// [`ServerAction::Release`].
    pub fn failed(&mut self, seq: u64, code: ErrorCode, size: usize) {
        self.requests.failed(self.welcomed(), seq, code, size, &mut self.actions);
    }

    /// Reports a `cancel` line: of a connection of this session or, without a generation, of another session of the same user.
    pub fn cancel(&mut self, generation: Option<u64>, seq: u64) {
        if let Some(generation) = generation {
            if !self.is_current(generation) {
                return;
            }
            // The client waits for the answer on this connection, whether or not it has sent the request again.
            self.requests.adopt(generation, seq);
        }
        self.requests.stop(self.welcomed(), seq, ErrorCode::Cancelled, &mut self.actions);
    }

    /// Gives the client another number of credits. A smaller number is enforced from the next attach on, because the client may have sent
    /// lines before it knew.
    pub fn set_credits(&mut self, credits: usize) {
        self.limits.credits = credits;
        self.set_enforced_credits(self.credits.max(credits));
        if self.is_welcomed() {
            self.actions.push_back(ServerAction::Credits(credits));
        }
    }

    /// Asks the client to leave, because the server is about to stop: it connects again at a random time within `spread`, and its connection
    /// is cut at `deadline`, both from now on. The session continues on the next server, and expires here as after any lost connection.
    pub fn drain(&mut self, deadline: Time, spread: Time) {
        if self.is_current(self.generation) {
            self.actions.push_back(ServerAction::Drain { deadline, spread });
        }
    }

    /// Reports `bye` on the connection of this generation.
    pub fn bye(&mut self, generation: u64) {
        if self.is_current(generation) {
            self.end();
        }
    }

    /// Ends the session.
    pub fn end(&mut self) {
        if self.attachment != AttachState::Over {
            self.attachment = AttachState::Over;
            self.requests.clear(&mut self.actions);
            self.actions.push_back(ServerAction::Over);
        }
    }

    /// Reports that the deadline of [`poll_deadline`](Self::poll_deadline) has passed. Earlier, it has no effect.
    pub fn wake(&mut self, now: Time) {
        self.requests.expire(now, self.welcomed(), &mut self.actions);
        if let AttachState::Detached { expires_at } = self.attachment
            && expires_at <= now
        {
            self.end();
        }
    }

    /// Returns what to do next.
    pub fn poll_action(&mut self) -> Option<ServerAction> {
        self.actions.pop_front()
    }

    /// When to call [`wake`](Self::wake); `None` if nothing is due.
    pub fn poll_deadline(&self) -> Option<Time> {
        let expiry = match self.attachment {
            AttachState::Detached { expires_at } => expires_at,
            _ => Time::NEVER,
        };
        expiry.min(self.requests.next_expiry()).planned()
    }

    /// The generation of the latest attach; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a connection of this generation belongs to the session now.
    pub fn is_current(&self, generation: u64) -> bool {
        let has_connection = matches!(self.attachment, AttachState::Attaching { .. } | AttachState::Attached);
        has_connection && self.generation == generation
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        self.attachment == AttachState::Over
    }

    /// How many publishes and requests may be unanswered.
    pub fn credits(&self) -> usize {
        self.limits.credits
    }

    /// How many publishes and requests are unanswered.
    pub fn unanswered(&self) -> usize {
        self.publishes.undecided() + self.requests.running(self.generation)
    }

    /// The bytes of the kept answers to requests, plus 64 for each part.
    pub fn kept_bytes(&self) -> usize {
        self.requests.kept_bytes()
    }

    fn is_welcomed(&self) -> bool {
        self.attachment == AttachState::Attached
    }

    fn welcomed(&self) -> Option<u64> {
        self.is_welcomed().then_some(self.generation)
    }

    fn welcome_if_decided(&mut self) {
        let AttachState::Attaching { acked } = self.attachment else { return };
        // An undecided publish would be neither in `acked` nor repeated, so its outcome would be lost.
        if self.publishes.undecided() > 0 {
            return;
        }
        self.attachment = AttachState::Attached;
        self.actions.push_back(ServerAction::Welcome {
            generation: self.generation,
            acked: self.publishes.received(),
            keeps_requests: !self.has_lost_requests,
            credits: self.limits.credits,
        });
        let answers = self.publishes.answers_after(acked).into_iter();
        self.actions.extend(answers.map(|(seq, answer)| ServerAction::Answer { seq, answer }));
    }

    fn set_enforced_credits(&mut self, credits: usize) {
        self.credits = credits;
        self.publishes.keep_at_least(credits);
        self.requests.keep_at_least(credits);
    }
}

/// How a received publish relates to the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// The next one.
    New,
    /// A repetition, with the answer that was given.
    Repeated(Answer),
    /// A repetition of one that the broker has not decided yet.
    Undecided,
    /// The publish before it is missing.
    OutOfSequence,
}

/// The publishes that a server has received in a session: each is stored once, and answered as often as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Publishes {
    /// The greatest number received.
    received: u64,
    /// Handed to the broker, and not decided yet.
    undecided: Vec<u64>,
    /// The latest answers, in the order of the decisions. A client misses at most as many answers as it has credits, and those are the
    /// latest, because answers are sent in this order.
    answers: VecDeque<(u64, Answer)>,
    /// How many answers are kept.
    max_answers: usize,
}

impl Publishes {
    fn new(max_answers: usize) -> Self {
        Self { received: 0, undecided: Vec::new(), answers: VecDeque::new(), max_answers }
    }

    /// Continues after the publishes that a broker has stored, in any order.
    fn restore(max_answers: usize, stored: impl IntoIterator<Item = (u64, Cursor)>) -> Self {
        let mut answers: Vec<_> = stored.into_iter().map(|(seq, cursor)| (seq, Answer::Stored(cursor))).collect();
        answers.sort_unstable_by_key(|(seq, _)| *seq);
        let received = answers.last().map_or(0, |(seq, _)| *seq);
        Self { received, undecided: Vec::new(), answers: answers.into(), max_answers }
    }

    fn received(&self) -> u64 {
        self.received
    }

    fn undecided(&self) -> usize {
        self.undecided.len()
    }

    /// Keeps at least so many answers. The number never shrinks: the client may miss as many as it ever had credits.
    fn keep_at_least(&mut self, answers: usize) {
        self.max_answers = self.max_answers.max(answers);
    }

    /// Records that the client has the answers up to this number. It may be ahead of a restored session: refusals are not stored.
    fn acknowledged(&mut self, seq: u64) {
        self.received = self.received.max(seq);
        self.answers.retain(|(answered, _)| *answered > seq);
    }

    fn arrived(&mut self, seq: u64, after: u64) -> Arrival {
        if seq > self.received {
            if after != self.received {
                return Arrival::OutOfSequence;
            }
            self.received = seq;
            self.undecided.push(seq);
            return Arrival::New;
        }
        if self.undecided.contains(&seq) { Arrival::Undecided } else { Arrival::Repeated(self.answer(seq)) }
    }

    /// Records a decision, and returns whether one was outstanding.
    #[must_use]
    fn decided(&mut self, seq: u64, answer: Answer) -> bool {
        let Some(index) = self.undecided.iter().position(|undecided| *undecided == seq) else { return false };
        self.undecided.remove(index);
        self.answers.push_back((seq, answer));
        while self.answers.len() > self.max_answers {
            self.answers.pop_front();
        }
        true
    }

    /// How many answers after `acked` are forgotten. The client does not wait for all of them: some numbers may have expired unsent.
    fn forgotten_after(&self, acked: u64) -> u64 {
        let known = self.answers.iter().map(|(seq, _)| seq).chain(&self.undecided).filter(|seq| **seq > acked);
        self.received.saturating_sub(acked).saturating_sub(known.count() as u64)
    }

    /// The answers to the publishes after `acked`, in the order of their numbers; a forgotten answer is [`ErrorCode::Unknown`].
    fn answers_after(&self, acked: u64) -> Vec<(u64, Answer)> {
        (acked.saturating_add(1)..=self.received).map(|seq| (seq, self.answer(seq))).collect()
    }

    fn answer(&self, seq: u64) -> Answer {
        let kept = self.answers.iter().find(|(answered, _)| *answered == seq);
        kept.map_or(Answer::Refused(ErrorCode::Unknown), |(_, answer)| *answer)
    }
}

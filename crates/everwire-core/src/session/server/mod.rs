//! The server's side of a session.

mod connection;
mod io;
mod publishes;
mod requests;

use alloc::collections::VecDeque;

use crate::{
    Time,
    protocol::{Cursor, ErrorCode},
};

pub use connection::{LineHandling, ServerConnection};
pub use io::{Answer, Receipt, Request, ServerAction, SessionLimits};
use publishes::{Arrival, Publishes};
use requests::Requests;

/// How many answers a client can have missed that are not known any more. After a restart, it may wait for one of them, and not for others
/// that expired unsent; which, is not known either. One that has missed more gets a new session.
const MAX_FORGOTTEN: u64 = 1_024;

/// A session on the server: what its client has sent, what it was answered, and to which connection it belongs.
///
/// A session outlives its connections. Each attach has a generation, and what comes from an earlier one has no effect, so that a
/// connection that was believed dead cannot touch the session.
///
/// # The contract
/// 1. The driver reports what happens, with the time where the method takes one: `hello` to [`attach`](Self::attach), the end of a
///    connection to [`detach`](Self::detach), lines to [`publish`](Self::publish), [`request`](Self::request) and
///    [`cancel`](Self::cancel), what came of them to [`decided`](Self::decided), [`responded`](Self::responded) and
///    [`failed`](Self::failed).
/// 2. After each of these it takes [`poll_action`](Self::poll_action) until that returns `None` and does what it says, in order. What is
///    to be sent goes to the connection of the latest attach.
/// 3. Then it sets its timer to [`poll_deadline`](Self::poll_deadline), and calls [`wake`](Self::wake) when the timer fires.
///
/// Between `hello` and [`ServerAction::Welcome`], it reads nothing more from the connection: the welcome waits until the broker has
/// decided the publishes that were received before.
///
/// Payloads stay with the driver: it keeps the parts of answers to requests until [`ServerAction::Release`].
///
/// An answer to a publish is sent as soon as it is known, whatever the order of the numbers. A broker that reports the decision before
/// it delivers the message to subscribers keeps the rule that an `ack` precedes the client's own copy.
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
    attachment: Attachment,
    /// The greatest number of credits that the client was given since it attached. It may not know of fewer yet.
    credits: usize,
    publishes: Publishes,
    requests: Requests,
    /// The session was restored without its requests, and no line shows yet that the client knows. A welcome may have been lost that
    /// said so.
    has_lost_requests: bool,
    actions: VecDeque<ServerAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Attachment {
    /// `hello` was received; the welcome waits for decisions. All publishes up to `acked` are answered.
    Attaching { acked: u64 },
    /// The client was welcomed.
    Attached,
    /// There is no connection.
    Detached { expires_at: Time },
    /// The session is over.
    Over,
}

impl ServerSession {
    /// A session that waits for its first attach, which must follow at once.
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            generation: 0,
            attachment: Attachment::Detached { expires_at: Time::NEVER },
            credits: limits.credits,
            publishes: Publishes::new(limits.credits),
            requests: Requests::new(limits.credits, limits.answer_bytes),
            has_lost_requests: false,
            actions: VecDeque::new(),
        }
    }

    /// A detached session as a broker kept it: its generation, and the numbers and positions of its latest stored publishes, in any
    /// order. The broker writes each in the transaction that stores the message, and keeps as many as the session has credits.
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
            attachment: Attachment::Detached { expires_at: now + limits.expires_after },
            publishes: Publishes::restore(limits.credits, stored),
            has_lost_requests: true,
            ..Self::new(limits)
        }
    }

    /// A connection said `hello`: it gets the next generation, and the earlier one is ended. [`ServerAction::Welcome`] follows, and then
    /// the answers that the client does not have: at once, or when the broker has decided all publishes.
    ///
    /// The client has the answers to all publishes up to `acked` and to all requests below `floor`.
    ///
    /// The driver does not attach a connection that was accepted before the present one of the session: its `hello` was under way for
    /// long, and the client has given it up. It refuses that connection with [`ErrorCode::TakenOver`].
    ///
    /// # Errors
    /// [`ErrorCode::Gone`] if the session is over, as it is now if the client misses too many answers that are not known any more.
    pub fn attach(&mut self, acked: u64, floor: u64) -> Result<u64, ErrorCode> {
        if self.publishes.forgotten_after(acked) > MAX_FORGOTTEN {
            self.end();
        }
        match self.attachment {
            Attachment::Over => return Err(ErrorCode::Gone),
            Attachment::Detached { .. } => {}
            Attachment::Attaching { .. } | Attachment::Attached => {
                self.actions.push_back(ServerAction::TakeOver { generation: self.generation });
            }
        }
        self.generation += 1;
        self.attachment = Attachment::Attaching { acked };
        self.set_enforced_credits(self.limits.credits);
        self.publishes.acknowledged(acked);
        self.requests.answered_below(floor, &mut self.actions);
        self.welcome_if_decided();
        Ok(self.generation)
    }

    /// The connection of this generation has ended.
    pub fn detach(&mut self, now: Time, generation: u64) {
        if self.is_current(generation) {
            self.attachment = Attachment::Detached { expires_at: now + self.limits.expires_after };
        }
    }

    /// A `pub` line. `after` is the number before it.
    pub fn publish(&mut self, generation: u64, seq: u64, after: u64) -> Receipt {
        if !self.is_current(generation) {
            return Receipt::Ignore;
        }
        if !self.is_welcomed() {
            return Receipt::Fatal(ErrorCode::Unexpected);
        }
        if seq > self.publishes.received() && self.unanswered() >= self.credits {
            return Receipt::Fatal(ErrorCode::Credits);
        }
        self.has_lost_requests = false;
        match self.publishes.arrived(seq, after) {
            Arrival::OutOfSequence => Receipt::Fatal(ErrorCode::Sequence),
            Arrival::Undecided => Receipt::Ignore,
            Arrival::Repeated(answer) => {
                self.actions.push_back(ServerAction::Answer { seq, answer });
                Receipt::Ignore
            }
            Arrival::New => Receipt::Process,
        }
    }

    /// What became of a publish: the broker stored it, or the server's rules refuse it. Every one for which [`publish`](Self::publish)
    /// returned [`Receipt::Process`] must be decided, also after its connection has ended; [`ErrorCode::Unknown`] is for one of which
    /// the broker does not know.
    pub fn decided(&mut self, seq: u64, answer: Answer) {
        if !self.publishes.decided(seq, answer) {
            return;
        }
        if self.is_welcomed() {
            self.actions.push_back(ServerAction::Answer { seq, answer });
        } else {
            self.welcome_if_decided();
        }
    }

    /// A `req` line. What came of it goes to [`responded`](Self::responded) and [`failed`](Self::failed).
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

    /// A request's handler answers with a part of `size` bytes, and `more` if others follow. Returns the number of the part, under which
    /// the driver keeps it until [`ServerAction::Release`]; `None` if it is not wanted any more.
    pub fn responded(&mut self, seq: u64, size: usize, more: bool) -> Option<u64> {
        self.requests.responded(self.welcomed(), seq, size, more, &mut self.actions)
    }

    /// A request's handler failed, with a text of `size` bytes for people that the driver keeps until [`ServerAction::Release`].
    pub fn failed(&mut self, seq: u64, code: ErrorCode, size: usize) {
        self.requests.failed(self.welcomed(), seq, code, size, &mut self.actions);
    }

    /// A `cancel` line: of a connection of this session, or, without a generation, of another session of the same user.
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

    /// Gives the client another number of credits. Fewer are enforced from the next attach on: lines may be under way that the client sent
    /// before it knew.
    pub fn set_credits(&mut self, credits: usize) {
        self.limits.credits = credits;
        self.set_enforced_credits(self.credits.max(credits));
        if self.is_welcomed() {
            self.actions.push_back(ServerAction::Credits(credits));
        }
    }

    /// The server goes away: a client that has a connection connects again at a random time within `spread`, and is cut at `deadline`, both
    /// from now on. The session goes on where it connects to, and expires here as after any lost connection.
    pub fn drain(&mut self, deadline: Time, spread: Time) {
        if self.is_current(self.generation) {
            self.actions.push_back(ServerAction::Drain { deadline, spread });
        }
    }

    /// The client said `bye` on the connection of this generation.
    pub fn bye(&mut self, generation: u64) {
        if self.is_current(generation) {
            self.end();
        }
    }

    /// Ends the session for good.
    pub fn end(&mut self) {
        if self.attachment != Attachment::Over {
            self.attachment = Attachment::Over;
            self.requests.clear(&mut self.actions);
            self.actions.push_back(ServerAction::Over);
        }
    }

    /// The deadline of [`poll_deadline`](Self::poll_deadline) has passed. Earlier, it has no effect.
    pub fn wake(&mut self, now: Time) {
        self.requests.expire(now, self.welcomed(), &mut self.actions);
        if let Attachment::Detached { expires_at } = self.attachment
            && expires_at <= now
        {
            self.end();
        }
    }

    /// What to do next.
    pub fn poll_action(&mut self) -> Option<ServerAction> {
        self.actions.pop_front()
    }

    /// When to call [`wake`](Self::wake); `None` where nothing is due.
    pub fn poll_deadline(&self) -> Option<Time> {
        let expiry = match self.attachment {
            Attachment::Detached { expires_at } => expires_at,
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
        let has_connection = matches!(self.attachment, Attachment::Attaching { .. } | Attachment::Attached);
        has_connection && self.generation == generation
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        self.attachment == Attachment::Over
    }

    /// How many publishes and requests may be unanswered.
    pub fn credits(&self) -> usize {
        self.limits.credits
    }

    /// How many publishes and requests are unanswered.
    pub fn unanswered(&self) -> usize {
        self.publishes.undecided() + self.requests.running(self.generation)
    }

    /// How many bytes the answers to requests take that are kept, with 64 for each part.
    pub fn kept_bytes(&self) -> usize {
        self.requests.kept_bytes()
    }

    fn is_welcomed(&self) -> bool {
        self.attachment == Attachment::Attached
    }

    fn welcomed(&self) -> Option<u64> {
        self.is_welcomed().then_some(self.generation)
    }

    fn welcome_if_decided(&mut self) {
        let Attachment::Attaching { acked } = self.attachment else { return };
        if self.publishes.undecided() > 0 {
            return;
        }
        self.attachment = Attachment::Attached;
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

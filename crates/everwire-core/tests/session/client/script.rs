//! Scripts of inputs for a client's session. The property test and the fuzz target run them.

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Delivery, Time,
    protocol::{Cursor, ErrorCode, GapReason, Start},
    session::{ClientInput, ClientSession, ClientSessionConfig, RequestId, SubscriptionId},
};

use super::invariants::{Invariants, Subscription};

const MOST_SUBSCRIPTIONS: usize = 4;

/// A session's limits and the steps of its life.
#[derive(Debug)]
pub(crate) struct Script {
    max_pending: u8,
    max_bytes: u8,
    seed: u64,
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (max_pending, max_bytes, seed) = bytes.arbitrary()?;
        let mut steps = Vec::new();
        // As many as there are bytes for; the `Arbitrary` of `Vec` would stop after one or two.
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { max_pending, max_bytes, seed, steps })
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Step {
    /// A few seconds.
    Pass(u8),
    /// The timer fires when it is due.
    Timer(Rarely),
    Connect,
    /// Some of the lines in flight still arrive.
    Disconnect {
        arrive: u8,
        close: Option<Code>,
    },
    Welcome(Welcome),
    /// The usual course: another socket, and a welcome to the same session.
    Reconnect {
        arrive: u8,
        welcome: Welcome,
    },
    /// The server answers everything, and sends some messages of each channel.
    Serve(u8),
    /// The same, so that it is drawn more often.
    ServeToo(u8),
    Subscribed(Target, CursorAt),
    Message(Target, CursorAt, After),
    Presence(Target),
    Position(Target, CursorAt, bool),
    Gap(Target, CursorAt, Reason),
    Unsubscribed(Target, Code),
    /// The answer to an unanswered publish or request, or to any number.
    Answer(Seq, bool),
    Respond(Seq, Part, bool),
    RefuseRequest(Seq, Code),
    Credits(u8),
    Drain(Rarely, u8, u8),
    Error(Code, Rarely, Option<u8>),
    Bye(Rarely),
    UnknownLine,
    Malformed(Rarely),
    Subscribe(StartAt),
    Restart(Target, StartAt),
    Pause(Target),
    Resume(Target),
    Unsubscribe(Target),
    Publish {
        size: u8,
        time_to_live: Option<u8>,
    },
    Request {
        size: u8,
        timeout: Option<u8>,
    },
    Cancel(Seq),
    End(Rarely),
}

impl Step {
    /// A line of the server that is not allowed before `welcome`.
    fn is_line(&self) -> bool {
        matches!(
            self,
            Self::Serve(_)
                | Self::ServeToo(_)
                | Self::Subscribed(..)
                | Self::Message(..)
                | Self::Presence(_)
                | Self::Position(..)
                | Self::Gap(..)
                | Self::Unsubscribed(..)
                | Self::Answer(..)
                | Self::Respond(..)
                | Self::RefuseRequest(..)
                | Self::Credits(_)
        )
    }
}

/// A step that would end most scripts early is only taken now and then.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Rarely(u8);

impl Rarely {
    fn is_taken(self) -> bool {
        self.0.is_multiple_of(8)
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
struct Welcome {
    /// The session was lost.
    is_new: Rarely,
    loses_requests: bool,
    credits: u8,
    max_message: u8,
}

/// One of the subscriptions, or none.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Target(u8);

/// A cursor relative to the position of a subscription.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum CursorAt {
    /// The position itself, or the requested one.
    Position,
    Next,
    After(u8),
    Before(u8),
    Rewritten(u8),
    OtherEpoch(u8),
    Any(u8, u64),
}

impl CursorAt {
    fn of(self, position: Cursor) -> Cursor {
        let at = |offset| Cursor { offset, time: offset, ..position };
        match self {
            Self::Position => position,
            Self::Next => at(position.offset.saturating_add(1)),
            Self::After(more) => at(position.offset.saturating_add(more.into())),
            Self::Before(less) => at(position.offset.saturating_sub(less.into())),
            Self::Rewritten(time) => Cursor { time: time.into(), ..position },
            Self::OtherEpoch(more) => Cursor { epoch: position.epoch ^ 1, ..at(more.into()) },
            Self::Any(epoch, offset) => Cursor { epoch: epoch.into(), ..at(offset) },
        }
    }
}

/// The offset that a message names as the one before it.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum After {
    Position,
    OneLess,
    Any(u8),
}

/// A number: mostly one without an answer.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Seq {
    Unanswered(u8),
    First,
    Any(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Part {
    Expected,
    Repeated,
    Any(u8, Rarely),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum StartAt {
    Live,
    Hold,
    State,
    Last(u8),
    From(u8, u8),
}

impl StartAt {
    fn start(self) -> Start {
        match self {
            Self::Live => Start::Live,
            Self::Hold => Start::Hold,
            Self::State => Start::State,
            Self::Last(count) => Start::Last(count.into()),
            Self::From(epoch, offset) => {
                Start::From(Cursor { epoch: epoch.into(), offset: offset.into(), time: offset.into() })
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Reason {
    Trimmed,
    Rewritten,
    Refused,
}

impl Reason {
    fn reason(self) -> GapReason {
        match self {
            Self::Trimmed => GapReason::Trimmed,
            Self::Rewritten => GapReason::Rewritten,
            Self::Refused => GapReason::Refused,
        }
    }
}

/// A code; most do not end the session.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Code(u8);

impl Code {
    fn code(self) -> ErrorCode {
        let any = ErrorCode::ALL[usize::from(self.0) % ErrorCode::ALL.len()];
        let is_final = matches!(any, ErrorCode::TakenOver | ErrorCode::Gone);
        if is_final && self.0 < 200 { ErrorCode::Unavailable } else { any }
    }
}

fn seconds(seconds: u8) -> Time {
    Time::from_secs(seconds.into())
}

/// Runs the script, and checks the invariants at each step.
pub(crate) fn run(script: &Script) {
    let config = ClientSessionConfig::default()
        .max_pending(1 + usize::from(script.max_pending % 16))
        .max_bytes(256 + usize::from(script.max_bytes));
    let mut runner = Runner {
        session: ClientSession::new(config.clone(), script.seed),
        config,
        invariants: Invariants::default(),
        now: Time::from_secs(1_000),
        has_socket: false,
        steps: 0,
        subscriptions: Vec::new(),
        requests: Vec::new(),
    };
    for step in &script.steps {
        runner.step(step);
        runner.check();
        if runner.invariants.is_over {
            break;
        }
    }
    runner.session.end(ErrorCode::Cancelled);
    runner.check();
    assert!(runner.invariants.is_over);
}

struct Runner {
    session: ClientSession,
    config: ClientSessionConfig,
    invariants: Invariants,
    now: Time,
    has_socket: bool,
    steps: usize,
    subscriptions: Vec<SubscriptionId>,
    requests: Vec<RequestId>,
}

impl Runner {
    fn step(&mut self, step: &Step) {
        self.steps += 1;
        let is_greeting = self.invariants.is_connected && !self.invariants.is_attached;
        let is_out_of_place = match step {
            Step::Welcome(_) | Step::Connect => !is_greeting && self.has_socket,
            step => is_greeting && step.is_line(),
        };
        // Each would be an error of the server, and leave little time for anything else.
        if is_out_of_place && !self.steps.is_multiple_of(16) {
            return;
        }
        match *step {
            Step::Pass(time) => {
                self.now = self.now + seconds(time % 8);
                self.input(ClientInput::Wake);
            }
            Step::Timer(rarely) if rarely.is_taken() => self.timer(),
            Step::Connect => self.connect(),
            Step::Disconnect { arrive, close } => {
                self.disconnect(arrive, close.and_then(|code| code.code().close_code()));
            }
            Step::Welcome(welcome) => self.welcome(welcome),
            Step::Reconnect { arrive, welcome } => {
                self.disconnect(arrive, None);
                self.check();
                self.connect();
                self.check();
                self.welcome(welcome);
            }
            Step::Serve(messages) | Step::ServeToo(messages) => self.serve(messages % 4),
            Step::Subscribed(target, at) => {
                let (subscription, cursor) = self.aim(target, at);
                self.answered(subscription);
                self.input(ClientInput::Subscribed { subscription, cursor });
            }
            Step::Unsubscribed(target, code) => {
                let subscription = self.subscription(target);
                self.answered(subscription);
                self.input(ClientInput::Unsubscribed { subscription, code: code.code() });
            }
            Step::Message(target, at, after) => self.message(target, at, after),
            Step::Presence(target) => {
                let subscription = self.subscription(target);
                if self.session.receive_presence(subscription) == Delivery::Deliver {
                    let is_open = subscription.is_some_and(|id| self.invariants.subscriptions[&id].is_open());
                    assert!(self.invariants.is_attached && is_open);
                }
            }
            Step::Position(target, at, is_live) => {
                let (subscription, cursor) = self.aim(target, at);
                self.input(ClientInput::Position { subscription, cursor, is_live });
            }
            Step::Gap(target, at, reason) => {
                let (subscription, cursor) = self.aim(target, at);
                self.input(ClientInput::Gap { subscription, reason: reason.reason(), cursor, missed: None });
            }
            Step::Answer(seq, is_stored) => self.answer(seq, is_stored),
            Step::Respond(seq, part, more) => self.respond(seq, part, more),
            Step::RefuseRequest(seq, code) => {
                let seq = number(seq, self.invariants.requests.unanswered.keys());
                if self.invariants.is_attached {
                    self.invariants.requests.unanswered.remove(&seq);
                }
                self.input(ClientInput::RequestRefused { seq, code: code.code() });
            }
            Step::Credits(credits) => {
                let credits = u64::from(credits % 9);
                if self.invariants.is_attached {
                    self.invariants.set_credits(credits);
                }
                self.input(ClientInput::Credits(credits));
            }
            Step::Drain(rarely, deadline, spread) if rarely.is_taken() => {
                self.input(ClientInput::Drain { deadline: seconds(deadline), spread: seconds(spread) });
            }
            Step::Error(code, rarely, retry) => {
                let is_fatal = rarely.is_taken() && code.code().is_fatal();
                if is_fatal {
                    (self.invariants.is_connected, self.invariants.is_attached) = (false, false);
                }
                self.input(ClientInput::Error { code: code.code(), is_fatal, retry: retry.map(seconds) });
            }
            Step::Bye(rarely) if rarely.is_taken() => self.input(ClientInput::Bye { code: ErrorCode::Gone }),
            Step::UnknownLine => self.input(ClientInput::UnknownLine),
            Step::Malformed(rarely) if rarely.is_taken() => self.input(ClientInput::Malformed),
            Step::End(rarely) if rarely.is_taken() => self.session.end(ErrorCode::Cancelled),
            Step::Timer(_) | Step::Drain(..) | Step::Bye(_) | Step::Malformed(_) | Step::End(_) => {}
            Step::Subscribe(start_at) if self.subscriptions.len() < MOST_SUBSCRIPTIONS => {
                let id = self.session.subscribe(start_at.start());
                self.subscriptions.push(id);
                self.invariants.subscriptions.entry(id).or_default();
            }
            Step::Subscribe(start_at) => self.restart(Target(0), start_at),
            Step::Restart(target, start_at) => self.restart(target, start_at),
            Step::Pause(target) => {
                if let Some(id) = self.subscription(target) {
                    self.session.pause(id);
                    self.with(id, |subscription| subscription.is_paused |= !subscription.is_unwanted);
                }
            }
            Step::Resume(target) => {
                if let Some(id) = self.subscription(target) {
                    self.session.resume(id);
                    self.with(id, |subscription| subscription.is_paused = false);
                }
            }
            Step::Unsubscribe(target) => {
                if let Some(id) = self.subscription(target) {
                    self.session.unsubscribe(id);
                    self.with(id, |subscription| {
                        (subscription.is_unwanted, subscription.is_paused) = (true, false);
                    });
                }
            }
            Step::Publish { size, time_to_live } => {
                if let Ok(id) = self.session.publish(self.now, size.into(), time_to_live.map(|time| seconds(time % 8)))
                {
                    self.invariants.accepted_publish(id);
                }
            }
            Step::Request { size, timeout } => {
                if let Ok(id) = self.session.request(self.now, size.into(), timeout.map(|time| seconds(time % 8))) {
                    self.invariants.accepted_request(id);
                    self.requests.push(id);
                }
            }
            Step::Cancel(seq) => {
                let (Seq::Unanswered(number) | Seq::Any(number)) = seq else { return };
                if !self.requests.is_empty() {
                    self.session.cancel(self.requests[usize::from(number) % self.requests.len()]);
                }
            }
        }
    }

    fn input(&mut self, input: ClientInput) {
        self.session.handle(self.now, input);
    }

    /// Takes the actions, and checks what must hold between two steps.
    fn check(&mut self) {
        while let Some(action) = self.session.poll_action() {
            self.invariants.check_action(action);
        }
        self.invariants.publishes.answer = None;
        for id in &self.subscriptions {
            self.invariants.moved(*id, self.session.position(*id));
        }
        assert_eq!(self.session.is_attached(), self.invariants.is_attached);
        assert_eq!(self.session.is_over(), self.invariants.is_over);
        assert!(
            self.invariants.pending() <= self.session.pending() && self.session.pending() <= self.config.max_pending
        );
        assert!(self.session.pending_bytes() <= self.config.max_bytes);
        assert!(self.session.pending() > 0 || self.session.pending_bytes() == 0);
    }

    fn timer(&mut self) {
        let Some(deadline) = self.session.poll_deadline() else { return };
        self.now = self.now.max(deadline);
        self.input(ClientInput::Wake);
        assert!(self.session.poll_deadline().is_none_or(|next| next > self.now), "the timer would spin");
    }

    fn connect(&mut self) {
        if !self.has_socket {
            self.has_socket = true;
            self.input(ClientInput::Connected);
        }
    }

    fn disconnect(&mut self, arrive: u8, close_code: Option<u16>) {
        self.invariants.disconnected(arrive.into());
        self.has_socket = false;
        self.input(ClientInput::Disconnected { code: close_code.unwrap_or(1006) });
    }

    fn welcome(&mut self, welcome: Welcome) {
        let is_new = welcome.is_new.is_taken() || !self.invariants.is_resume;
        let keeps_requests = !welcome.loses_requests;
        let credits = u64::from(welcome.credits % 9);
        let is_expected = self.invariants.is_connected && !self.invariants.is_attached;
        if is_expected {
            self.invariants.welcomed(is_new, keeps_requests, credits);
        }
        let max_message = if welcome.max_message.is_multiple_of(4) { welcome.max_message.into() } else { 256 };
        let acked = if is_new { 0 } else { self.invariants.publishes.received };
        self.input(ClientInput::Welcome { is_new, acked, keeps_requests, credits, max_message });
    }

    /// The server answers each `sub`, delivers messages and stores publishes.
    fn serve(&mut self, messages: u8) {
        for target in (0..MOST_SUBSCRIPTIONS as u8).map(Target) {
            let id = self.subscription(target);
            if id.is_some_and(|id| self.invariants.subscriptions[&id].awaits_answer) {
                self.step(&Step::Subscribed(target, CursorAt::Position));
                self.check();
            }
            for _ in 0..messages {
                self.message(target, CursorAt::Next, After::Position);
                self.check();
            }
            self.step(&Step::Position(target, CursorAt::Position, messages > 2));
            self.check();
            if messages > 0 {
                self.answer(Seq::First, true);
                self.check();
            }
        }
    }

    fn message(&mut self, target: Target, at: CursorAt, after: After) {
        let (subscription, cursor) = self.aim(target, at);
        let before = subscription.and_then(|id| self.session.position(id));
        let after = match after {
            After::Position => before.map_or(0, |before| before.offset),
            After::OneLess => cursor.offset.saturating_sub(1),
            After::Any(offset) => offset.into(),
        };
        if self.session.receive(subscription, cursor, after) == Delivery::Deliver {
            let (id, before) = subscription.zip(before).expect("a subscription that has a position");
            assert!(self.invariants.is_attached && self.invariants.subscriptions[&id].is_open());
            assert!(!self.invariants.subscriptions[&id].is_held);
            assert_eq!((cursor.epoch, after), (before.epoch, before.offset), "it continues the position");
            assert!(cursor.offset > before.offset);
            assert_eq!(self.session.position(id), Some(cursor));
        } else {
            // An error of the server may end the subscription.
            let position = subscription.and_then(|id| self.session.position(id));
            assert!(position == before || position.is_none());
        }
    }

    fn answer(&mut self, seq: Seq, is_stored: bool) {
        let seq = number(seq, self.invariants.publishes.unanswered.iter());
        if self.invariants.is_attached && self.invariants.publishes.unanswered.remove(&seq) {
            self.invariants.received(seq);
            self.invariants.publishes.answer = Some(seq);
        }
        let cursor = Cursor { epoch: 1, offset: seq, time: seq };
        self.input(match is_stored {
            true => ClientInput::Acked { seq, cursor },
            false => ClientInput::Refused { seq, code: ErrorCode::Denied },
        });
    }

    fn respond(&mut self, seq: Seq, part: Part, more: bool) {
        let unanswered = &mut self.invariants.requests.unanswered;
        let seq = number(seq, unanswered.keys());
        let expected = unanswered.get(&seq).copied();
        let part = match part {
            Part::Expected => expected.unwrap_or(0),
            Part::Repeated => 0,
            Part::Any(part, rarely) if rarely.is_taken() => part.into(),
            Part::Any(..) => return,
        };
        if self.invariants.is_attached && expected == Some(part) {
            unanswered.insert(seq, part + 1);
            if !more {
                unanswered.remove(&seq);
            }
        }
        self.input(ClientInput::Response { seq, part, more });
    }

    fn restart(&mut self, target: Target, start_at: StartAt) {
        let Some(id) = self.subscription(target) else { return };
        self.session.restart(id, start_at.start());
        self.with(id, |subscription| {
            subscription.is_restarted = true;
            (subscription.is_unwanted, subscription.is_held) = (false, false);
        });
    }

    // The targets of steps.

    fn subscription(&self, target: Target) -> Option<SubscriptionId> {
        self.subscriptions.get(usize::from(target.0) % (MOST_SUBSCRIPTIONS + 1)).copied()
    }

    fn with(&mut self, id: SubscriptionId, change: impl FnOnce(&mut Subscription)) {
        self.invariants.subscriptions.get_mut(&id).map(change);
    }

    /// A subscription, and a cursor near its position.
    fn aim(&self, target: Target, at: CursorAt) -> (Option<SubscriptionId>, Cursor) {
        let subscription = self.subscription(target);
        let requested = subscription.and_then(|id| self.invariants.subscriptions[&id].start);
        let position = match (subscription.and_then(|id| self.session.position(id)), requested) {
            (Some(position), _) | (None, Some(Start::From(position))) => position,
            _ => Cursor { epoch: 1, offset: 10, time: 10 },
        };
        (subscription, at.of(position))
    }

    /// The server answers the `sub` that is outstanding.
    fn answered(&mut self, subscription: Option<SubscriptionId>) {
        if let Some(id) = subscription
            && self.invariants.is_attached
        {
            self.with(id, |subscription| subscription.awaits_answer = false);
        }
    }
}

fn number<'a>(seq: Seq, mut unanswered: impl ExactSizeIterator<Item = &'a u64>) -> u64 {
    let number = match seq {
        Seq::Any(number) => return number.into(),
        Seq::First => unanswered.next(),
        Seq::Unanswered(number) => {
            unanswered.len().checked_sub(1).and_then(|last| unanswered.nth(usize::from(number).min(last)))
        }
    };
    number.copied().unwrap_or(1)
}

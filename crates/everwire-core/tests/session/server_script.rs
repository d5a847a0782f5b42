//! Scripts for the server's side of a session, and the invariants that hold whatever its client, its broker and its handlers do. The
//! property test and the fuzz target run them.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use everwire_core::{
    Time,
    protocol::{Cursor, ErrorCode},
    session::{Answer, Receipt, Request, ServerAction, ServerSession, SessionLimits},
};

const CREDITS: usize = 4;
const ANSWER_BYTES: usize = 600;

#[derive(Debug, Arbitrary)]
enum Step {
    Pass(u8),
    /// The client has the answers to publishes and requests up to numbers that are so far below the greatest.
    Attach(u8, u8),
    Detach(Target),
    /// A number relative to the greatest, and the number before it relative to that.
    Publish(Target, i8, Option<u8>),
    Decide(u8, bool),
    Request(Target, i8, u8, Option<u8>, u8),
    Respond(u8, u16, bool),
    Fail(u8, u16),
    Cancel(Option<Target>, u8),
    SetCredits(u8),
    Drain(u8),
    /// The server starts again with what the broker has stored.
    Restart,
    Bye(Target),
    End,
}

/// The connection of a line: the current one in two of three cases.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Target {
    Current,
    CurrentToo,
    Earlier,
}

/// Runs the steps that these bytes encode, and checks the invariants after each.
pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    let mut runner = Runner::new();
    runner.step(Step::Attach(0, 0));
    while !bytes.is_empty() {
        runner.step(bytes.arbitrary().expect("any bytes make a step"));
    }
}

struct Runner {
    now: Time,
    session: ServerSession,
    /// The connection that the driver believes to be attached, and whether it was welcomed.
    connection: Option<(u64, bool)>,
    credits: usize,
    greatest_publish: u64,
    greatest_request: u64,
    undecided: BTreeSet<u64>,
    /// The decisions, in their order. Refusals do not survive a restart.
    decided: Vec<(u64, Answer)>,
    /// The client has the answers up to this number.
    acked: u64,
    /// Requests that were handed to a handler.
    started: BTreeSet<u64>,
    running: BTreeSet<u64>,
    /// The parts of each answer that the driver keeps.
    parts: BTreeMap<u64, BTreeSet<u64>>,
    /// How many parts each answer has, and whether it is complete.
    answers: BTreeMap<u64, (u64, bool)>,
    /// The part of each request that its client gets next on this connection.
    expected: BTreeMap<u64, u64>,
    offset: u64,
    is_over: bool,
}

fn limits(credits: usize) -> SessionLimits {
    SessionLimits::default().credits(credits).answer_bytes(ANSWER_BYTES).expires_after(Time::from_secs(30))
}

impl Runner {
    fn new() -> Self {
        Self {
            now: Time::from_secs(1_000),
            session: ServerSession::new(limits(CREDITS)),
            connection: None,
            credits: CREDITS,
            greatest_publish: 0,
            greatest_request: 0,
            undecided: BTreeSet::new(),
            decided: Vec::new(),
            acked: 0,
            started: BTreeSet::new(),
            running: BTreeSet::new(),
            parts: BTreeMap::new(),
            answers: BTreeMap::new(),
            expected: BTreeMap::new(),
            offset: 0,
            is_over: false,
        }
    }

    fn generation(&self, target: Target) -> u64 {
        match target {
            Target::Current | Target::CurrentToo => self.session.generation(),
            Target::Earlier => self.session.generation().saturating_sub(1),
        }
    }

    fn is_welcomed(&self, generation: u64) -> bool {
        self.connection == Some((generation, true))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(seconds) => {
                self.now = self.now + Time::from_secs(seconds.into());
            }
            Step::Attach(behind, floor) => self.attach(behind, floor),
            Step::Detach(target) => {
                let generation = self.generation(target);
                self.session.detach(self.now, generation);
                self.connection.take_if(|(current, _)| *current == generation);
            }
            Step::Publish(target, number, after) => self.publish(self.generation(target), number, after),
            Step::Decide(which, is_stored) => self.decide(which, is_stored),
            Step::Request(target, number, part, timeout, floor) => {
                let seq = self.greatest_request.saturating_add_signed((number % 6).into()).max(1);
                let timeout = timeout.map(|seconds| Time::from_secs(seconds.into()));
                let (floor, part) = (seq.saturating_sub((floor % 8).into()), u64::from(part % 8));
                self.request(self.generation(target), Request { seq, timeout, floor, part });
            }
            Step::Respond(which, size, more) => {
                let seq = self.request_number(which);
                let part = self.session.responded(seq, (size % 300).into(), more);
                assert_eq!(part.is_some(), self.running.contains(&seq), "request {seq}");
                if let Some(part) = part {
                    self.parts.entry(seq).or_default().insert(part);
                    self.answers.insert(seq, (part + 1, !more));
                    if !more {
                        self.running.remove(&seq);
                    }
                }
            }
            Step::Fail(which, size) => {
                let seq = self.request_number(which);
                self.session.failed(seq, ErrorCode::Failed, (size % 300).into());
                self.running.remove(&seq);
            }
            Step::Cancel(target, which) => {
                let seq = self.request_number(which);
                self.session.cancel(target.map(|target| self.generation(target)), seq);
            }
            Step::SetCredits(credits) => {
                self.session.set_credits(usize::from(credits % 8));
                self.credits = self.credits.max(usize::from(credits % 8));
            }
            Step::Drain(seconds) => {
                let time = Time::from_secs(seconds.into());
                self.session.drain(time, time);
            }
            Step::Restart => self.restart(),
            Step::Bye(target) => {
                let is_current = self.connection.is_some_and(|(current, _)| current == self.generation(target));
                self.session.bye(self.generation(target));
                assert_eq!(self.session.is_over(), self.is_over || is_current);
            }
            Step::End => self.session.end(),
        }
        self.act();
        self.session.wake(self.now);
        self.act();
        self.at_rest();
    }

    fn request_number(&self, which: u8) -> u64 {
        self.greatest_request.saturating_sub((which % 5).into())
    }

    fn attach(&mut self, behind: u8, below: u8) {
        let acked = self.greatest_publish.saturating_sub((behind % 6).into());
        // A client does not have answers that were never given.
        let acked = self.undecided.first().map_or(acked, |first| acked.min(first - 1)).max(self.acked);
        let floor = self.greatest_request.saturating_sub((below % 5).into());
        let taken_over = self.connection.map(|(generation, _)| generation);
        let attached = self.session.attach(acked, floor);
        assert_eq!(attached.is_err(), self.is_over);
        if let Ok(generation) = attached {
            self.acked = acked;
            self.connection = Some((generation, false));
            self.expected.clear();
            let action = taken_over.map(|generation| ServerAction::TakeOver { generation });
            if action.is_some() {
                assert_eq!(self.session.poll_action(), action);
            }
        }
    }

    fn publish(&mut self, generation: u64, number: i8, after: Option<u8>) {
        let seq = self.greatest_publish.saturating_add_signed((number % 6).into()).max(1);
        let after = after.map_or(seq - 1, |below| seq.saturating_sub(u64::from(below % 4) + 1));
        let is_welcomed = self.is_welcomed(generation);
        let is_new = seq > self.greatest_publish;
        match self.session.publish(generation, seq, after) {
            Receipt::Process => {
                assert!(is_welcomed && is_new && after == self.greatest_publish, "publish {seq}");
                self.greatest_publish = seq;
                self.undecided.insert(seq);
            }
            Receipt::Ignore => assert!(!is_new || self.connection.is_none_or(|(current, _)| current != generation)),
            Receipt::Fatal(ErrorCode::Sequence) => assert!(is_new && after != self.greatest_publish),
            Receipt::Fatal(ErrorCode::Credits) => assert!(is_new),
            Receipt::Fatal(code) => assert_eq!((code, is_welcomed), (ErrorCode::Unexpected, false)),
        }
    }

    fn decide(&mut self, which: u8, is_stored: bool) {
        let Some(seq) = self.undecided.iter().copied().nth(usize::from(which) % self.undecided.len().max(1)) else {
            return self.session.decided(self.greatest_publish, Answer::Refused(ErrorCode::Denied));
        };
        self.offset += 1;
        let cursor = Cursor { epoch: 1, offset: self.offset, time: 0 };
        let answer = if is_stored { Answer::Stored(cursor) } else { Answer::Refused(ErrorCode::Denied) };
        self.undecided.remove(&seq);
        self.decided.push((seq, answer));
        self.session.decided(seq, answer);
        if self.connection.is_some_and(|(_, is_welcomed)| is_welcomed) {
            assert_eq!(
                self.session.poll_action(),
                Some(ServerAction::Answer { seq, answer }),
                "it is answered at once"
            );
        }
    }

    fn request(&mut self, generation: u64, request: Request) {
        let Request { seq, part, floor, .. } = request;
        let is_new = seq > self.greatest_request;
        match self.session.request(self.now, generation, request) {
            Receipt::Process => {
                assert!(is_new && self.is_welcomed(generation));
                assert!(self.started.insert(seq), "request {seq} runs twice");
                self.greatest_request = seq;
                self.running.insert(seq);
                self.expected.insert(seq, 0);
            }
            Receipt::Ignore if self.is_welcomed(generation) => {
                assert!(!is_new && floor <= seq);
                // A client that claims to have more than there is gets what follows, or the last part.
                let (parts, is_complete) = self.answers.get(&seq).copied().unwrap_or_default();
                self.expected.insert(seq, part.min(parts - u64::from(is_complete)));
            }
            Receipt::Ignore => {}
            Receipt::Fatal(ErrorCode::Credits) => assert!(is_new),
            Receipt::Fatal(code) => {
                assert_eq!((code, self.is_welcomed(generation)), (ErrorCode::Unexpected, false));
            }
        }
    }

    fn restart(&mut self) {
        if self.is_over {
            return;
        }
        // Undecided publishes, refusals and requests are lost.
        self.decided.retain(|(_, answer)| matches!(answer, Answer::Stored(_)));
        let stored: Vec<(u64, Cursor)> = self
            .decided
            .iter()
            .filter_map(|(seq, answer)| match answer {
                Answer::Stored(cursor) => Some((*seq, *cursor)),
                Answer::Refused(_) => None,
            })
            .collect();
        let kept = stored.len().saturating_sub(self.credits);
        let generation = self.session.generation();
        self.session = ServerSession::restore(self.now, limits(CREDITS), generation, stored[kept..].iter().copied());
        self.credits = CREDITS;
        self.undecided.clear();
        self.greatest_publish = stored.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
        self.acked = self.acked.min(self.greatest_publish);
        self.greatest_request = 0;
        self.started.clear();
        self.running.clear();
        self.parts.clear();
        self.answers.clear();
        self.connection = None;
    }

    fn act(&mut self) {
        while let Some(action) = self.session.poll_action() {
            assert!(!self.is_over, "{action:?} after the end");
            match action {
                ServerAction::Welcome { generation, acked, .. } => {
                    assert_eq!(self.connection, Some((generation, false)));
                    assert!(self.undecided.is_empty(), "welcomed before all is decided");
                    assert_eq!(acked, self.greatest_publish);
                    self.connection = Some((generation, true));
                }
                ServerAction::Answer { seq, answer } => {
                    self.must_be_welcomed();
                    self.check_answer(seq, answer);
                }
                ServerAction::Respond { seq, part, .. } => {
                    self.must_be_welcomed();
                    assert!(self.parts.get(&seq).is_some_and(|parts| parts.contains(&part)), "{action:?} is not kept");
                    let expected =
                        self.expected.get_mut(&seq).expect("the client has sent the request on this connection");
                    assert_eq!(part, *expected, "the next part");
                    *expected += 1;
                }
                ServerAction::FailRequest { seq, .. } => {
                    self.must_be_welcomed();
                    assert!(seq <= self.greatest_request);
                    self.running.remove(&seq);
                }
                ServerAction::Credits(_) => self.must_be_welcomed(),
                ServerAction::Drain { .. } => assert!(self.connection.is_some(), "sent to no connection"),
                ServerAction::Stop { seq } => {
                    self.running.remove(&seq);
                    assert_eq!(self.session.responded(seq, 1, true), None, "a stopped request is not answered");
                }
                ServerAction::Release { seq, below } => {
                    self.parts.entry(seq).or_default().retain(|part| *part >= below);
                }
                ServerAction::Over => {
                    assert!(self.running.is_empty(), "the handlers were stopped");
                    self.is_over = true;
                    self.connection = None;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn must_be_welcomed(&self) {
        assert!(self.connection.is_some_and(|(_, is_welcomed)| is_welcomed), "sent to a client that was not welcomed");
    }

    /// The answer is that of the broker. It may be forgotten only where the client cannot wait for it.
    fn check_answer(&self, seq: u64, answer: Answer) {
        assert!(!self.undecided.contains(&seq));
        let place = self.decided.iter().rposition(|(decided, _)| *decided == seq);
        let Some(place) = place else {
            return assert_eq!(answer, Answer::Refused(ErrorCode::Unknown), "publish {seq} was never decided");
        };
        let is_missed_by_none = self.decided.len() - place > CREDITS || seq <= self.acked;
        let is_forgotten = answer == Answer::Refused(ErrorCode::Unknown) && is_missed_by_none;
        assert!(answer == self.decided[place].1 || is_forgotten, "publish {seq}: {answer:?}");
    }

    fn at_rest(&self) {
        assert!(self.session.kept_bytes() <= ANSWER_BYTES);
        assert!(self.session.unanswered() <= self.credits, "more unanswered than credits");
        let current = self.connection.map(|(generation, _)| generation);
        assert_eq!(self.session.is_current(self.session.generation()), current.is_some());
        if let Some((_, is_welcomed)) = self.connection {
            assert!(is_welcomed || !self.undecided.is_empty(), "nothing keeps the client from its welcome");
        }
        let is_due = self.session.poll_deadline().is_some_and(|due| due <= self.now);
        assert!(!is_due, "a deadline that has passed has no effect");
    }
}

//! The client: the machine, and what its application knows.

use everwire_core::{
    Delivery, Time,
    protocol::{Cursor, ErrorCode, Start},
    session::{
        ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome, RequestId,
        SubscriptionId,
    },
};

use crate::{
    check::Finding,
    link::{Down, Up},
    scenario::{Defect, Scenario},
    store::{Messages, OTHERS, Payload, Values, identity, key},
};

/// The time at which everything happens,
pub(crate) const NOW: Time = Time::from_secs(1_000);
/// the time at which publishes have lapsed, and requests have timed out,
pub(crate) const LATER: Time = Time::from_secs(1_010);
/// and how long they may take.
const TIME_TO_LIVE: Time = Time::from_secs(5);

/// The size of a line; the limits are far away.
const SIZE: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Publish {
    id: PublishId,
    pub(crate) payload: Payload,
    pub(crate) outcome: Option<PublishOutcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    id: RequestId,
    pub(crate) payload: Payload,
    parts: u64,
    /// `Ok` where it is answered.
    pub(crate) outcome: Option<Result<(), ErrorCode>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) machine: ClientSession,
    time: Time,
    session: Option<u8>,
    pub(crate) link: Option<u8>,
    subscription: Option<SubscriptionId>,
    pub(crate) publishes: Vec<Publish>,
    pub(crate) requests: Vec<Request>,
    wants_state: bool,
    keys: u8,
    /// The latest payload of each key that was delivered since the start; 0 where there is none.
    values: Values,
    /// The position after which the application loads a snapshot.
    pub(crate) held: Option<Cursor>,
    /// What was delivered, lies in a gap, or before the start. `None` before the subscription has a position.
    covered: Option<Messages>,
    /// Why the session is over.
    pub(crate) over: Option<ErrorCode>,
    /// The first position, for [`Defect::CursorNotReplacedWhole`].
    first: Option<Cursor>,
    /// What it sends. Empty between events.
    pub(crate) out: Vec<Up>,
    /// It leaves the connection.
    pub(crate) leaves: bool,
    pub(crate) is_paused: bool,
}

impl Client {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut machine = ClientSession::new(ClientSessionConfig::default(), 1);
        let subscription = scenario.start.map(|start| machine.subscribe(start));
        Self {
            machine,
            time: NOW,
            session: None,
            link: None,
            subscription,
            wants_state: scenario.start == Some(Start::State),
            keys: scenario.keys,
            values: Values::default(),
            held: None,
            publishes: Vec::new(),
            requests: Vec::new(),
            covered: None,
            over: None,
            first: None,
            out: Vec::new(),
            leaves: false,
            is_paused: false,
        }
    }

    // What the application asks for.

    pub(crate) fn publish(&mut self, expires: bool, defect: Option<Defect>) -> Result<(), Finding> {
        let payload = self.publishes.len() as Payload + 1;
        let time_to_live = expires.then_some(TIME_TO_LIVE);
        let id = self.machine.publish(self.time, SIZE, time_to_live).map_err(|_| Finding::Refused)?;
        self.publishes.push(Publish { id, payload, outcome: None });
        self.act(None, defect)
    }

    pub(crate) fn request(&mut self, expires: bool, defect: Option<Defect>) -> Result<(), Finding> {
        let payload = self.requests.len() as Payload + 1;
        let id =
            self.machine.request(self.time, SIZE, expires.then_some(TIME_TO_LIVE)).map_err(|_| Finding::Refused)?;
        self.requests.push(Request { id, payload, parts: 0, outcome: None });
        self.act(None, defect)
    }

    /// Cancels the latest request.
    pub(crate) fn cancel(&mut self, defect: Option<Defect>) -> Result<(), Finding> {
        if let Some(request) = self.requests.last() {
            self.machine.cancel(request.id);
        }
        self.act(None, defect)
    }

    /// Begins or ends a pause.
    pub(crate) fn pause(&mut self, is_paused: bool, defect: Option<Defect>) -> Result<(), Finding> {
        self.is_paused = is_paused;
        if let Some(subscription) = self.subscription {
            if is_paused { self.machine.pause(subscription) } else { self.machine.resume(subscription) }
        }
        self.act(None, defect)
    }

    /// The application has loaded what was published up to a position or later, and goes on from there.
    pub(crate) fn snapshot(&mut self, defect: Option<Defect>) -> Result<(), Finding> {
        if let (Some(subscription), Some(cursor)) = (self.subscription, self.held.take()) {
            let is_wrong = defect == Some(Defect::LiveAfterSnapshot);
            self.machine.restart(subscription, if is_wrong { Start::Live } else { Start::From(cursor) });
        }
        self.act(None, defect)
    }

    // What happens to it.

    pub(crate) fn connected(&mut self, link: u8, defect: Option<Defect>) -> Result<(), Finding> {
        self.link = Some(link);
        self.machine.handle(self.time, ClientInput::Connected);
        self.act(None, defect)
    }

    pub(crate) fn disconnected(&mut self, code: u16, defect: Option<Defect>) -> Result<(), Finding> {
        self.link = None;
        self.leaves = false;
        self.machine.handle(self.time, ClientInput::Disconnected { code });
        self.act(None, defect)
    }

    /// The time of its publishes and requests runs out.
    pub(crate) fn lapse(&mut self, defect: Option<Defect>) -> Result<(), Finding> {
        self.time = LATER;
        self.machine.handle(self.time, ClientInput::Wake);
        self.act(None, defect)
    }

    pub(crate) fn receive(&mut self, line: Down, defect: Option<Defect>) -> Result<(), Finding> {
        let subscription = self.subscription;
        let input = match line {
            Down::Welcome { session, is_new, acked, keeps_requests, credits } => {
                self.session = Some(session);
                let extra = u64::from(defect == Some(Defect::CreditKeptOverResume) && !is_new);
                let acked = if defect == Some(Defect::PublishResentThoughAcked) { 0 } else { acked };
                let credits = credits + extra;
                ClientInput::Welcome { is_new, acked, keeps_requests, credits, max_message: 1_000 }
            }
            Down::Subscribed { cursor, .. } => ClientInput::Subscribed { subscription, cursor },
            Down::Msg { cursor, after, payload } => {
                if self.machine.receive(subscription, cursor, after) == Delivery::Deliver {
                    self.deliver(cursor, payload)?;
                }
                return self.act(None, defect);
            }
            Down::Gap { gap, .. } if defect != Some(Defect::GapSwallowed) => {
                ClientInput::Gap { subscription, reason: gap.reason, cursor: gap.cursor, missed: gap.missed }
            }
            Down::Gap { .. } => return Ok(()),
            Down::Pos { cursor, is_live } => ClientInput::Position { subscription, cursor, is_live },
            Down::Ack { seq, cursor } => ClientInput::Acked { seq, cursor },
            Down::Nack { seq, code } => ClientInput::Refused { seq, code },
            Down::Res { seq, part, more, .. } => ClientInput::Response { seq, part, more },
            Down::NackReq { seq, code } => ClientInput::RequestRefused { seq, code },
            Down::Drain { deadline, spread } => ClientInput::Drain { deadline, spread },
            Down::Fatal(code) => ClientInput::Error { code, is_fatal: true, retry: None },
        };
        self.machine.handle(self.time, input);
        self.act(Some(line), defect)?;
        if let Down::Subscribed { covers, .. } = line
            && self.covered.is_none()
            && self.position().is_some()
        {
            self.covered = Some(covers);
            self.first = self.position().filter(|_| defect == Some(Defect::CursorNotReplacedWhole));
        }
        if let Down::Drain { .. } = line {
            // The random time has passed.
            self.machine.handle(self.time, ClientInput::Wake);
            self.act(None, defect)?;
        }
        if let Down::Fatal(code) = line {
            self.disconnected(code.close_code().unwrap_or(1000), defect)?;
        }
        Ok(())
    }

    fn deliver(&mut self, cursor: Cursor, payload: Payload) -> Result<(), Finding> {
        let own = self.publishes.iter().find(|publish| publish.payload == payload && payload <= OTHERS);
        if own.is_some_and(|own| own.outcome.is_none()) {
            return Err(Finding::CopyBeforeAnswer);
        }
        let covered = self.covered.as_mut().ok_or(Finding::Repeated)?;
        if *covered & identity(cursor) != 0 {
            return Err(Finding::Repeated);
        }
        *covered |= identity(cursor);
        self.values[key(payload, self.keys)] = payload;
        Ok(())
    }

    /// Does what the machine says. `line` is what was handed in.
    fn act(&mut self, line: Option<Down>, defect: Option<Defect>) -> Result<(), Finding> {
        while let Some(action) = self.machine.poll_action() {
            match action {
                ClientAction::Hello { is_resume, acked, floor, .. } => {
                    let session = self.session.filter(|_| is_resume);
                    self.out.push(Up::Hello { session, acked, floor });
                }
                ClientAction::Subscribe { mut start, .. } => {
                    if let (Some(Defect::CursorNotReplacedWhole), Start::From(cursor)) = (defect, &mut start) {
                        cursor.time = self.first.map_or(cursor.time, |first| first.time);
                    }
                    self.out.push(Up::Sub(start));
                }
                ClientAction::Unsubscribe { .. } => self.out.push(Up::Unsub),
                ClientAction::Publish { id, seq, after } => {
                    let publish = self.publishes.iter().find(|publish| publish.id == id).ok_or(Finding::TwoOutcomes)?;
                    let (payload, after) = (publish.payload, after.unwrap_or(seq - 1));
                    self.out.push(Up::Pub { seq, after, payload });
                }
                ClientAction::Request { id, seq, timeout, floor, part } => {
                    let request = self.requests.iter().find(|request| request.id == id).ok_or(Finding::TwoOutcomes)?;
                    let payload = request.payload;
                    self.out.push(Up::Req { seq, timeout, floor, part: part.unwrap_or(0), payload });
                }
                ClientAction::Cancel { seq } => self.out.push(Up::Cancel(seq)),
                ClientAction::Reconnect => self.leaves = true,
                ClientAction::Published { id, outcome } => {
                    let publish = self.publishes.iter_mut().find(|publish| publish.id == id);
                    let publish = publish.ok_or(Finding::TwoOutcomes)?;
                    if publish.outcome.replace(outcome).is_some() {
                        return Err(Finding::TwoOutcomes);
                    }
                }
                ClientAction::Answered { id, part, more } => {
                    let request = self.requests.iter_mut().find(|request| request.id == id);
                    let request = request.ok_or(Finding::TwoOutcomes)?;
                    let payload = if let Some(Down::Res { payload, .. }) = line { Some(payload) } else { None };
                    if request.outcome.is_some() || request.parts != part || payload != Some(request.payload) {
                        return Err(Finding::TwoOutcomes);
                    }
                    request.parts += 1;
                    request.outcome = (!more).then_some(Ok(()));
                }
                ClientAction::RequestFailed { id, code } => {
                    let request = self.requests.iter_mut().find(|request| request.id == id);
                    let request = request.ok_or(Finding::TwoOutcomes)?;
                    if request.outcome.replace(Err(code)).is_some() {
                        return Err(Finding::TwoOutcomes);
                    }
                }
                ClientAction::Gap { .. } => {
                    if let (Some(Down::Gap { covers, .. }), Some(covered)) = (line, &mut self.covered) {
                        *covered |= covers;
                    }
                    if let Some(subscription) = self.subscription.filter(|_| self.wants_state)
                        && defect != Some(Defect::StateNotReadAfterGap)
                    {
                        self.machine.restart(subscription, Start::State);
                        (self.covered, self.values) = (None, Values::default());
                    }
                }
                ClientAction::Held { cursor, .. } => self.held = Some(cursor),
                ClientAction::Over { code } => self.over = Some(code),
                ClientAction::ReportError { .. } | ClientAction::Close { .. } => return Err(Finding::ServerInError),
                _ => {}
            }
        }
        Ok(())
    }

    // What the checks ask.

    fn position(&self) -> Option<Cursor> {
        self.machine.position(self.subscription?)
    }

    /// Whether it has these messages or knows of a gap, and its position is that of the last one. That the history was lost shows by
    /// the next message.
    pub(crate) fn has_all(&self, messages: Messages, values: Values, last: Cursor) -> bool {
        let Some(covered) = self.covered else { return self.subscription.is_none() };
        if self.wants_state {
            return messages == 0 || values == self.values && self.position() == Some(last);
        }
        messages & !covered == 0 && (messages == 0 || self.position() == Some(last))
    }

    /// Whether a gap is reported at this line.
    pub(crate) fn awaits_gap(&self, covers: Messages) -> bool {
        self.covered.is_some_and(|covered| covers & !covered != 0)
    }
}

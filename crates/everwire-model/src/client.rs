//! The client: the state machine, its driver, and what its application has seen.

use everwire_core::{
    Delivery, Time,
    protocol::{Cursor, ErrorCode, Start},
    session::{
        ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome, RequestId,
        SubscriptionId,
    },
};

use crate::{
    link::{FromClient, FromServer},
    scenario::{Defect, Scenario, Violation},
    store::{Messages, OTHERS, Payload, Values, identity, key},
};

/// The time of all events.
pub(crate) const NOW: Time = Time::from_secs(1_000);
/// The time at which publishes have expired and requests have timed out.
pub(crate) const LATER: Time = Time::from_secs(1_010);
/// How long publishes and requests may take.
const TIME_TO_LIVE: Time = Time::from_secs(5);

/// The size of a line, far below the limits.
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
    /// The messages that were delivered, lie in a gap, or precede the start. `None` before the subscription has a position.
    covered: Option<Messages>,
    /// Why the session is over.
    pub(crate) over: Option<ErrorCode>,
    /// The first position, for [`Defect::CursorNotReplacedWhole`].
    first: Option<Cursor>,
    /// Lines to send. Empty between events.
    pub(crate) out: Vec<FromClient>,
    /// It wants to leave the connection.
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

    // Calls of the application.

    pub(crate) fn publish(&mut self, expires: bool, defect: Option<Defect>) -> Result<(), Violation> {
        let payload = self.publishes.len() as Payload + 1;
        let time_to_live = expires.then_some(TIME_TO_LIVE);
        let id = self.machine.publish(self.time, SIZE, time_to_live).map_err(|_| Violation::CallRefused)?;
        self.publishes.push(Publish { id, payload, outcome: None });
        self.act(None, defect)
    }

    pub(crate) fn request(&mut self, expires: bool, defect: Option<Defect>) -> Result<(), Violation> {
        let payload = self.requests.len() as Payload + 1;
        let id = self
            .machine
            .request(self.time, SIZE, expires.then_some(TIME_TO_LIVE))
            .map_err(|_| Violation::CallRefused)?;
        self.requests.push(Request { id, payload, parts: 0, outcome: None });
        self.act(None, defect)
    }

    /// Cancels the latest request.
    pub(crate) fn cancel(&mut self, defect: Option<Defect>) -> Result<(), Violation> {
        if let Some(request) = self.requests.last() {
            self.machine.cancel(request.id);
        }
        self.act(None, defect)
    }

    /// Begins or ends a pause.
    pub(crate) fn pause(&mut self, is_paused: bool, defect: Option<Defect>) -> Result<(), Violation> {
        self.is_paused = is_paused;
        if let Some(subscription) = self.subscription {
            if is_paused { self.machine.pause(subscription) } else { self.machine.resume(subscription) }
        }
        self.act(None, defect)
    }

    /// The application has loaded a snapshot that covers the held position, and continues from there.
    pub(crate) fn snapshot(&mut self, defect: Option<Defect>) -> Result<(), Violation> {
        if let (Some(subscription), Some(cursor)) = (self.subscription, self.held.take()) {
            let is_wrong = defect == Some(Defect::LiveAfterSnapshot);
            self.machine.restart(subscription, if is_wrong { Start::Live } else { Start::From(cursor) });
        }
        self.act(None, defect)
    }

    // Inputs.

    pub(crate) fn connected(&mut self, link: u8, defect: Option<Defect>) -> Result<(), Violation> {
        self.link = Some(link);
        self.machine.handle(self.time, ClientInput::Connected);
        self.act(None, defect)
    }

    pub(crate) fn disconnected(&mut self, code: u16, defect: Option<Defect>) -> Result<(), Violation> {
        self.link = None;
        self.leaves = false;
        self.machine.handle(self.time, ClientInput::Disconnected { code });
        self.act(None, defect)
    }

    /// Lets its publishes and requests expire.
    pub(crate) fn time_out(&mut self, defect: Option<Defect>) -> Result<(), Violation> {
        self.time = LATER;
        self.machine.handle(self.time, ClientInput::Wake);
        self.act(None, defect)
    }

    pub(crate) fn receive(&mut self, line: FromServer, defect: Option<Defect>) -> Result<(), Violation> {
        let subscription = self.subscription;
        let input = match line {
            FromServer::Welcome { session, is_new, acked, keeps_requests, credits } => {
                self.session = Some(session);
                let extra = u64::from(defect == Some(Defect::CreditKeptOverResume) && !is_new);
                let acked = if defect == Some(Defect::PublishResentThoughAcked) { 0 } else { acked };
                let credits = credits + extra;
                ClientInput::Welcome { is_new, acked, keeps_requests, credits, max_message: 1_000 }
            }
            FromServer::Subscribed { cursor, .. } => ClientInput::Subscribed { subscription, cursor },
            FromServer::Msg { cursor, after, payload } => {
                if self.machine.receive(subscription, cursor, after) == Delivery::Deliver {
                    self.deliver(cursor, payload)?;
                }
                return self.act(None, defect);
            }
            FromServer::Gap { gap, .. } if defect != Some(Defect::GapSwallowed) => {
                ClientInput::Gap { subscription, reason: gap.reason, cursor: gap.cursor, missed: gap.missed }
            }
            FromServer::Gap { .. } => return Ok(()),
            FromServer::Pos { cursor, is_live } => ClientInput::Position { subscription, cursor, is_live },
            FromServer::Ack { seq, cursor } => ClientInput::Acked { seq, cursor },
            FromServer::Nack { seq, code } => ClientInput::Refused { seq, code },
            FromServer::Res { seq, part, more, .. } => ClientInput::Response { seq, part, more },
            FromServer::NackReq { seq, code } => ClientInput::RequestRefused { seq, code },
            FromServer::Drain { deadline, spread } => ClientInput::Drain { deadline, spread },
            FromServer::Fatal(code) => ClientInput::Error { code, is_fatal: true, retry: None },
        };
        self.machine.handle(self.time, input);
        self.act(Some(line), defect)?;
        if let FromServer::Subscribed { covers, .. } = line
            && self.covered.is_none()
            && self.position().is_some()
        {
            self.covered = Some(covers);
            self.first = self.position().filter(|_| defect == Some(Defect::CursorNotReplacedWhole));
        }
        if let FromServer::Drain { .. } = line {
            // The random delay of a drain passes at once.
            self.machine.handle(self.time, ClientInput::Wake);
            self.act(None, defect)?;
        }
        if let FromServer::Fatal(code) = line {
            self.disconnected(code.close_code().unwrap_or(1000), defect)?;
        }
        Ok(())
    }

    fn deliver(&mut self, cursor: Cursor, payload: Payload) -> Result<(), Violation> {
        let own = self.publishes.iter().find(|publish| publish.payload == payload && payload <= OTHERS);
        if own.is_some_and(|own| own.outcome.is_none()) {
            return Err(Violation::CopyBeforeAnswer);
        }
        let covered = self.covered.as_mut().ok_or(Violation::Repeated)?;
        if *covered & identity(cursor) != 0 {
            return Err(Violation::Repeated);
        }
        *covered |= identity(cursor);
        self.values[key(payload, self.keys)] = payload;
        Ok(())
    }

    /// Carries out the actions of the machine. `line` is the line that was handed in.
    fn act(&mut self, line: Option<FromServer>, defect: Option<Defect>) -> Result<(), Violation> {
        while let Some(action) = self.machine.poll_action() {
            match action {
                ClientAction::Hello { is_resume, acked, floor, .. } => {
                    let session = self.session.filter(|_| is_resume);
                    self.out.push(FromClient::Hello { session, acked, floor });
                }
                ClientAction::Subscribe { mut start, .. } => {
                    if let (Some(Defect::CursorNotReplacedWhole), Start::From(cursor)) = (defect, &mut start) {
                        cursor.time = self.first.map_or(cursor.time, |first| first.time);
                    }
                    self.out.push(FromClient::Sub(start));
                }
                ClientAction::Unsubscribe { .. } => self.out.push(FromClient::Unsub),
                ClientAction::Publish { id, seq, after } => {
                    let publish =
                        self.publishes.iter().find(|publish| publish.id == id).ok_or(Violation::TwoOutcomes)?;
                    let (payload, after) = (publish.payload, after.unwrap_or(seq - 1));
                    self.out.push(FromClient::Pub { seq, after, payload });
                }
                ClientAction::Request { id, seq, timeout, floor, part } => {
                    let request =
                        self.requests.iter().find(|request| request.id == id).ok_or(Violation::TwoOutcomes)?;
                    let payload = request.payload;
                    self.out.push(FromClient::Req { seq, timeout, floor, part: part.unwrap_or(0), payload });
                }
                ClientAction::Cancel { seq } => self.out.push(FromClient::Cancel(seq)),
                ClientAction::Reconnect => self.leaves = true,
                ClientAction::Published { id, outcome } => {
                    let publish = self.publishes.iter_mut().find(|publish| publish.id == id);
                    let publish = publish.ok_or(Violation::TwoOutcomes)?;
                    if publish.outcome.replace(outcome).is_some() {
                        return Err(Violation::TwoOutcomes);
                    }
                }
                ClientAction::Answered { id, part, more } => {
                    let request = self.requests.iter_mut().find(|request| request.id == id);
                    let request = request.ok_or(Violation::TwoOutcomes)?;
                    let payload = if let Some(FromServer::Res { payload, .. }) = line { Some(payload) } else { None };
                    if request.outcome.is_some() || request.parts != part || payload != Some(request.payload) {
                        return Err(Violation::TwoOutcomes);
                    }
                    request.parts += 1;
                    request.outcome = (!more).then_some(Ok(()));
                }
                ClientAction::RequestFailed { id, code } => {
                    let request = self.requests.iter_mut().find(|request| request.id == id);
                    let request = request.ok_or(Violation::TwoOutcomes)?;
                    if request.outcome.replace(Err(code)).is_some() {
                        return Err(Violation::TwoOutcomes);
                    }
                }
                ClientAction::Gap { .. } => {
                    if let (Some(FromServer::Gap { covers, .. }), Some(covered)) = (line, &mut self.covered) {
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
                ClientAction::ReportError { .. } | ClientAction::Close { .. } => return Err(Violation::ServerError),
                _ => {}
            }
        }
        Ok(())
    }

    // Checks.

    fn position(&self) -> Option<Cursor> {
        self.machine.position(self.subscription?)
    }

    /// Whether the client has these messages or a gap in their place, and its position is that of the last one. An empty history proves
    /// nothing: the client notices only by the next message that the history was lost.
    pub(crate) fn has_all(&self, messages: Messages, values: Values, last: Cursor) -> bool {
        let Some(covered) = self.covered else { return self.subscription.is_none() };
        if self.wants_state {
            return messages == 0 || values == self.values && self.position() == Some(last);
        }
        messages & !covered == 0 && (messages == 0 || self.position() == Some(last))
    }

    /// Whether this line will report a gap to the application.
    pub(crate) fn awaits_gap(&self, covers: Messages) -> bool {
        self.covered.is_some_and(|covered| covers & !covered != 0)
    }
}

//! A client of `everwire.v1` in numbers: a connection, and the session above it.

use everwire_core::{
    Action, CloseOutcome, Delivery, DropCause, HeartbeatMode, Input, OutboxLimits, PingSchedule, Time,
    protocol::{ErrorCode, GapReason, Start},
    session::{
        Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, Negotiated, Negotiation,
        PublishOutcome, QueueError, RequestId, SubscriptionId,
    },
};

use crate::{
    Core, Operands,
    codes::{action, attachment, input, over, refusal, start, status},
    options,
};

/// The code that a platform reports where there was no close frame.
const NO_CLOSE_FRAME: u16 = 1006;

/// The shortest heartbeat that a server may ask for.
const MIN_HEARTBEAT: Time = Time::from_secs(1);

/// The connection and the session of one client. Times are in milliseconds since any fixed start.
///
/// What the one decides, the other is handed here: JavaScript sees one core, with one loop of actions and one timer.
#[derive(Debug)]
pub struct Client {
    core: Core,
    session: ClientSession,
    negotiation: Negotiation,
    /// Of a publish that does not say another one.
    time_to_live: Option<Time>,
    /// When to ping, which counts once the session is attached.
    heartbeat: Time,
    /// Why the client is over, where it is not the server that says so.
    over: u32,
    /// The end of the connection, which is reported after that of the session.
    ended: Option<Action>,
}

impl Client {
    /// A client that waits to be opened, with the options that the operands say. All its random numbers follow from the bits of `seed`.
    /// What the outbox of a connection may hold is here what may wait for the server's answers.
    pub fn new(operands: &Operands, seed: f64) -> Self {
        let config = options::config(operands);
        let OutboxLimits { max_messages, max_bytes, time_to_live, .. } = config.outbox;
        let limits = ClientSessionConfig::default().max_pending(max_messages).max_bytes(max_bytes);
        Self {
            core: Core::with(config, seed),
            session: ClientSession::new(limits, !seed.to_bits()),
            negotiation: Negotiation::default(),
            time_to_live,
            heartbeat: MIN_HEARTBEAT,
            over: over::REFUSED,
            ended: None,
        }
    }

    /// Takes in what happened: one of [`codes::input`](crate::codes::input). Returns [`codes::status`](crate::codes::status).
    pub fn handle(&mut self, now: f64, input: u32, operands: &Operands) -> u32 {
        let time = Time::from_millis_f64(now);
        let id = operands.get(0) as u64;
        let subscription = SubscriptionId(id);
        match input {
            input::MESSAGE => {
                let after = operands.bits(Operands::CURSOR + 3);
                return self.delivered(|session| session.receive(known(id), operands.cursor(), after));
            }
            input::PRESENCE => return self.delivered(|session| session.receive_presence(known(id))),
            input::NEGOTIATED => match self.negotiation.opened(id > 0) {
                Negotiated::Accepted => self.session.handle(time, ClientInput::Connected),
                Negotiated::TryAgain => self.core.connection.handle(time, Input::Reconnect),
                Negotiated::Refused => self.end(over::NOT_EVERWIRE),
            },
            input::LOCATE => {
                let Some(cursor) = self.session.position(subscription) else { return status::NOTHING };
                operands.set_cursor(cursor);
                return status::ACCEPTED;
            }
            input::SUBSCRIBE => {
                let start = read_start(operands.get(1) as u32, operands.get(2), operands);
                operands.set(0, self.session.subscribe(start).0 as f64);
            }
            input::RESTART => {
                let start = read_start(operands.get(1) as u32, operands.get(2), operands);
                self.session.restart(subscription, start);
            }
            input::PAUSE => self.session.pause(subscription),
            input::UNPAUSE => self.session.resume(subscription),
            input::UNSUBSCRIBE => self.session.unsubscribe(subscription),
            input::CANCEL => self.session.cancel(RequestId(id)),
            input::END => self.end(id as u32),
            _ => match self.read(input, operands) {
                Some(line) => self.session.handle(time, line),
                None => {
                    if input == input::WAKE {
                        self.session.handle(time, ClientInput::Wake);
                    }
                    return self.core.handle(now, input, operands) | self.status();
                }
            },
        }
        self.status()
    }

    /// A WebSocket message arrived. Returns [`codes::status`](crate::codes::status).
    pub fn receive(&mut self, at: f64, socket: u32, size: u32) -> u32 {
        self.core.receive(at, socket, size)
    }

    /// Accepts a WebSocket message of lines, which JavaScript hands to the socket before it does anything else. The credits are what bounds
    /// lines, so that none waits. Returns [`codes::status`](crate::codes::status).
    pub fn send_now(&mut self, size: u32, _priority: bool) -> u32 {
        self.core.send_now(size, true)
    }

    /// Accepts a publish whose line has `size` bytes, or a request. Returns its number, or the negative of [`refusal`]. `time` is its time to
    /// live or its timeout, and not a number for the default.
    pub fn enqueue(&mut self, now: f64, size: u32, time: f64, is_request: f64) -> f64 {
        let (now, size, time) = (Time::from_millis_f64(now), size as usize, read_time(time));
        let accepted = if is_request > 0.0 {
            self.session.request(now, size, time).map(|id| id.0)
        } else {
            self.session.publish(now, size, time.or(self.time_to_live)).map(|id| id.0)
        };
        match accepted {
            Ok(id) => id as f64,
            Err(QueueError::TooLarge { .. }) => -f64::from(refusal::TOO_LARGE),
            Err(QueueError::Full) => -f64::from(refusal::FULL),
            Err(_) => -f64::from(refusal::CLOSED),
        }
    }

    /// The next thing to do: one of [`codes::action`](crate::codes::action).
    pub fn poll(&mut self, operands: &Operands) -> u32 {
        loop {
            if let Some(action) = self.session.poll_action() {
                if let Some(number) = self.carry_out(action, operands) {
                    return number;
                }
            } else if let Some(ended) = self.ended.take() {
                return self.core.write(ended, operands);
            } else {
                let Some(action) = self.core.connection.poll_action() else { break };
                if let Some(number) = self.pass_on(action, operands) {
                    return number;
                }
            }
        }
        self.core.poll_timer(self.deadline(), operands)
    }

    /// Writes the statistics of the connection, in the order of [`codes::stat`](crate::codes::stat), and after them how many publishes and
    /// requests have no outcome yet, and their bytes.
    pub fn stats(&self, operands: &Operands) {
        self.core.stats(operands);
        operands.set(crate::codes::stat::COUNT, self.session.pending() as f64);
        operands.set(crate::codes::stat::COUNT + 1, self.session.pending_bytes() as f64);
    }

    // Between the two machines.

    /// What the connection does. `None` where that is not for JavaScript.
    fn pass_on(&mut self, action: Action, operands: &Operands) -> Option<u32> {
        let cause = match &action {
            Action::Dial { .. } => {
                operands.set(2, self.negotiation.offers_subprotocol().into());
                None
            }
            Action::Dropped { cause, .. } => Some(*cause),
            Action::Closed { outcome, .. } => match outcome {
                CloseOutcome::ByApplication(_) => Some(DropCause::Requested),
                CloseOutcome::Final(cause) | CloseOutcome::Exhausted(cause) => Some(*cause),
            },
            _ => None,
        };
        let Some(cause) = cause else { return Some(self.core.write(action, operands)) };
        let code = if let DropCause::Closed { code, .. } = cause { code } else { NO_CLOSE_FRAME };
        self.session.handle(self.core.connection.now(), ClientInput::Disconnected { code });
        let has_failed = matches!(cause, DropCause::Closed { code: NO_CLOSE_FRAME, .. });
        if has_failed && self.negotiation.failed(false) {
            self.end(over::NOT_EVERWIRE);
        }
        if let Action::Closed { .. } = action {
            self.end(over::CONNECTION);
            self.ended = Some(action);
            return None;
        }
        (!self.session.is_over()).then(|| self.core.write(action, operands))
    }

    /// What the session does. `None` where that is not for JavaScript.
    fn carry_out(&mut self, action: ClientAction, operands: &Operands) -> Option<u32> {
        let now = self.core.connection.now();
        let is_over = self.session.is_over().into();
        Some(match action {
            ClientAction::Hello { attempt, is_resume, acked, floor, closed } => {
                let closed = closed.unwrap_or_default().into();
                {
                    operands.write(&[attempt as f64, is_resume.into(), acked as f64, floor as f64, closed]);
                    action::HELLO
                }
            }
            ClientAction::Subscribe { subscription, start } => {
                let (number, count) = match start {
                    Start::Hold => (start::HOLD, 0),
                    Start::State => (start::STATE, 0),
                    Start::Last(count) => (start::LAST, count),
                    Start::From(cursor) => {
                        operands.set_cursor(cursor);
                        (start::FROM, 0)
                    }
                    _ => (start::LIVE, 0),
                };
                {
                    operands.write(&[subscription.0 as f64, number.into(), count as f64]);
                    action::SUB
                }
            }
            ClientAction::Unsubscribe { subscription } => {
                operands.write(&[subscription.map_or(0, |id| id.0) as f64]);
                action::UNSUB
            }
            ClientAction::Publish { id, seq, after } => {
                operands.write(&[id.0 as f64, seq as f64, after.map_or(-1.0, |after| after as f64)]);
                action::PUB
            }
            ClientAction::Request { id, seq, timeout, floor, part } => {
                let timeout = timeout.map_or(-1.0, Time::as_millis_f64);
                let part = part.map_or(-1.0, |part| part as f64);
                {
                    operands.write(&[id.0 as f64, seq as f64, timeout, floor as f64, part]);
                    action::REQ
                }
            }
            ClientAction::Cancel { seq } => {
                operands.write(&[seq as f64]);
                action::CANCEL
            }
            ClientAction::ReportError { code } => {
                operands.write(&[number(code)]);
                action::REPORT
            }
            ClientAction::Bye => {
                operands.write(&[]);
                action::BYE
            }
            ClientAction::Close { code } => {
                operands.write(&[code.close_code().unwrap_or(NO_CLOSE_FRAME).into()]);
                action::FAULT
            }
            ClientAction::Reconnect => {
                self.core.connection.handle(now, Input::Reconnect);
                return None;
            }
            ClientAction::RetryAfter { delay } => {
                self.core.connection.delay_attempts(now, delay);
                return None;
            }
            ClientAction::Attached { session } => {
                let schedule = PingSchedule::default().after_silence(self.heartbeat).sample_every(self.heartbeat);
                self.core.connection.set_heartbeat(HeartbeatMode::Ping(schedule));
                let session = match session {
                    Attachment::New => attachment::NEW,
                    Attachment::Resumed => attachment::RESUMED,
                    Attachment::Replaced => attachment::REPLACED,
                };
                {
                    operands.write(&[session.into()]);
                    action::ATTACHED
                }
            }
            ClientAction::Published { id, outcome } => {
                let code = match outcome {
                    PublishOutcome::Stored(cursor) => {
                        operands.set_cursor(cursor);
                        -1.0
                    }
                    PublishOutcome::Failed(code) => number(code),
                };
                {
                    operands.write(&[id.0 as f64, code, is_over]);
                    action::PUBLISHED
                }
            }
            ClientAction::Answered { id, part, more } => {
                operands.write(&[id.0 as f64, part as f64, more.into()]);
                action::ANSWERED
            }
            ClientAction::RequestFailed { id, code } => {
                operands.write(&[id.0 as f64, number(code), is_over]);
                action::FAILED
            }
            ClientAction::Gap { subscription, reason, cursor, missed } => {
                let reason = f64::from(reason as u8);
                let missed = missed.map_or(-1.0, |missed| missed as f64);
                operands.set_cursor(cursor);
                {
                    operands.write(&[subscription.0 as f64, reason, missed]);
                    action::MISSED
                }
            }
            ClientAction::Resumed { subscription } => {
                operands.write(&[subscription.0 as f64]);
                action::RESUMED
            }
            ClientAction::CaughtUp { subscription } => {
                operands.write(&[subscription.0 as f64]);
                action::CAUGHT_UP
            }
            ClientAction::Ended { subscription, code } => {
                operands.write(&[subscription.0 as f64, code.map_or(-1.0, number), is_over]);
                action::UNSUBSCRIBED
            }
            ClientAction::Over { code } => {
                operands.write(&[self.over.into(), number(code)]);
                action::OVER
            }
            // What is on hold has no reader, and another version of the machine may report more.
            _ => return None,
        })
    }

    /// Ends the session for a reason of its own: one of [`over`].
    fn end(&mut self, why: u32) {
        if !self.session.is_over() {
            self.over = why;
            self.session.end(match why {
                over::CLOSED => ErrorCode::Cancelled,
                over::CREDENTIALS_TOO_LARGE => ErrorCode::TooLarge,
                _ => ErrorCode::Unavailable,
            });
        }
    }

    fn delivered(&mut self, receive: impl FnOnce(&mut ClientSession) -> Delivery) -> u32 {
        match receive(&mut self.session) {
            // A delivery leads to nothing else.
            Delivery::Deliver => status::ACCEPTED,
            Delivery::Ignore => self.status(),
        }
    }

    fn deadline(&self) -> Option<Time> {
        let (connection, session) = (self.core.connection.poll_deadline(), self.session.poll_deadline());
        connection.into_iter().chain(session).min()
    }

    fn status(&self) -> u32 {
        if self.session.has_actions() || self.ended.is_some() {
            status::ACTIONS
        } else {
            self.core.status(self.deadline())
        }
    }

    /// A line of the server.
    fn read(&mut self, input: u32, operands: &Operands) -> Option<ClientInput> {
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| operands.get(place));
        let (seq, subscription, cursor) = (a as u64, known(a as u64), operands.cursor());
        Some(match input {
            input::WELCOME => {
                self.heartbeat = Time::from_millis_f64(f).max(MIN_HEARTBEAT);
                ClientInput::Welcome {
                    is_new: a > 0.0,
                    acked: b as u64,
                    keeps_requests: c > 0.0,
                    credits: d as u64,
                    max_message: e as usize,
                }
            }
            input::SUBSCRIBED => ClientInput::Subscribed { subscription, cursor },
            input::POSITION => ClientInput::Position { subscription, cursor, is_live: b > 0.0 },
            input::GAP => {
                let reason = GapReason::ALL.get(b as usize).copied().unwrap_or(GapReason::Rewritten);
                ClientInput::Gap { subscription, reason, cursor, missed: (c >= 0.0).then_some(c as u64) }
            }
            input::UNSUBSCRIBED => ClientInput::Unsubscribed { subscription, code: code(b) },
            input::ACKED => ClientInput::Acked { seq, cursor },
            input::REFUSED => ClientInput::Refused { seq, code: code(b) },
            input::RESPONSE => ClientInput::Response { seq, part: b as u64, more: c > 0.0 },
            input::REQUEST_REFUSED => ClientInput::RequestRefused { seq, code: code(b) },
            input::CREDITS => ClientInput::Credits(seq),
            input::DRAIN => ClientInput::Drain { deadline: Time::from_millis_f64(a), spread: Time::from_millis_f64(b) },
            input::ERROR => ClientInput::Error { code: code(a), is_fatal: b > 0.0, retry: read_time(c) },
            input::BYE => ClientInput::Bye { code: code(a) },
            input::UNKNOWN_LINE => ClientInput::UnknownLine,
            input::MALFORMED => ClientInput::Malformed,
            _ => return None,
        })
    }
}

fn known(subscription: u64) -> Option<SubscriptionId> {
    (subscription > 0).then_some(SubscriptionId(subscription))
}

fn read_start(number: u32, count: f64, operands: &Operands) -> Start {
    match number {
        start::HOLD => Start::Hold,
        start::STATE => Start::State,
        start::LAST => Start::Last(count as u64),
        start::FROM => Start::From(operands.cursor()),
        _ => Start::Live,
    }
}

/// `None` for a number that is negative, infinite or none.
fn read_time(millis: f64) -> Option<Time> {
    (millis >= 0.0 && millis.is_finite()).then(|| Time::from_millis_f64(millis))
}

fn code(number: f64) -> ErrorCode {
    ErrorCode::ALL.get(number as usize).copied().unwrap_or(ErrorCode::Failed)
}

fn number(code: ErrorCode) -> f64 {
    f64::from(code as u8)
}

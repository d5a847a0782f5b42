//! A client of `everwire.v1` in numbers: a connection, and the session above it.

use everwire_core::{
    Action, CloseOutcome, Delivery, DropCause, HeartbeatMode, Input, OutboxLimits, PingSchedule, Time,
    protocol::{Cursor, ErrorCode, GapReason, Start},
    session::{
        Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, Negotiated, Negotiation, PublishId,
        PublishOutcome, QueueError, RequestId, SubscriptionId,
    },
};

use crate::{
    Arguments, Core, Operands,
    codes::{action, attachment, input, over, refusal, start, status},
    core::millis,
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
        let mut config = options::config(operands);
        // Until the server says how often it wants pings.
        config.heartbeat = HeartbeatMode::default();
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
    pub fn handle(&mut self, now: f64, input: u32, arguments: Arguments, operands: &Operands) -> u32 {
        let [a, b, c, d, ..] = arguments;
        let time = Time::from_millis_f64(now);
        let id = a as u64;
        let subscription = SubscriptionId(id);
        match input {
            input::MESSAGE => {
                let [.., e, f] = arguments;
                let epoch = (b as u64) << 32 | c as u64;
                let cursor = Cursor { epoch, offset: d as u64, time: e as u64 };
                return self.delivered(|session| session.receive(known(id), cursor, f as u64));
            }
            input::LINE_MSG => {
                let after = operands.bits(Operands::CURSOR + 3);
                return self.delivered(|session| session.receive(known(id), operands.cursor(), after));
            }
            input::LINE_PRESENCE..=input::LINE_LEAVE => {
                return self.delivered(|session| session.receive_presence(known(id)));
            }
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
                let start = read_start(b as u32, operands);
                operands.set(0, self.session.subscribe(start).0 as f64);
            }
            input::RESTART => {
                let start = read_start(b as u32, operands);
                self.session.restart(subscription, start);
            }
            input::PAUSE => self.session.pause(subscription),
            input::UNPAUSE => self.session.resume(subscription),
            input::UNSUBSCRIBE => self.session.unsubscribe(subscription),
            input::CANCEL => self.session.cancel(RequestId(id)),
            input::END => self.end(id as u32),
            input::LINE_PONG => {
                if let Some(socket) = self.core.connection.phase().socket() {
                    self.core.connection.handle(time, Input::Pong { socket, ping: Some(id), server_time: Some(b) });
                }
            }
            input::LINE_WELCOME..=input::LINE_MALFORMED => {
                let line = self.read(input, arguments, operands);
                self.session.handle(time, line);
            }
            _ => {
                if input == input::WAKE {
                    self.session.handle(time, ClientInput::Wake);
                }
                return self.core.handle(now, input, arguments, operands) | self.status();
            }
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
                operands.write(&[attempt as f64, is_resume.into(), acked as f64, floor as f64, closed]);
                action::HELLO
            }
            ClientAction::Subscribe { subscription, start } => {
                let number = match start {
                    Start::Hold => start::HOLD,
                    Start::From(cursor) => {
                        operands.set_cursor(cursor);
                        start::FROM
                    }
                    _ => start::OTHER,
                };
                operands.write(&[subscription.0 as f64, number.into()]);
                action::SUB
            }
            ClientAction::Unsubscribe { subscription } => {
                operands.write(&[subscription.map_or(0, |id| id.0) as f64]);
                action::UNSUB
            }
            ClientAction::Publish { id, seq, after } => {
                operands.write(&[id.0 as f64, seq as f64, after.map_or(f64::NAN, |after| after as f64)]);
                action::PUB
            }
            ClientAction::Request { id, seq, timeout, floor, part } => {
                let timeout = timeout.map_or(f64::NAN, Time::as_millis_f64);
                let part = part.map_or(f64::NAN, |part| part as f64);
                operands.write(&[id.0 as f64, seq as f64, timeout, floor as f64, part]);
                action::REQ
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
                operands.write(&[session.into()]);
                action::ATTACHED
            }
            ClientAction::Published { id, outcome: PublishOutcome::Stored(cursor) } => {
                operands.set_cursor(cursor);
                operands.write(&[id.0 as f64]);
                action::PUBLISHED
            }
            ClientAction::Answered { id, more, .. } => {
                operands.write(&[id.0 as f64, more.into()]);
                action::ANSWERED
            }
            ClientAction::Published { id: PublishId(id), outcome: PublishOutcome::Failed(code) }
            | ClientAction::RequestFailed { id: RequestId(id), code } => {
                operands.write(&[id as f64, number(code), is_over]);
                action::FAILED
            }
            ClientAction::Gap { subscription, reason, cursor, missed } => {
                let reason = f64::from(reason as u8);
                let missed = missed.map_or(-1.0, |missed| missed as f64);
                operands.set_cursor(cursor);
                operands.write(&[subscription.0 as f64, reason, missed]);
                action::MISSED
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

    fn deadline(&self) -> f64 {
        let (connection, session) =
            (millis(self.core.connection.poll_deadline()), millis(self.session.poll_deadline()));
        connection.min(session)
    }

    fn status(&self) -> u32 {
        if self.session.has_actions() || self.ended.is_some() {
            status::ACTIONS
        } else {
            self.core.status(self.deadline())
        }
    }

    /// A line of the server.
    #[inline(never)]
    fn read(&mut self, input: u32, [a, b, c, d, e, f]: Arguments, operands: &Operands) -> ClientInput {
        let (seq, subscription, cursor) = (a as u64, known(a as u64), operands.cursor());
        match input {
            input::LINE_WELCOME => {
                self.heartbeat = Time::from_millis_f64(f).max(MIN_HEARTBEAT);
                ClientInput::Welcome {
                    is_new: a > 0.0,
                    acked: b as u64,
                    keeps_requests: c > 0.0,
                    credits: d as u64,
                    max_message: e as usize,
                }
            }
            input::LINE_SUBSCRIBED => ClientInput::Subscribed { subscription, cursor },
            input::LINE_GAP => {
                let reason = GapReason::ALL.get(b as usize).copied().unwrap_or(GapReason::Rewritten);
                ClientInput::Gap { subscription, reason, cursor, missed: (d >= 0.0).then_some(d as u64) }
            }
            input::LINE_POS => ClientInput::Position { subscription, cursor, is_live: c > 0.0 },
            input::LINE_UNSUB => ClientInput::Unsubscribed { subscription, code: code(b) },
            input::LINE_ACK => ClientInput::Acked { seq, cursor },
            input::LINE_NACK if c > 0.0 => ClientInput::RequestRefused { seq, code: code(b) },
            input::LINE_NACK => ClientInput::Refused { seq, code: code(b) },
            input::LINE_RES => ClientInput::Response { seq, part: b as u64, more: c > 0.0 },
            input::LINE_CREDITS => ClientInput::Credits(seq),
            input::LINE_DRAIN => {
                ClientInput::Drain { deadline: Time::from_millis_f64(a), spread: Time::from_millis_f64(b) }
            }
            input::LINE_ERROR => ClientInput::Error { code: code(a), is_fatal: b > 0.0, retry: read_time(d) },
            input::LINE_BYE => ClientInput::Bye { code: code(a) },
            input::LINE_UNKNOWN => ClientInput::UnknownLine,
            _ => ClientInput::Malformed,
        }
    }
}

fn known(subscription: u64) -> Option<SubscriptionId> {
    (subscription > 0).then_some(SubscriptionId(subscription))
}

fn read_start(number: u32, operands: &Operands) -> Start {
    match number {
        start::HOLD => Start::Hold,
        start::FROM => Start::From(operands.cursor()),
        // Which one it is matters to JavaScript alone, which writes it.
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

//! The client's side of a session.
//!
//! - `io`: what goes into the machine and what comes out of it, and its options
//! - `outbound`: publishes and requests until they are answered
//! - `subscriptions`: subscriptions and their positions

mod io;
mod outbound;
mod subscriptions;

pub use io::{
    Attachment, ClientAction, ClientInput, ClientSessionConfig, PublishId, PublishOutcome, QueueError, RequestId,
    SubscriptionId,
};

use outbound::{OutOfSequence, Outbound, WelcomeFields};
use subscriptions::{RepairFailed, Subscriptions};

use crate::{
    connection::{Delivery, NO_CLOSE_FRAME},
    protocol::{Cursor, ErrorCode, Start},
    queue::ActionQueue,
    time::{Random, Time},
};

/// How many connections in a row may end by a protocol error or refused credentials before the session ends.
const MAX_FAULTS: u8 = 3;

/// A connection that was attached for this long ends the row: the server works, and the next fault is a new one.
const FAULT_WINDOW: Time = Time::from_secs(60);

/// The client's side of a session: it resumes after a lost connection, repeats what the server does not have, and keeps the position of
/// each subscription.
///
/// # The contract
/// 1. The driver reports an open socket, its end, and each line that it receives, with the time, to [`handle`](Self::handle); the
///    lines of channels that are delivered to [`receive`](Self::receive) and [`receive_presence`](Self::receive_presence). A `pong` is
///    not reported. Lines of a socket that was replaced are not reported either:
///    [`Connection::receive`](crate::Connection::receive) says so.
/// 2. The application's calls are [`subscribe`](Self::subscribe), [`publish`](Self::publish), [`request`](Self::request) and those that
///    change them. Names, payloads, credentials, the session's id and its secret stay with the driver, which keeps a payload until the
///    action that says that it is not needed any more.
/// 3. After each of these, and before the next line is reported, the driver takes [`poll_action`](Self::poll_action) until it returns
///    `None`, and does what it says, in order. Lines that are ready together travel in one message, within the server's limit:
///    64 KiB until `welcome`.
/// 4. Then it sets its timer to [`poll_deadline`](Self::poll_deadline), and hands in [`ClientInput::Wake`] when the timer fires.
///
/// When a connection is lost, the driver reports [`ClientInput::Disconnected`] before it decides whether to connect again, which it does
/// unless [`is_over`](Self::is_over). If it stops for a reason of its own, it calls [`end`](Self::end).
///
/// # What it guarantees
/// - Each publish has exactly one outcome, each request one last answer or failure, unless the session never ends and the server never
///   answers.
/// - A publish is sent again only if the server does not have it. Where that cannot be known, the outcome is
///   [`ErrorCode::Unknown`].
/// - Numbers ascend by one, except where `after` says otherwise; never more publishes and requests are unanswered than the server allows.
/// - The messages that are delivered of a subscription continue each other, or a gap is reported between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSession {
    config: ClientSessionConfig,
    phase: Phase,
    /// The latest time that was handed in.
    now: Time,
    random: Random,
    resumption: Resumption,
    /// Attempts that have ended since the latest `welcome`.
    attempt: u64,
    /// The close code of the previous connection.
    closed: Option<u16>,
    /// Connections in a row that ended by a protocol error or refused credentials.
    faults: u8,
    outbound: Outbound,
    subscriptions: Subscriptions,
    /// When to leave a server that drains; [`Time::NEVER`] if it does not.
    leave_at: Time,
    actions: ActionQueue<ClientAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// There is no open socket.
    Detached,
    /// `hello` is sent, and `welcome` not received.
    Greeting { give_up_at: Time },
    /// `welcome` is received.
    Attached { since: Time },
    /// The socket is about to close. Lines that still arrive are ignored.
    Closing { give_up_at: Time },
    /// The session is over.
    Over { code: ErrorCode },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Resumption {
    /// There has been none yet.
    None,
    /// The next `hello` names it.
    Resumable,
    /// Its numbers contradict each other. The next `hello` does not name it.
    Unusable,
}

impl ClientSession {
    /// Creates a session that waits for its first connection. Its random numbers follow from `seed`; give each client a different one, or
    /// all clients of a server that drains connect again at the same time.
    pub fn new(config: ClientSessionConfig, seed: u64) -> Self {
        Self {
            config,
            phase: Phase::Detached,
            now: Time::ZERO,
            random: Random::new(seed),
            resumption: Resumption::None,
            attempt: 0,
            closed: None,
            faults: 0,
            outbound: Outbound::default(),
            subscriptions: Subscriptions::default(),
            leave_at: Time::NEVER,
            actions: ActionQueue::new(),
        }
    }

    /// Processes an input. A time before that of an earlier input counts as the earlier input's.
    pub fn handle(&mut self, now: Time, input: ClientInput) {
        self.advance(now);
        match input {
            ClientInput::Connected => self.connected(),
            ClientInput::Disconnected { code } => self.disconnected(code),
            ClientInput::Error { code, is_fatal, retry } => self.error(code, is_fatal, retry),
            ClientInput::Wake => self.wake(),
            line => match self.phase {
                Phase::Greeting { .. } => self.handle_before_welcome(line),
                Phase::Attached { .. } => self.handle_line(line),
                Phase::Detached | Phase::Closing { .. } | Phase::Over { .. } => {}
            },
        }
    }

    /// Reports a `msg`, and returns whether to deliver its payload. `after` is the offset of the message before it.
    pub fn receive(&mut self, subscription: Option<SubscriptionId>, cursor: Cursor, after: u64) -> Delivery {
        if !self.admits_channel_line() {
            return Delivery::Ignore;
        }
        let Some(id) = subscription else { return Delivery::Ignore };
        match self.subscriptions.receive(id, cursor, after, &mut self.actions) {
            Ok(delivery) => delivery,
            Err(RepairFailed) => {
                self.fault(ErrorCode::Sequence);
                Delivery::Ignore
            }
        }
    }

    /// Reports a `presence`, `join` or `leave`, and returns whether to deliver it. After each `presence`, the members are those whose `join`
    /// follows, whatever they were before.
    pub fn receive_presence(&mut self, subscription: Option<SubscriptionId>) -> Delivery {
        let is_wanted = self.admits_channel_line() && subscription.is_some_and(|id| self.subscriptions.accepts(id));
        if is_wanted { Delivery::Deliver } else { Delivery::Ignore }
    }

    /// Returns what to do next.
    pub fn poll_action(&mut self) -> Option<ClientAction> {
        self.actions.pop()
    }

    /// Whether [`poll_action`](Self::poll_action) would return an action.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// When to hand in [`ClientInput::Wake`]; `None` if nothing is due.
    pub fn poll_deadline(&self) -> Option<Time> {
        let of_phase = match self.phase {
            Phase::Greeting { give_up_at } | Phase::Closing { give_up_at } => give_up_at,
            Phase::Detached | Phase::Attached { .. } => Time::NEVER,
            Phase::Over { .. } => return None,
        };
        of_phase.min(self.leave_at).min(self.outbound.next_expiry()).planned()
    }

    /// Whether the server has answered `hello` on the current connection.
    pub fn is_attached(&self) -> bool {
        matches!(self.phase, Phase::Attached { .. })
    }

    /// Whether the session is over, so that no further connection is needed.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// The position of a subscription, after the latest delivered message. `None` if it has no position yet, or is over.
    pub fn position(&self, subscription: SubscriptionId) -> Option<Cursor> {
        self.subscriptions.position_of(subscription)
    }

    /// How many publishes and requests wait to be sent or are unanswered. A request that was cancelled or has expired counts until the
    /// server's answer.
    pub fn pending(&self) -> usize {
        self.outbound.len()
    }

    /// The bytes of the publishes and requests that have no outcome yet.
    pub fn pending_bytes(&self) -> usize {
        self.outbound.bytes()
    }

    // Calls of the application.

    /// Subscribes to a channel that has no subscription. The subscription is repeated on each connection, from its position, until it ends.
    pub fn subscribe(&mut self, start: Start) -> SubscriptionId {
        let id = self.subscriptions.subscribe(start, &mut self.actions);
        if let Phase::Over { code } = self.phase {
            self.subscriptions.end(code, &mut self.actions);
        }
        id
    }

    /// Starts a subscription over, for example from the position of a snapshot. Messages of the earlier start are not delivered any more. A
    /// subscription that was ended by [`unsubscribe`](Self::unsubscribe) continues if [`ClientAction::Ended`] has not come yet.
    pub fn restart(&mut self, subscription: SubscriptionId, start: Start) {
        self.subscriptions.restart(subscription, start, &mut self.actions);
    }

    /// Stops the delivery while the application does not keep up. Nothing is lost: after [`resume`](Self::resume) the subscription continues
    /// from its position.
    pub fn pause(&mut self, subscription: SubscriptionId) {
        self.subscriptions.pause(subscription, &mut self.actions);
    }

    /// Ends a pause.
    pub fn resume(&mut self, subscription: SubscriptionId) {
        self.subscriptions.resume(subscription, &mut self.actions);
    }

    /// Ends a subscription. [`ClientAction::Ended`] follows, after the server's answer if that is outstanding.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) {
        self.subscriptions.unsubscribe(subscription, &mut self.actions);
    }

    /// Accepts a publish whose line has `size` bytes, header included. [`ClientAction::Published`] follows. Its time to live is how
    /// long it may wait to be sent, and sent again; with [`Time::ZERO`], it is sent now or not at all.
    ///
    /// # Errors
    /// It is too large, there is no room for it, or the session is over.
    pub fn publish(&mut self, now: Time, size: usize, time_to_live: Option<Time>) -> Result<PublishId, QueueError> {
        if self.is_over() {
            return Err(QueueError::Over);
        }
        self.advance(now);
        let id = self.outbound.publish(self.now, size, time_to_live, &self.config)?;
        self.transmit();
        Ok(id)
    }

    /// Accepts a request whose line has `size` bytes, header included. [`ClientAction::Answered`] follows for each part of its answer,
    /// or [`ClientAction::RequestFailed`]: with [`ErrorCode::Expired`] after `timeout`.
    ///
    /// # Errors
    /// It is too large, there is no room for it, or the session is over.
    pub fn request(&mut self, now: Time, size: usize, timeout: Option<Time>) -> Result<RequestId, QueueError> {
        if self.is_over() {
            return Err(QueueError::Over);
        }
        self.advance(now);
        let id = self.outbound.request(self.now, size, timeout, &self.config)?;
        self.transmit();
        Ok(id)
    }

    /// Stops a request, which fails with [`ErrorCode::Cancelled`] if it has no outcome yet.
    pub fn cancel(&mut self, request: RequestId) {
        let is_attached = self.is_attached();
        self.outbound.cancel(request, is_attached, &mut self.actions);
    }

    /// Ends the session: sends `bye` if there is a connection, and reports the outcome of everything.
    ///
    /// `code` is the outcome of publishes and requests that were not sent, and the reason in [`ClientAction::Over`]:
    /// [`ErrorCode::Cancelled`] if the application ends the session.
    pub fn end(&mut self, code: ErrorCode) {
        if matches!(self.phase, Phase::Greeting { .. } | Phase::Attached { .. }) {
            self.actions.push(ClientAction::Bye);
        }
        self.finish(code);
    }

    // The connection.

    fn connected(&mut self) {
        match self.phase {
            Phase::Detached => {}
            Phase::Over { .. } => return,
            // There is one socket at a time: the driver did not report the end of the previous one.
            _ => self.disconnected(NO_CLOSE_FRAME),
        }
        self.phase = Phase::Greeting { give_up_at: self.now + self.config.answer_timeout };
        // The server creates another session unless this one can be resumed, and a new one has decided nothing yet.
        let (acked, floor) = match self.resumption {
            Resumption::Resumable => (self.outbound.acked(), self.outbound.floor()),
            Resumption::None | Resumption::Unusable => (0, 1),
        };
        self.actions.push(ClientAction::Hello {
            attempt: self.attempt,
            is_resume: self.resumption == Resumption::Resumable,
            acked,
            floor,
            closed: self.closed,
        });
        self.subscriptions.connected(&mut self.actions);
    }

    fn disconnected(&mut self, code: u16) {
        let was_closing = matches!(self.phase, Phase::Closing { .. });
        if self.is_over() {
            return;
        }
        let since = self.attached_since();
        // A connection that served for long shows that the earlier errors are over.
        self.reset_faults_after(since);
        self.detach();
        self.phase = Phase::Detached;
        self.attempt += 1;
        // `hello` carries only codes that a WebSocket can report.
        self.closed = Some(code).filter(|code| (1_000..5_000).contains(code));
        // The close code repeats the error line before it, which may have been lost with the connection.
        if let (false, Some(code)) = (was_closing, ErrorCode::from_close_code(code)) {
            self.refused(code, since);
        }
    }

    fn wake(&mut self) {
        if self.leave_at <= self.now {
            self.reconnect();
        }
        if let Phase::Greeting { give_up_at } | Phase::Closing { give_up_at } = self.phase
            && give_up_at <= self.now
        {
            self.reconnect();
        }
    }

    // Lines of the server.

    fn handle_before_welcome(&mut self, line: ClientInput) {
        match line {
            ClientInput::Welcome { is_new, acked, keeps_requests, credits, max_message } => {
                self.welcome(WelcomeFields { is_new, acked, keeps_requests, credits, max_message });
            }
            ClientInput::Drain { deadline, spread } => self.drain(deadline, spread),
            ClientInput::Bye { code } => self.finish(code),
            ClientInput::UnknownLine => {
                self.actions.push(ClientAction::ReportError { code: ErrorCode::UnknownLine });
            }
            ClientInput::Malformed => self.fault(ErrorCode::Malformed),
            _ => self.fault(ErrorCode::Unexpected),
        }
    }

    fn handle_line(&mut self, line: ClientInput) {
        let actions = &mut self.actions;
        match line {
            ClientInput::Subscribed { subscription: Some(id), cursor } => {
                self.subscriptions.subscribed(id, cursor, actions);
            }
            // The `unsub` of an earlier subscription was taken for the answer to this one, so the server has a subscription too many.
            ClientInput::Subscribed { subscription: None, .. } => {
                actions.push(ClientAction::Unsubscribe { subscription: None });
            }
            ClientInput::Position { subscription: Some(id), cursor, is_live } => {
                let advanced = self.subscriptions.advance(id, cursor, is_live, actions);
                advanced.unwrap_or_else(|RepairFailed| self.fault(ErrorCode::Sequence));
            }
            ClientInput::Gap { subscription: Some(id), reason, cursor, missed } => {
                self.subscriptions.skip(id, reason, cursor, missed, actions);
            }
            ClientInput::Unsubscribed { subscription: Some(id), code } => {
                self.subscriptions.unsubscribed(id, code, actions);
            }
            ClientInput::Acked { seq, cursor } => {
                self.outbound.published(seq, PublishOutcome::Stored(cursor), actions);
                self.transmit();
            }
            ClientInput::Refused { seq, code } => {
                self.outbound.published(seq, PublishOutcome::Failed(code), actions);
                self.transmit();
            }
            ClientInput::Response { seq, part, more } => match self.outbound.responded(seq, part, more, actions) {
                Ok(()) => self.transmit(),
                Err(OutOfSequence) => self.fault(ErrorCode::Sequence),
            },
            ClientInput::RequestRefused { seq, code } => {
                self.outbound.refused(seq, code, actions);
                self.transmit();
            }
            ClientInput::Credits(credits) => {
                self.outbound.set_credits(credits);
                self.transmit();
            }
            ClientInput::Drain { deadline, spread } => self.drain(deadline, spread),
            ClientInput::Bye { code } => self.finish(code),
            ClientInput::UnknownLine => {
                self.actions.push(ClientAction::ReportError { code: ErrorCode::UnknownLine });
            }
            ClientInput::Malformed => self.fault(ErrorCode::Malformed),
            ClientInput::Welcome { .. } => self.fault(ErrorCode::Unexpected),
            _ => {}
        }
    }

    fn welcome(&mut self, welcome: WelcomeFields) {
        let is_new = welcome.is_new;
        if !is_new && self.resumption != Resumption::Resumable {
            return self.fault(ErrorCode::Unexpected);
        }
        if !is_new && welcome.acked > self.outbound.greatest_publish() {
            // The server has numbers that this client never gave, for example because a duplicated page used the session. A new publish with
            // one of them would be taken for a repetition, and lost.
            self.resumption = Resumption::Unusable;
            return self.fault(ErrorCode::Sequence);
        }
        let session = match self.resumption {
            _ if !is_new => Attachment::Resumed,
            Resumption::None => Attachment::New,
            Resumption::Resumable | Resumption::Unusable => Attachment::Replaced,
        };
        self.phase = Phase::Attached { since: self.now };
        self.resumption = Resumption::Resumable;
        self.attempt = 0;
        self.actions.push(ClientAction::Attached { session });
        self.outbound.welcomed(self.now, welcome, &mut self.actions);
        self.transmit();
    }

    fn drain(&mut self, deadline: Time, spread: Time) {
        // At a random time, or all clients of the server would connect to the next one at once.
        self.leave_at = self.now + self.random.between(Time::ZERO, spread.min(deadline));
    }

    fn error(&mut self, code: ErrorCode, is_fatal: bool, retry: Option<Time>) {
        if !is_fatal || !matches!(self.phase, Phase::Greeting { .. } | Phase::Attached { .. }) {
            return;
        }
        if let Some(delay) = retry {
            self.actions.push(ClientAction::RetryAfter { delay });
        }
        let since = self.attached_since();
        self.start_closing();
        self.refused(code, since);
    }

    /// Whether a line of a channel is allowed now; before `welcome` it is an error.
    fn admits_channel_line(&mut self) -> bool {
        if let Phase::Greeting { .. } = self.phase {
            self.fault(ErrorCode::Unexpected);
        }
        self.is_attached()
    }

    // Faults and the end.

    /// Handles a protocol error of the server: closes the connection, or ends the session if that did not help before.
    fn fault(&mut self, code: ErrorCode) {
        self.actions.push(ClientAction::ReportError { code });
        let since = self.attached_since();
        if self.count_fault(since) {
            self.actions.push(ClientAction::Close { code });
            self.start_closing();
        } else {
            self.finish(code);
        }
    }

    /// Handles a refusal of the connection, which was attached since then. A busy server is tried again without a limit, since its refusal
    /// is no fault of this client.
    fn refused(&mut self, code: ErrorCode, since: Option<Time>) {
        let is_final = match code {
            ErrorCode::TakenOver | ErrorCode::Gone => true,
            ErrorCode::Unavailable => false,
            _ => !self.count_fault(since),
        };
        if is_final {
            self.finish(code);
        }
    }

    /// Counts a connection that ended by a fault, and returns whether another one may follow.
    fn count_fault(&mut self, since: Option<Time>) -> bool {
        self.reset_faults_after(since);
        self.faults += 1;
        self.faults <= MAX_FAULTS
    }

    /// Resets the count of faults if the connection that ends was attached for long enough, for whatever reason it ends.
    fn reset_faults_after(&mut self, since: Option<Time>) {
        if since.is_some_and(|since| self.now - since >= FAULT_WINDOW) {
            self.faults = 0;
        }
    }

    fn attached_since(&self) -> Option<Time> {
        if let Phase::Attached { since } = self.phase { Some(since) } else { None }
    }

    fn reconnect(&mut self) {
        self.actions.push(ClientAction::Reconnect);
        self.start_closing();
    }

    fn start_closing(&mut self) {
        self.detach();
        self.phase = Phase::Closing { give_up_at: self.now + self.config.answer_timeout };
    }

    /// Drops what belongs to the connection.
    fn detach(&mut self) {
        self.leave_at = Time::NEVER;
        self.subscriptions.disconnected(&mut self.actions);
    }

    fn finish(&mut self, code: ErrorCode) {
        if self.is_over() {
            return;
        }
        self.detach();
        self.outbound.end(code, &mut self.actions);
        self.subscriptions.end(code, &mut self.actions);
        self.phase = Phase::Over { code };
        self.actions.push(ClientAction::Over { code });
    }

    /// Moves the clock on, and expires publishes and requests.
    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.outbound.expire(self.now, &mut self.actions);
    }

    /// Sends publishes and requests that wait, once the client is attached.
    fn transmit(&mut self) {
        if self.is_attached() {
            self.outbound.transmit(self.now, &mut self.actions);
        }
    }
}

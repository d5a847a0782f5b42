mod config;
mod exchange;
mod io;
mod lines;
mod outgoing;
mod subscriptions;

pub use config::ClientSessionConfig;
use exchange::{Exchange, OutOfSequence, Welcome};
pub use io::{Attachment, ClientAction, ClientInput, PublishId, PublishOutcome, QueueError, RequestId, SubscriptionId};
use subscriptions::{Irreparable, Subscriptions};

use crate::{
    Delivery, Time,
    actions::Actions,
    connection::NO_CLOSE_FRAME,
    protocol::{Cursor, ErrorCode, Start},
    random::Random,
};

/// How often in a row a connection may end because of an error in the protocol or refused credentials.
const MAX_FAULTS: u8 = 3;

/// A connection that has been attached for so long ends the row.
const FAULT_WINDOW: Time = Time::from_secs(60);

/// The client's side of a session: what `hello` says, what is sent, sent again and answered, and which position each subscription has.
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
/// When a connection is lost, the driver reports [`ClientInput::Disconnected`] before it decides whether to connect again: it does
/// not where [`is_over`](Self::is_over). Where it stops for a reason of its own, it calls [`end`](Self::end).
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
    session: Session,
    /// Attempts that have ended since the latest `welcome`.
    attempt: u64,
    /// The close code of the connection before.
    closed: Option<u16>,
    /// Connections in a row that ended by an error in the protocol or refused credentials.
    faults: u8,
    exchange: Exchange,
    subscriptions: Subscriptions,
    /// When to leave a server that drains.
    leave_at: Time,
    actions: Actions<ClientAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// There is no open socket.
    Detached,
    /// `hello` is sent, and `welcome` not received.
    Greeting { give_up_at: Time },
    /// `welcome` is received.
    Attached { since: Time },
    /// The socket is about to close; what it still carries is ignored.
    Closing { give_up_at: Time },
    /// The session is over.
    Over { code: ErrorCode },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Session {
    /// There has not been one yet.
    None,
    /// The next `hello` names it.
    Resumable,
    /// It cannot go on. The next `hello` does not name it.
    Unusable,
}

impl ClientSession {
    /// A session that waits for its first connection. Its random numbers follow from `seed`; give each client a different one, or those
    /// of a server that drains connect again at once.
    pub fn new(config: ClientSessionConfig, seed: u64) -> Self {
        Self {
            config,
            phase: Phase::Detached,
            now: Time::ZERO,
            random: Random::new(seed),
            session: Session::None,
            attempt: 0,
            closed: None,
            faults: 0,
            exchange: Exchange::default(),
            subscriptions: Subscriptions::default(),
            leave_at: Time::NEVER,
            actions: Actions::new(),
        }
    }

    /// Takes in what happened. A time before that of an earlier input counts as that.
    pub fn handle(&mut self, now: Time, input: ClientInput) {
        self.advance(now);
        match input {
            ClientInput::Connected => self.connected(),
            ClientInput::Disconnected { code } => self.disconnected(code),
            ClientInput::Error { code, is_fatal, retry } => self.error(code, is_fatal, retry),
            ClientInput::Wake => self.wake(),
            line => match self.phase {
                Phase::Greeting { .. } => self.greet(line),
                Phase::Attached { .. } => self.handle_line(line),
                Phase::Detached | Phase::Closing { .. } | Phase::Over { .. } => {}
            },
        }
    }

    /// A `msg` arrived: whether its payload is for the application. `after` is the offset of the message before it.
    pub fn receive(&mut self, subscription: Option<SubscriptionId>, cursor: Cursor, after: u64) -> Delivery {
        if !self.admits_channel_line() {
            return Delivery::Ignore;
        }
        let Some(id) = subscription else { return Delivery::Ignore };
        match self.subscriptions.receive(id, cursor, after, &mut self.actions) {
            Ok(delivery) => delivery,
            Err(Irreparable) => {
                self.fault(ErrorCode::Sequence);
                Delivery::Ignore
            }
        }
    }

    /// A `presence`, `join` or `leave` arrived: whether it is for the application. After each `presence`, the members are those whose
    /// `join` follows, whatever they were before.
    pub fn receive_presence(&mut self, subscription: Option<SubscriptionId>) -> Delivery {
        let is_wanted = self.admits_channel_line() && subscription.is_some_and(|id| self.subscriptions.accepts(id));
        if is_wanted { Delivery::Deliver } else { Delivery::Ignore }
    }

    /// What to do next.
    pub fn poll_action(&mut self) -> Option<ClientAction> {
        self.actions.pop()
    }

    /// Whether [`poll_action`](Self::poll_action) would return an action.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// When to hand in [`ClientInput::Wake`]; `None` where nothing is due.
    pub fn poll_deadline(&self) -> Option<Time> {
        let of_phase = match self.phase {
            Phase::Greeting { give_up_at } | Phase::Closing { give_up_at } => give_up_at,
            Phase::Detached | Phase::Attached { .. } => Time::NEVER,
            Phase::Over { .. } => return None,
        };
        of_phase.min(self.leave_at).min(self.exchange.next_expiry()).planned()
    }

    /// Whether the server has answered `hello` on the present connection.
    pub fn is_attached(&self) -> bool {
        matches!(self.phase, Phase::Attached { .. })
    }

    /// Whether the session is over: no connection is of use to it any more.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// The position of a subscription: after the latest message that was delivered. `None` where it has no position yet, or is over.
    pub fn position(&self, subscription: SubscriptionId) -> Option<Cursor> {
        self.subscriptions.position_of(subscription)
    }

    /// How many publishes and requests wait to be sent or are unanswered. A request that was cancelled or has expired counts until the
    /// server's answer.
    pub fn pending(&self) -> usize {
        self.exchange.len()
    }

    /// The bytes of the publishes and requests that have no outcome yet.
    pub fn pending_bytes(&self) -> usize {
        self.exchange.bytes()
    }

    // What the application asks for.

    /// Subscribes to a channel that has no subscription. It is repeated on each connection, from its position, until it ends.
    pub fn subscribe(&mut self, start: Start) -> SubscriptionId {
        let id = self.subscriptions.subscribe(start, &mut self.actions);
        if let Phase::Over { code } = self.phase {
            self.subscriptions.end(code, &mut self.actions);
        }
        id
    }

    /// Starts a subscription over, for example from the position of a snapshot. Nothing that belongs to the earlier start is delivered
    /// any more. If the subscription was ended by [`unsubscribe`](Self::unsubscribe), and [`ClientAction::Ended`] has not come yet, it
    /// goes on.
    pub fn restart(&mut self, subscription: SubscriptionId, start: Start) {
        self.subscriptions.restart(subscription, start, &mut self.actions);
    }

    /// Stops the delivery, because the application does not keep up. Nothing is lost: after [`resume`](Self::resume) it goes on from
    /// the position.
    pub fn pause(&mut self, subscription: SubscriptionId) {
        self.subscriptions.pause(subscription, &mut self.actions);
    }

    /// Ends a pause.
    pub fn resume(&mut self, subscription: SubscriptionId) {
        self.subscriptions.resume(subscription, &mut self.actions);
    }

    /// Ends a subscription. [`ClientAction::Ended`] follows, after the answer of the server if that is outstanding.
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
        let id = self.exchange.publish(self.now, size, time_to_live, &self.config)?;
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
        let id = self.exchange.request(self.now, size, timeout, &self.config)?;
        self.transmit();
        Ok(id)
    }

    /// Stops a request, which fails with [`ErrorCode::Cancelled`] if it has no outcome yet.
    pub fn cancel(&mut self, request: RequestId) {
        let is_attached = self.is_attached();
        self.exchange.cancel(request, is_attached, &mut self.actions);
    }

    /// Ends the session: sends `bye` if there is a connection, and reports the outcome of everything.
    ///
    /// `code` is the outcome of what was not sent, and the reason in [`ClientAction::Over`]: [`ErrorCode::Cancelled`] where the
    /// application wants it.
    pub fn end(&mut self, code: ErrorCode) {
        if matches!(self.phase, Phase::Greeting { .. } | Phase::Attached { .. }) {
            self.actions.push(ClientAction::Bye);
        }
        self.finish(code);
    }

    // What happens to the connection.

    fn connected(&mut self) {
        match self.phase {
            Phase::Detached => {}
            Phase::Over { .. } => return,
            // There is one socket at a time: the one before is gone.
            _ => self.disconnected(NO_CLOSE_FRAME),
        }
        self.phase = Phase::Greeting { give_up_at: self.now + self.config.answer_timeout };
        let (acked, floor) = match self.session {
            Session::Resumable => (self.exchange.acked(), self.exchange.floor()),
            Session::None | Session::Unusable => (0, 1),
        };
        self.actions.push(ClientAction::Hello {
            attempt: self.attempt,
            is_resume: self.session == Session::Resumable,
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
        self.end_row(since);
        self.detach();
        self.phase = Phase::Detached;
        self.attempt += 1;
        // Others cannot be said in `hello`, and are not to be received from a WebSocket.
        self.closed = Some(code).filter(|code| (1_000..5_000).contains(code));
        // The error that precedes the close frame may be lost with the connection.
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

    // What the server sends.

    fn greet(&mut self, line: ClientInput) {
        match line {
            ClientInput::Welcome { is_new, acked, keeps_requests, credits, max_message } => {
                self.welcome(Welcome { is_new, acked, keeps_requests, credits, max_message });
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
            // The end of an earlier subscription was taken for the answer.
            ClientInput::Subscribed { subscription: None, .. } => {
                actions.push(ClientAction::Unsubscribe { subscription: None });
            }
            ClientInput::Position { subscription: Some(id), cursor, is_live } => {
                let advanced = self.subscriptions.advance(id, cursor, is_live, actions);
                advanced.unwrap_or_else(|Irreparable| self.fault(ErrorCode::Sequence));
            }
            ClientInput::Gap { subscription: Some(id), reason, cursor, missed } => {
                self.subscriptions.skip(id, reason, cursor, missed, actions);
            }
            ClientInput::Unsubscribed { subscription: Some(id), code } => {
                self.subscriptions.unsubscribed(id, code, actions);
            }
            ClientInput::Acked { seq, cursor } => {
                self.exchange.published(seq, PublishOutcome::Stored(cursor), actions);
                self.transmit();
            }
            ClientInput::Refused { seq, code } => {
                self.exchange.published(seq, PublishOutcome::Failed(code), actions);
                self.transmit();
            }
            ClientInput::Response { seq, part, more } => match self.exchange.responded(seq, part, more, actions) {
                Ok(()) => self.transmit(),
                Err(OutOfSequence) => self.fault(ErrorCode::Sequence),
            },
            ClientInput::RequestRefused { seq, code } => {
                self.exchange.refused(seq, code, actions);
                self.transmit();
            }
            ClientInput::Credits(credits) => {
                self.exchange.set_credits(credits);
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

    fn welcome(&mut self, welcome: Welcome) {
        let is_new = welcome.is_new;
        if !is_new && self.session != Session::Resumable {
            return self.fault(ErrorCode::Unexpected);
        }
        if !is_new && welcome.acked > self.exchange.greatest_publish() {
            // It has numbers that were not given here. A publish with one of them would be taken for a repetition, and lost.
            self.session = Session::Unusable;
            return self.fault(ErrorCode::Sequence);
        }
        let session = match self.session {
            _ if !is_new => Attachment::Resumed,
            Session::None => Attachment::New,
            Session::Resumable | Session::Unusable => Attachment::Replaced,
        };
        self.phase = Phase::Attached { since: self.now };
        self.session = Session::Resumable;
        self.attempt = 0;
        self.actions.push(ClientAction::Attached { session });
        self.exchange.welcomed(self.now, welcome, &mut self.actions);
        self.transmit();
    }

    fn drain(&mut self, deadline: Time, spread: Time) {
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
        self.closing();
        self.refused(code, since);
    }

    /// Whether a line of a channel is allowed now.
    fn admits_channel_line(&mut self) -> bool {
        if let Phase::Greeting { .. } = self.phase {
            self.fault(ErrorCode::Unexpected);
        }
        self.is_attached()
    }

    // What follows from it.

    /// The server is in error: closes the connection, or ends the session if that did not help before.
    fn fault(&mut self, code: ErrorCode) {
        self.actions.push(ClientAction::ReportError { code });
        let since = self.attached_since();
        if self.may_retry(since) {
            self.actions.push(ClientAction::Close { code });
            self.closing();
        } else {
            self.finish(code);
        }
    }

    /// The server refuses the connection, which was attached since then.
    fn refused(&mut self, code: ErrorCode, since: Option<Time>) {
        let is_final = match code {
            ErrorCode::TakenOver | ErrorCode::Gone => true,
            ErrorCode::Unavailable => false,
            _ => !self.may_retry(since),
        };
        if is_final {
            self.finish(code);
        }
    }

    /// Counts a connection that ended by a fault.
    fn may_retry(&mut self, since: Option<Time>) -> bool {
        self.end_row(since);
        self.faults += 1;
        self.faults <= MAX_FAULTS
    }

    /// Ends the row of faults if the connection that ends was attached for long enough, for whatever reason it ends.
    fn end_row(&mut self, since: Option<Time>) {
        if since.is_some_and(|since| self.now - since >= FAULT_WINDOW) {
            self.faults = 0;
        }
    }

    fn attached_since(&self) -> Option<Time> {
        if let Phase::Attached { since } = self.phase { Some(since) } else { None }
    }

    fn reconnect(&mut self) {
        self.actions.push(ClientAction::Reconnect);
        self.closing();
    }

    fn closing(&mut self) {
        self.detach();
        self.phase = Phase::Closing { give_up_at: self.now + self.config.answer_timeout };
    }

    /// The connection is of no use any more.
    fn detach(&mut self) {
        self.leave_at = Time::NEVER;
        self.subscriptions.disconnected(&mut self.actions);
    }

    fn finish(&mut self, code: ErrorCode) {
        if self.is_over() {
            return;
        }
        self.detach();
        self.exchange.end(code, &mut self.actions);
        self.subscriptions.end(code, &mut self.actions);
        self.phase = Phase::Over { code };
        self.actions.push(ClientAction::Over { code });
    }

    /// Time has passed.
    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.exchange.expire(self.now, &mut self.actions);
    }

    /// Sends what waits, if it may.
    fn transmit(&mut self) {
        if self.is_attached() {
            self.exchange.transmit(self.now, &mut self.actions);
        }
    }
}

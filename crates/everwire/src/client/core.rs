//! The state of a client: the session machine, and the names, payloads, ids and secrets that it does not know.

use core::task::Waker;

use everwire_core::{
    Delivery, SocketId, Time,
    protocol::{
        ClientError as ErrorLine, ClientLine, Cursor, ErrorCode, Hello, Lines, MessageWriter, NackOf, Payload,
        ProtocolError, Pub, Req, Resume, ServerLine, Start, Sub, is_name,
    },
    session::{
        Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome,
        QueueError, RequestId, SubscriptionId,
    },
};

use super::{
    channels::Channels,
    events::{ClientError, ClientEvent, EventQueues, Gap, SubscriptionError},
    members::{Member, MemberList},
    options::SubscribeOptions,
    pending::{PendingPublishes, PendingRequests, PublishResult, ResponsePart},
    reader::{Item, RawMessage},
};
use crate::{Message, MessageRef, threads::Pointer};

/// The most bytes of a message before `welcome`.
const MAX_GREETING: usize = 64 << 10;

/// How many earlier sessions of the client are remembered, to recognize their messages as its own.
const REMEMBERED_SESSIONS: usize = 8;

/// The longest explanation of the server that is kept, in bytes.
const MAX_REASON: usize = 1 << 10;

/// The state of a client. Except for sending lines, what it has to do is collected in `effects`, and done without a lock.
#[derive(Debug)]
pub(super) struct Core {
    session: ClientSession,
    /// The socket that lines go to.
    pub(super) socket: Option<SocketId>,
    pub(super) writer: MessageWriter,
    /// The payload of the next `hello`.
    pub(super) credentials: Option<Message>,
    identity: Option<SessionIdentity>,
    /// The ids of earlier sessions.
    earlier: Vec<String>,
    channels: Channels,
    pub(super) publishes: PendingPublishes,
    pub(super) requests: PendingRequests,
    /// Why the client is over, from when that is known.
    end: Option<ClientError>,
    is_over: bool,
    pub(super) event_queues: EventQueues,
    /// Tasks that wait until the client is attached, or for its end.
    waiters: Vec<Waker>,
    pub(super) effects: Effects,
}

/// The session, as `welcome` named it.
#[derive(Debug)]
struct SessionIdentity {
    session: String,
    secret: String,
}

/// What is to be done without a lock.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) wakers: Vec<Waker>,
    pub(super) events: Vec<ClientEvent>,
    /// The numbers and times of `pong` lines.
    pub(super) pong: Option<(u64, u64)>,
    pub(super) heartbeat: Option<Time>,
    pub(super) retry_after: Option<Time>,
    /// Close the socket with this error's close code.
    pub(super) fault: Option<ErrorCode>,
    pub(super) reconnect: bool,
    pub(super) close: bool,
}

/// The line that is being handled.
#[derive(Debug, Default, Clone, Copy)]
struct LineContext<'a> {
    line: Option<ServerLine<'a>>,
    /// Its type, also if the rest cannot be parsed.
    line_type: Option<&'a str>,
    payload: Payload<'a>,
    /// The position of its channel's subscription before it.
    position: Option<Cursor>,
}

impl Core {
    pub(super) fn new(config: ClientSessionConfig, seed: u64) -> Self {
        Self {
            session: ClientSession::new(config, seed),
            socket: None,
            writer: MessageWriter::new(MAX_GREETING),
            credentials: None,
            identity: None,
            earlier: Vec::new(),
            channels: Channels::default(),
            publishes: PendingPublishes::default(),
            requests: PendingRequests::default(),
            end: None,
            is_over: false,
            event_queues: EventQueues::default(),
            waiters: Vec::new(),
            effects: Effects::default(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.session.poll_deadline()
    }

    pub(super) fn is_attached(&self) -> bool {
        self.session.is_attached()
    }

    pub(super) fn is_over(&self) -> bool {
        self.session.is_over()
    }

    pub(super) fn pending(&self) -> (usize, usize) {
        (self.session.pending(), self.session.pending_bytes())
    }

    pub(super) fn session_id(&self) -> Option<String> {
        self.identity.as_ref().map(|identity| identity.session.clone())
    }

    /// Why the client is over; registers the waker if it is not.
    pub(super) fn end_or_wait(&mut self, waker: &Waker) -> Option<ClientError> {
        if let Some(end) = self.end.as_ref().filter(|_| self.is_over) {
            return Some(end.clone());
        }
        if !self.waiters.iter().any(|other| other.will_wake(waker)) {
            self.waiters.push(waker.clone());
        }
        None
    }

    /// The events from now on, as a stream with this number.
    pub(super) fn watch_events(&mut self) -> u64 {
        let number = self.event_queues.add();
        if let Some(end) = self.end.as_ref().filter(|_| self.is_over) {
            self.event_queues.push(&ClientEvent::Closed(end.clone()), &mut self.effects.wakers);
        }
        number
    }

    /// Takes what is to be done without a lock.
    pub(super) fn take_effects(&mut self) -> Effects {
        let mut effects = core::mem::take(&mut self.effects);
        for event in &effects.events {
            self.event_queues.push(event, &mut effects.wakers);
        }
        effects
    }

    // Reports of the connection.

    pub(super) fn connected(&mut self, now: Time, socket: SocketId, credentials: Option<Message>) {
        self.socket = Some(socket);
        self.credentials = credentials;
        self.writer.set_max_bytes(MAX_GREETING);
        self.handle(now, ClientInput::Connected);
    }

    pub(super) fn disconnected(&mut self, now: Time, code: u16) {
        self.socket = None;
        self.handle(now, ClientInput::Disconnected { code });
    }

    pub(super) fn handle(&mut self, now: Time, input: ClientInput) {
        self.session.handle(now, input);
        self.act(LineContext::default());
    }

    pub(super) fn received(&mut self, now: Time, message: MessageRef<'_>) {
        match message {
            MessageRef::Text(text) => Lines::text(text).for_each(|line| self.line(now, line)),
            MessageRef::Binary(bytes) => Lines::binary(bytes).for_each(|line| self.line(now, line)),
            // The driver requests array buffers.
            #[cfg(target_family = "wasm")]
            MessageRef::Blob(_) => self.handle(now, ClientInput::Malformed),
        }
    }

    /// Ends the client for a local reason. `code` is the outcome of what was not sent.
    pub(super) fn end(&mut self, end: ClientError, code: ErrorCode) {
        self.end.get_or_insert(end);
        self.session.end(code);
        self.act(LineContext::default());
    }

    fn line(&mut self, now: Time, line: Result<(ServerLine<'_>, Payload<'_>), ProtocolError<'_>>) {
        let (line, payload) = match line {
            Ok(line) => line,
            Err(error) => {
                self.session.handle(now, ClientInput::from_error(&error));
                return self.act(LineContext { line_type: error.line(), ..LineContext::default() });
            }
        };
        let mut position = None;
        match line {
            ServerLine::Msg(msg) => {
                let id = self.channels.id(msg.channel);
                let before = id.and_then(|id| self.session.position(id));
                let delivery = self.session.receive(id, msg.cursor, msg.after);
                if let (Delivery::Deliver, Some(id), Some(before)) = (delivery, id, before) {
                    let message = RawMessage {
                        payload: owned(payload),
                        cursor: msg.cursor,
                        key: msg.key.map(str::to_owned),
                        is_own: msg.by.is_some_and(|by| self.is_own(by.session)),
                        by: msg.by.map(|by| by.session.to_owned()),
                    };
                    self.channels.deliver(&mut self.session, id, before, message, &mut self.effects.wakers);
                }
            }
            ServerLine::Presence { channel, members } => {
                self.presence(channel, |list| list.expect(members));
            }
            ServerLine::Join { channel, session } => {
                let member = Member::new(session, owned(payload));
                self.presence(channel, |list| list.join(member));
            }
            ServerLine::Leave { channel, session } => self.presence(channel, |list| list.leave(session)),
            ServerLine::Pong { number, time } => self.effects.pong = Some((number, time)),
            _ => {
                if let Some(input) = ClientInput::from_line(&line, |channel| self.channels.id(channel)) {
                    let id = positioned_channel(&line).and_then(|channel| self.channels.id(channel));
                    position = id.and_then(|id| self.session.position(id));
                    self.session.handle(now, input);
                    if let (Some(id), ServerLine::Subscribed { .. } | ServerLine::Pos { .. }) = (id, line) {
                        self.channels.moved(&mut self.session, id, position);
                    }
                }
            }
        }
        self.act(LineContext { line_type: Some(line.line_type()), line: Some(line), payload, position });
    }

    fn is_own(&self, session: &str) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.session == session)
            || self.earlier.iter().any(|earlier| earlier == session)
    }

    fn presence(&mut self, channel: &str, change: impl FnOnce(&mut MemberList) -> bool) {
        let id = self.channels.id(channel);
        if self.session.receive_presence(id) == Delivery::Ignore {
            return;
        }
        if let Some(id) = id {
            self.channels.change_members(id, change, &mut self.effects.wakers);
        }
    }

    // Calls of the application.

    /// Subscribes to a channel; returns the number of the reader.
    pub(super) fn subscribe(&mut self, name: &str, start: Start, options: &SubscribeOptions) -> u64 {
        if !is_name(name) {
            return self.channels.refuse(SubscriptionError::InvalidName);
        }
        if self.session.is_over() {
            let error = SubscriptionError::Over(self.end_with(ErrorCode::Cancelled, String::new()));
            return self.channels.refuse(error);
        }
        let wakers = &mut self.effects.wakers;
        let reader = self.channels.subscribe(&mut self.session, name, start, options, wakers);
        self.act(LineContext::default());
        reader
    }

    /// The next item of a subscription; registers the waker if there is none. `None` in `Some` after the end.
    pub(super) fn next_item(&mut self, reader: u64, waker: &Waker) -> Option<Option<Item>> {
        let item = self.channels.next_item(&mut self.session, reader, waker, &mut self.effects.wakers);
        self.act(LineContext::default());
        item
    }

    /// The position after what the application has taken of a subscription.
    pub(super) fn cursor(&self, reader: u64) -> Option<Cursor> {
        self.channels.cursor(reader)
    }

    /// Restarts a subscription: to wait for a snapshot, or to continue from the position of one.
    pub(super) fn restart(&mut self, reader: u64, start: Start) {
        self.channels.restart(&mut self.session, reader, start, &mut self.effects.wakers);
        self.act(LineContext::default());
    }

    /// Ends the subscription of a reader that was dropped.
    pub(super) fn drop_reader(&mut self, reader: u64) {
        self.channels.drop_reader(&mut self.session, reader);
        self.act(LineContext::default());
    }

    /// Watches the members of a channel; returns the number of the watcher.
    pub(super) fn watch(&mut self, name: &str) -> u64 {
        let is_possible = is_name(name) && !self.session.is_over();
        let watcher = self.channels.watch(&mut self.session, is_possible.then_some(name));
        self.act(LineContext::default());
        watcher
    }

    /// The members of a channel if they have changed; registers the waker if they have not. `None` in `Some` after the end.
    pub(super) fn next_members(&mut self, watcher: u64, waker: &Waker) -> Option<Option<Vec<Member>>> {
        self.channels.next_members(watcher, waker)
    }

    pub(super) fn drop_watcher(&mut self, watcher: u64) {
        self.channels.drop_watcher(&mut self.session, watcher);
        self.act(LineContext::default());
    }

    pub(super) fn publish(
        &mut self,
        now: Time,
        channel: &str,
        key: Option<String>,
        payload: Option<Message>,
        time_to_live: Option<Time>,
    ) -> Result<PublishId, QueueError> {
        let fixed = "pub  after= key=".len() + channel.len() + key.as_ref().map_or(0, String::len);
        let id = self.session.publish(now, line_size(fixed, payload.as_ref()), time_to_live)?;
        self.publishes.insert(id, channel, key, payload);
        self.act(LineContext::default());
        Ok(id)
    }

    pub(super) fn request(
        &mut self,
        now: Time,
        name: &str,
        payload: Option<Message>,
        timeout: Option<Time>,
    ) -> Result<RequestId, QueueError> {
        let fixed = "req  timeout= floor= part=".len() + 2 * NUMBER_LENGTH + name.len();
        let id = self.session.request(now, line_size(fixed, payload.as_ref()), timeout)?;
        self.requests.insert(id, name, payload);
        self.act(LineContext::default());
        Ok(id)
    }

    pub(super) fn cancel(&mut self, id: RequestId) {
        self.session.cancel(id);
        self.act(LineContext::default());
    }

    // Execution of the session machine's actions.

    /// Executes the actions of the session machine.
    fn act(&mut self, context: LineContext<'_>) {
        let mut explanation = context.explanation();
        while let Some(action) = self.session.poll_action() {
            match action {
                ClientAction::Hello { attempt, is_resume, acked, floor, closed } => {
                    self.hello(attempt, is_resume, acked, floor, closed);
                }
                ClientAction::Subscribe { subscription, start } => self.send_sub(subscription, start),
                ClientAction::Unsubscribe { subscription } => {
                    let name = subscription.and_then(|id| self.channels.name(id)).map(Pointer::clone);
                    if let Some(channel) = name.as_deref().or(context.channel()) {
                        push(&mut self.writer, &ClientLine::Unsub { channel }, Payload::None);
                    }
                }
                ClientAction::Publish { id, seq, after } => {
                    if let Some(publish) = self.publishes.get(id) {
                        let mut line = Pub::new(&publish.channel, seq);
                        line.key = publish.key.as_deref();
                        line.after = after.unwrap_or(line.after);
                        push(&mut self.writer, &ClientLine::Pub(line), borrowed(publish.payload.as_ref()));
                    }
                }
                ClientAction::Request { id, seq, timeout, floor, part } => {
                    if let Some(request) = self.requests.get(id) {
                        let mut line = Req::new(&request.name, seq);
                        line.timeout = timeout.map(|time| time.as_millis_f64() as u64);
                        (line.floor, line.part) = (floor, part.unwrap_or(0));
                        push(&mut self.writer, &ClientLine::Req(line), borrowed(request.payload.as_ref()));
                    }
                }
                ClientAction::Cancel { seq } => {
                    push(&mut self.writer, &ClientLine::Cancel { seq, of: None }, Payload::None);
                }
                ClientAction::ReportError { code } => {
                    let line = ErrorLine::new(code, context.line_type);
                    push(&mut self.writer, &ClientLine::Error(line), Payload::None);
                }
                ClientAction::Bye => push(&mut self.writer, &ClientLine::Bye, Payload::None),
                ClientAction::Close { code } => self.effects.fault = Some(code),
                ClientAction::Reconnect => self.effects.reconnect = true,
                ClientAction::RetryAfter { delay } => self.effects.retry_after = Some(delay),
                ClientAction::Attached { session } => self.attached(session, context),
                ClientAction::Published { id, outcome } => {
                    let code = if let PublishOutcome::Failed(code) = outcome { Some(code) } else { None };
                    let reason = take_reason(&mut explanation, code, NackOf::Pub);
                    let result = PublishResult { outcome, reason, is_over: self.session.is_over() };
                    self.effects.wakers.extend(self.publishes.finish(id, result));
                }
                ClientAction::Answered { id, more, .. } => {
                    let part = ResponsePart::Part { payload: owned(context.payload), more };
                    self.effects.wakers.extend(self.requests.add_part(id, part));
                }
                ClientAction::RequestFailed { id, code } => {
                    let reason = take_reason(&mut explanation, Some(code), NackOf::Req);
                    let part = ResponsePart::Failed { code, reason, is_over: self.session.is_over() };
                    self.effects.wakers.extend(self.requests.add_part(id, part));
                }
                ClientAction::Gap { subscription, reason, cursor, missed } => {
                    let Some(before) = context.position else { continue };
                    let (gap, wakers) = (Gap { reason, cursor, missed }, &mut self.effects.wakers);
                    let is_missed = self.channels.skip(&mut self.session, subscription, before, gap, wakers);
                    if let (true, Some(name)) = (is_missed, self.channels.name(subscription)) {
                        self.effects.events.push(ClientEvent::Gap { channel: (**name).to_owned(), gap });
                    }
                }
                // Each reader reports it once it has caught up.
                ClientAction::Resumed { .. } => {}
                ClientAction::CaughtUp { subscription } => {
                    self.channels.caught_up(&mut self.session, subscription, &mut self.effects.wakers);
                }
                ClientAction::Held { subscription, cursor } => {
                    self.channels.held(&mut self.session, subscription, cursor, &mut self.effects.wakers);
                }
                ClientAction::Ended { subscription, code } => self.ended(subscription, code, context),
                ClientAction::Over { code } => {
                    let end = self.end_with(code, context.reason());
                    self.is_over = true;
                    self.effects.close = true;
                    self.effects.events.push(ClientEvent::Closed(end));
                    self.effects.wakers.append(&mut self.waiters);
                }
                // A later version of the machine may have more actions, and ignoring one is the only safe response.
                _ => {}
            }
        }
    }

    fn hello(&mut self, attempt: u64, is_resume: bool, acked: u64, floor: u64, closed: Option<u16>) {
        let mut hello = Hello::new(attempt);
        (hello.acked, hello.floor) = (acked, floor);
        // Platforms also report codes that a line cannot carry.
        hello.closed = closed.filter(|code| (1_000..5_000).contains(code));
        hello.resume = self
            .identity
            .as_ref()
            .filter(|_| is_resume)
            .map(|identity| Resume { session: &identity.session, secret: &identity.secret });
        let credentials = self.credentials.take();
        if self.writer.push(&ClientLine::Hello(hello), borrowed(credentials.as_ref())).is_err() {
            self.end.get_or_insert(ClientError::CredentialsTooLarge);
            self.session.end(ErrorCode::TooLarge);
        }
        self.channels.reconnected(&mut self.session);
    }

    fn send_sub(&mut self, id: SubscriptionId, start: Start) {
        // Entries are inserted after the machine has accepted a subscription, and before its actions are done.
        if let Some((channel, mode, presence)) = self.channels.sub(id, start) {
            let mut sub = Sub::new(channel, start);
            (sub.mode, sub.presence) = (mode, presence);
            push(&mut self.writer, &ClientLine::Sub(sub), Payload::None);
        }
    }

    fn attached(&mut self, session: Attachment, context: LineContext<'_>) {
        if let Some(ServerLine::Welcome(welcome)) = context.line {
            if let Some(secret) = welcome.secret {
                let identity = SessionIdentity { session: welcome.session.to_owned(), secret: secret.to_owned() };
                if let Some(before) = self.identity.replace(identity) {
                    self.earlier.truncate(REMEMBERED_SESSIONS - 1);
                    self.earlier.insert(0, before.session);
                }
            }
            self.writer.set_max_bytes(usize::try_from(welcome.message).unwrap_or(usize::MAX));
            self.effects.heartbeat = Some(Time::from_millis(welcome.heartbeat));
        }
        self.effects.events.push(ClientEvent::Attached(session));
        self.effects.wakers.append(&mut self.waiters);
    }

    fn ended(&mut self, id: SubscriptionId, code: Option<ErrorCode>, context: LineContext<'_>) {
        let error = code.map(|code| {
            if self.session.is_over() {
                SubscriptionError::Over(self.end_with(code, context.reason()))
            } else {
                SubscriptionError::Refused { code, reason: context.reason() }
            }
        });
        self.channels.end(id, error, &mut self.effects.wakers);
    }

    /// Why the client is over; this refusal by the server if there is no earlier reason.
    fn end_with(&mut self, code: ErrorCode, reason: String) -> ClientError {
        self.end.get_or_insert(ClientError::Refused { code, reason }).clone()
    }
}

impl<'a> LineContext<'a> {
    /// The server's explanation, if the line is a refusal.
    fn explanation(&self) -> Option<(ErrorCode, NackOf, String)> {
        match self.line {
            Some(ServerLine::Nack { code, of, .. }) => Some((code, of, self.reason())),
            _ => None,
        }
    }

    /// The server's explanation.
    fn reason(&self) -> String {
        let (Some(_), Payload::Text(text)) = (self.line, self.payload) else { return String::new() };
        let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        end.and_then(|end| text.get(..end)).unwrap_or_default().to_owned()
    }

    /// The channel that the line names, for an answer about a channel that the client does not know.
    fn channel(&self) -> Option<&'a str> {
        match self.line {
            Some(ServerLine::Subscribed { channel, .. }) => Some(channel),
            _ => None,
        }
    }
}

/// The channel whose position this line moves, unless it is a message.
fn positioned_channel<'a>(line: &ServerLine<'a>) -> Option<&'a str> {
    match *line {
        ServerLine::Subscribed { channel, .. } | ServerLine::Pos { channel, .. } => Some(channel),
        ServerLine::Gap(gap) => Some(gap.channel),
        _ => None,
    }
}

/// The most digits of a number in a line.
const NUMBER_LENGTH: usize = 16;

/// An upper bound of a line's size, whose numbers are not known yet. `fixed` is the length of its other parts.
fn line_size(fixed: usize, payload: Option<&Message>) -> usize {
    // In a binary message the size of the payload precedes the line.
    fixed + 2 * NUMBER_LENGTH + "+t \n".len() + NUMBER_LENGTH + payload.map_or(0, Message::len)
}

/// Takes the server's explanation if it is that of this failure: another action for the same line may have failed for its own reason.
fn take_reason(explanation: &mut Option<(ErrorCode, NackOf, String)>, code: Option<ErrorCode>, of: NackOf) -> String {
    let taken = explanation.take_if(|(its_code, its_kind, _)| Some(*its_code) == code && *its_kind == of);
    taken.map(|(_, _, reason)| reason).unwrap_or_default()
}

fn push(writer: &mut MessageWriter, line: &ClientLine<'_>, payload: Payload<'_>) {
    // Names were checked and sizes bounded before they were accepted.
    let pushed = writer.push(line, payload);
    debug_assert!(pushed.is_ok(), "{line:?}: {pushed:?}");
}

fn owned(payload: Payload<'_>) -> Option<Message> {
    match payload {
        Payload::None => None,
        Payload::Text(text) => Some(Message::from(text)),
        Payload::Binary(bytes) => Some(Message::from(bytes)),
    }
}

fn borrowed(message: Option<&Message>) -> Payload<'_> {
    match message {
        Some(Message::Text(text)) => Payload::Text(text),
        Some(Message::Binary(bytes)) => Payload::Binary(bytes),
        // Refused before it was accepted.
        #[cfg(target_family = "wasm")]
        Some(Message::Blob(_)) => Payload::None,
        None => Payload::None,
    }
}

//! A client: the state machine, its driver, and what its application has seen.

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::{
    Delivery, Time,
    protocol::{
        ClientLine, Cursor, ErrorCode, GapReason, Hello, Lines, Mode, Msg, Payload, Pub, Req, Resume, ServerLine,
        Start, Sub,
    },
    session::{
        Attachment, ClientAction, ClientInput, ClientSession, ClientSessionConfig, PublishId, PublishOutcome,
        QueueError, RequestId, SubscriptionId,
    },
};

use super::{Frame, broker::Channel, encode, join};

/// What a subscription delivers to the application.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Message(String),
    Gap(GapReason, Option<u64>),
    Resumed,
    CaughtUp,
    Held(Cursor),
    Ended(Option<ErrorCode>),
}

/// Identifies a message: two messages can have the same offset if the store was rolled back in between.
type Identity = (u64, u64, u64);

fn identity(cursor: Cursor) -> Identity {
    (cursor.epoch, cursor.offset, cursor.time)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subscription {
    pub(crate) id: SubscriptionId,
    pub(crate) channel: String,
    mode: Mode,
    /// The application wants the values of all keys: it starts over after a gap.
    wants_state: bool,
    /// The latest message of each key that it has.
    values: BTreeMap<String, String>,
    pub(crate) items: Vec<Item>,
    /// The messages that were delivered, lie in a gap, or precede the start. `None` before there is a position.
    covered: Option<BTreeSet<Identity>>,
    /// The latest line was a gap: messages before its position are covered.
    is_after_gap: bool,
    /// The messages delivered since the store was rolled back.
    delivered: BTreeSet<String>,
    is_over: bool,
}

impl Subscription {
    fn start_over(&mut self) {
        (self.covered, self.is_after_gap) = (None, false);
        self.delivered.clear();
        self.values.clear();
    }
}

/// A publish as the application sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Publish {
    pub(crate) channel: String,
    pub(crate) payload: String,
    key: Option<String>,
    pub(crate) outcome: Option<PublishOutcome>,
}

/// A request as the application sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) payload: String,
    pub(crate) parts: Vec<String>,
    /// `Ok` where it is answered.
    pub(crate) outcome: Option<Result<(), ErrorCode>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) machine: ClientSession,
    name: usize,
    /// The session's id and secret.
    pub(crate) session: Option<(String, String)>,
    pub(crate) connection: Option<u64>,
    /// By the order of the calls.
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) publishes: BTreeMap<PublishId, Publish>,
    pub(crate) requests: BTreeMap<RequestId, Request>,
    /// How often it was attached, and to which session.
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) over: Option<ErrorCode>,
    /// The time before which the server wants no attempt.
    pub(crate) retry_after: Option<Time>,
    /// Numbers the payloads.
    calls: u64,
    out: Vec<String>,
    /// The driver has to close the socket and connect again.
    pub(super) leaves: bool,
}

impl Client {
    pub(crate) fn new(name: usize) -> Self {
        Self {
            machine: ClientSession::new(ClientSessionConfig::default(), name as u64 + 1),
            name,
            session: None,
            connection: None,
            subscriptions: Vec::new(),
            publishes: BTreeMap::new(),
            requests: BTreeMap::new(),
            attachments: Vec::new(),
            over: None,
            retry_after: None,
            calls: 0,
            out: Vec::new(),
            leaves: false,
        }
    }

    /// Takes the message that is ready to be sent.
    pub(super) fn take_output(&mut self) -> Option<String> {
        join(std::mem::take(&mut self.out))
    }

    // Calls of the application.

    pub(super) fn subscribe(&mut self, channel: &str, start: Start, mode: Mode) -> SubscriptionId {
        let id = self.machine.subscribe(start);
        self.subscriptions.push(Subscription {
            id,
            channel: channel.to_owned(),
            mode,
            wants_state: start == Start::State,
            values: BTreeMap::new(),
            items: Vec::new(),
            covered: None,
            is_after_gap: false,
            delivered: BTreeSet::new(),
            is_over: false,
        });
        self.act(None);
        id
    }

    /// Starts the subscription of a channel over.
    pub(super) fn restart(&mut self, channel: &str, start: Start) {
        let subscription = self.subscriptions.iter_mut().find(|other| other.channel == channel && !other.is_over);
        let subscription = subscription.expect("a channel that is subscribed");
        subscription.start_over();
        subscription.wants_state = start == Start::State;
        self.machine.restart(subscription.id, start);
        self.act(None);
    }

    pub(super) fn publish(
        &mut self,
        now: Time,
        channel: &str,
        key: Option<&str>,
        time_to_live: Option<Time>,
    ) -> Result<PublishId, QueueError> {
        self.calls += 1;
        let payload = format!("c{}.{}", self.name, self.calls);
        self.publish_payload(now, channel, payload, key, time_to_live)
    }

    pub(super) fn publish_payload(
        &mut self,
        now: Time,
        channel: &str,
        payload: String,
        key: Option<&str>,
        time_to_live: Option<Time>,
    ) -> Result<PublishId, QueueError> {
        let id = self.machine.publish(now, payload.len() + 40, time_to_live)?;
        let (channel, key) = (channel.to_owned(), key.map(str::to_owned));
        self.publishes.insert(id, Publish { channel, payload, key, outcome: None });
        self.act(None);
        Ok(id)
    }

    pub(super) fn request(&mut self, now: Time, timeout: Option<Time>) -> Result<RequestId, QueueError> {
        self.calls += 1;
        let payload = format!("r{}.{}", self.name, self.calls);
        let id = self.machine.request(now, payload.len() + 40, timeout)?;
        self.requests.insert(id, Request { payload, parts: Vec::new(), outcome: None });
        self.act(None);
        Ok(id)
    }

    // Inputs.

    pub(super) fn input(&mut self, now: Time, input: ClientInput) {
        self.machine.handle(now, input);
        self.act(None);
    }

    /// Receives a frame. `channels` is the current content of the broker, by which deliveries are checked.
    pub(super) fn receive(&mut self, now: Time, frame: Frame, channels: &BTreeMap<String, Channel>) {
        match frame {
            Frame::Close(code) => {
                self.connection = None;
                self.input(now, ClientInput::Disconnected { code });
            }
            Frame::Text(message) => {
                for line in Lines::<ServerLine<'_>>::text(&message) {
                    let (line, payload) = line.unwrap_or_else(|error| panic!("{message:?}: {error}"));
                    self.line(now, &line, payload, channels);
                }
            }
        }
    }

    fn line(&mut self, now: Time, line: &ServerLine<'_>, payload: Payload<'_>, channels: &BTreeMap<String, Channel>) {
        if let ServerLine::Welcome(welcome) = line
            && let Some(secret) = welcome.secret
        {
            self.session = Some((welcome.session.to_owned(), secret.to_owned()));
        }
        match (line, payload) {
            (ServerLine::Msg(msg), Payload::Text(payload)) => self.message(msg, payload),
            (line, payload) => {
                if let Some(input) = ClientInput::from_line(line, |channel| self.subscription_of(channel)) {
                    self.machine.handle(now, input);
                }
                let payload = std::str::from_utf8(payload.as_bytes()).expect("payloads are texts");
                self.act(Some(payload));
            }
        }
        self.cover_preceding(channels);
    }

    fn message(&mut self, msg: &Msg<'_>, payload: &str) {
        let subscription = self.subscription_of(msg.channel);
        let delivery = self.machine.receive(subscription, msg.cursor, msg.after);
        if delivery == Delivery::Deliver {
            self.deliver(msg, payload);
        }
        self.act(None);
    }

    /// Checks what holds for each delivery.
    fn deliver(&mut self, msg: &Msg<'_>, payload: &str) {
        let own = self.publishes.values().find(|publish| publish.payload == payload);
        assert!(own.is_none_or(|own| own.outcome.is_some()), "{payload} is delivered before its answer");
        let subscription = self.subscriptions.iter_mut().find(|other| other.channel == msg.channel && !other.is_over);
        let subscription = subscription.expect("a message of a channel that is subscribed");
        assert!(subscription.delivered.insert(payload.to_owned()), "{payload} is delivered twice");
        let covered = subscription.covered.as_mut().expect("there is a position");
        assert!(covered.insert(identity(msg.cursor)), "{payload} is delivered after it was reported as missing");
        subscription.items.push(Item::Message(payload.to_owned()));
        if let Some(key) = msg.key {
            subscription.values.insert(key.to_owned(), payload.to_owned());
        }
    }

    /// Marks the messages before the start of a subscription, or before the end of a gap, as not missed.
    fn cover_preceding(&mut self, channels: &BTreeMap<String, Channel>) {
        for subscription in &mut self.subscriptions {
            let Some(position) = self.machine.position(subscription.id) else { continue };
            if subscription.covered.is_some() && !std::mem::take(&mut subscription.is_after_gap) {
                continue;
            }
            let messages = channels.get(&subscription.channel).into_iter().flat_map(|channel| &channel.messages);
            let is_before = |cursor: Cursor| cursor.epoch == position.epoch && cursor.offset <= position.offset;
            let before = messages.filter(|message| is_before(message.cursor));
            let identities = before.map(|message| identity(message.cursor));
            subscription.covered.get_or_insert_default().extend(identities);
        }
    }

    /// The broker went back to an older copy, or lost everything: what is published again may be delivered again.
    pub(super) fn store_was_rolled_back(&mut self) {
        self.subscriptions.iter_mut().for_each(|subscription| subscription.delivered.clear());
    }

    /// Carries out the actions of the machine. `payload` is that of the line that was handed in.
    pub(super) fn act(&mut self, payload: Option<&str>) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                ClientAction::Hello { attempt, is_resume, acked, floor, closed } => {
                    let mut hello = Hello::new(attempt);
                    (hello.acked, hello.floor, hello.closed) = (acked, floor, closed);
                    let session = self.session.clone().filter(|_| is_resume);
                    hello.resume = session.as_ref().map(|(session, secret)| Resume { session, secret });
                    self.send(&ClientLine::Hello(hello), Payload::None);
                }
                ClientAction::Subscribe { subscription, start } => {
                    let Subscription { channel, mode, .. } = self.subscription(subscription).clone();
                    let mut sub = Sub::new(&channel, start);
                    sub.mode = mode;
                    self.send(&ClientLine::Sub(sub), Payload::None);
                }
                ClientAction::Unsubscribe { subscription } => {
                    let id = subscription.expect("the driver knows the channels that it has subscribed to");
                    let channel = self.subscription(id).channel.clone();
                    self.send(&ClientLine::Unsub { channel: &channel }, Payload::None);
                }
                ClientAction::Publish { id, seq, after } => {
                    let Publish { channel, payload, key, .. } = self.publishes[&id].clone();
                    let mut line = Pub::new(&channel, seq);
                    line.key = key.as_deref();
                    line.after = after.unwrap_or(line.after);
                    self.send(&ClientLine::Pub(line), Payload::Text(&payload));
                }
                ClientAction::Request { id, seq, timeout, floor, part } => {
                    let mut line = Req::new("question", seq);
                    line.timeout = timeout.map(|timeout| timeout.as_millis_f64() as u64);
                    line.floor = floor;
                    line.part = part.unwrap_or(0);
                    let payload = self.requests[&id].payload.clone();
                    self.send(&ClientLine::Req(line), Payload::Text(&payload));
                }
                ClientAction::Cancel { seq } => self.send(&ClientLine::Cancel { seq, of: None }, Payload::None),
                ClientAction::Bye => self.send(&ClientLine::Bye, Payload::None),
                ClientAction::Reconnect => self.leaves = true,
                ClientAction::RetryAfter { delay } => self.retry_after = Some(delay),
                ClientAction::Attached { session } => self.attachments.push(session),
                ClientAction::Published { id, outcome } => {
                    let publish = self.publishes.get_mut(&id).expect("a publish that was accepted");
                    assert_eq!(publish.outcome.replace(outcome), None, "{} has two outcomes", publish.payload);
                }
                ClientAction::Answered { id, part, more } => {
                    let request = self.requests.get_mut(&id).expect("a request that was accepted");
                    assert_eq!((request.outcome, part), (None, request.parts.len() as u64), "{}", request.payload);
                    request.parts.push(payload.expect("an answer comes with a line").to_owned());
                    request.outcome = (!more).then_some(Ok(()));
                }
                ClientAction::RequestFailed { id, code } => {
                    let request = self.requests.get_mut(&id).expect("a request that was accepted");
                    assert_eq!(request.outcome.replace(Err(code)), None, "{} has two outcomes", request.payload);
                }
                ClientAction::Gap { subscription, reason, missed, .. } => {
                    let skipped = self.item(subscription, Item::Gap(reason, missed));
                    skipped.is_after_gap = true;
                    if skipped.wants_state {
                        skipped.start_over();
                        self.machine.restart(subscription, Start::State);
                    }
                }
                ClientAction::Resumed { subscription } => {
                    self.item(subscription, Item::Resumed);
                }
                ClientAction::CaughtUp { subscription } => {
                    self.item(subscription, Item::CaughtUp);
                }
                ClientAction::Held { subscription, cursor } => {
                    self.item(subscription, Item::Held(cursor));
                }
                ClientAction::Ended { subscription, code } => {
                    self.item(subscription, Item::Ended(code)).is_over = true;
                }
                ClientAction::Over { code } => self.over = Some(code),
                other => panic!("an correct server is in error: {other:?}"),
            }
        }
    }

    fn item(&mut self, id: SubscriptionId, item: Item) -> &mut Subscription {
        let subscription = self.subscriptions.iter_mut().find(|subscription| subscription.id == id);
        let subscription = subscription.expect("a subscription of the application");
        subscription.items.push(item);
        subscription
    }

    fn send(&mut self, line: &ClientLine<'_>, payload: Payload<'_>) {
        self.out.push(encode(line, payload));
    }

    fn subscription(&self, id: SubscriptionId) -> &Subscription {
        self.subscriptions.iter().find(|subscription| subscription.id == id).expect("a subscription of the application")
    }

    pub(super) fn subscription_of(&self, channel: &str) -> Option<SubscriptionId> {
        let subscription = self.subscriptions.iter().find(|other| other.channel == channel && !other.is_over);
        subscription.map(|subscription| subscription.id)
    }

    // Queries of the tests.

    /// The messages that the subscription of a channel got.
    pub(crate) fn messages(&self, channel: &str) -> Vec<&str> {
        let items = self.items(channel).iter();
        items.filter_map(|item| if let Item::Message(payload) = item { Some(payload.as_str()) } else { None }).collect()
    }

    pub(crate) fn items(&self, channel: &str) -> &[Item] {
        let subscription = self.subscriptions.iter().rfind(|subscription| subscription.channel == channel);
        &subscription.expect("a channel that is subscribed").items
    }

    pub(crate) fn gaps(&self, channel: &str) -> Vec<GapReason> {
        let items = self.items(channel).iter();
        items.filter_map(|item| if let Item::Gap(reason, _) = item { Some(*reason) } else { None }).collect()
    }

    /// Nothing that a subscriber waits for is missing without a gap.
    pub(super) fn check_nothing_is_missing(&self, channels: &BTreeMap<String, Channel>) {
        for subscription in self.subscriptions.iter().filter(|subscription| !subscription.is_over) {
            let Some(channel) = channels.get(&subscription.channel) else { continue };
            let position = self.machine.position(subscription.id).map(|position| position.offset);
            let last = channel.last().offset;
            assert!(position.is_none_or(|position| position >= last), "{} ends at {position:?}", subscription.channel);
            if subscription.mode == Mode::Each
                && !subscription.wants_state
                && let Some(covered) = &subscription.covered
            {
                let missing = channel.messages.iter().find(|message| !covered.contains(&identity(message.cursor)));
                assert!(missing.is_none(), "{missing:?} is neither delivered nor in a gap: {:?}", subscription.items);
            }
        }
    }

    /// A subscriber that wants the values of all keys has them.
    pub(super) fn check_values(&self, channels: &BTreeMap<String, Channel>) {
        for subscription in self.subscriptions.iter().filter(|other| other.wants_state && !other.is_over) {
            let values = channels.get(&subscription.channel).map(Channel::values).unwrap_or_default();
            assert_eq!(subscription.values, values, "the values of {}", subscription.channel);
        }
    }
}

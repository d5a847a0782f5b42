//! The server: sessions, its ends of connections, and their driver.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::{
    Delivery, Time,
    protocol::{
        ClientLine, ErrorCode, Gap, Hello, Lines, Mode, Msg, NackOf, Payload, Producer, ProtocolError, Req,
        ServerError, ServerLine, Sub, Welcome,
    },
    session::{
        Answer, Feed, FeedStep, LineHandling, Opening, Receipt, Request, ServerAction, ServerConnection, ServerSession,
        SessionLimits,
    },
};

use super::{
    Frame,
    broker::{Broker, SessionRecord, Stored, Undecided},
    encode,
};

/// With more messages queued than this, a connection's feeds leave the fan-out.
const HIGH: usize = 6;
/// With no more than this, they are polled again.
pub(super) const LOW: usize = 2;
/// How many messages a page has at most.
const PAGE: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    pub(crate) machine: ServerSession,
    secret: String,
    user: u64,
    /// The connection of the latest attach.
    connection: Option<u64>,
    /// The payloads of the requests whose handlers run.
    pub(crate) running: BTreeMap<u64, String>,
    /// The kept parts of answers; a failure has no text here.
    kept: BTreeMap<(u64, u64), String>,
}

/// The server's end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct AcceptedConnection {
    user: u64,
    machine: ServerConnection,
    /// The session and the generation of the attach.
    session: Option<(String, u64)>,
    is_welcomed: bool,
    /// Another connection has taken the session.
    is_superseded: bool,
    /// Lines that came with `hello`, which wait for the welcome.
    deferred: VecDeque<(String, Option<String>)>,
    pub(crate) feeds: BTreeMap<String, (Feed, Mode)>,
}

/// A change of presence that others can see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Presence {
    Joined(String),
    Left(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) limits: SessionLimits,
    /// The largest message, as `welcome` says.
    pub(crate) max_message: u64,
    pub(crate) broker: Broker,
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) accepted: BTreeMap<u64, AcceptedConnection>,
    next_session: u64,
    /// Channels whose history is not shown to anyone now.
    pub(crate) hides_history: BTreeSet<String>,
    pub(crate) presence: Vec<Presence>,
    /// The payloads of the requests that were run.
    pub(crate) runs: BTreeSet<String>,
    /// The pages that were read: channel, after, up to.
    pub(crate) reads: BTreeSet<(String, u64, u64)>,
    /// How many frames wait for the client of each connection.
    pub(super) queued: BTreeMap<u64, usize>,
    out: Vec<(u64, Frame)>,
}

impl Server {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            max_message: 1_000,
            broker: Broker::new(limits.credits),
            sessions: BTreeMap::new(),
            accepted: BTreeMap::new(),
            next_session: 1,
            hides_history: BTreeSet::new(),
            presence: Vec::new(),
            runs: BTreeSet::new(),
            reads: BTreeSet::new(),
            queued: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// Takes what is to be sent.
    pub(super) fn take_output(&mut self) -> Vec<(u64, Frame)> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn accept(&mut self, id: u64, user: u64) {
        self.accepted.insert(id, AcceptedConnection { user, ..AcceptedConnection::default() });
    }

    /// Whether it reads from a connection: not while a welcome waits for the broker.
    pub(super) fn reads_from(&self, id: u64) -> bool {
        self.accepted.get(&id).is_some_and(|accepted| accepted.session.is_none() || accepted.is_welcomed)
    }

    pub(super) fn receive(&mut self, now: Time, id: u64, message: &str) {
        for line in Lines::<ClientLine<'_>>::text(message) {
            let Some(accepted) = self.accepted.get_mut(&id) else { return };
            let (line, payload) = match line {
                Ok((line, payload)) => (Ok(line), payload),
                Err(error) => (Err(error), Payload::None),
            };
            if accepted.session.is_some() && !accepted.is_welcomed {
                let Ok(line) = line else { panic!("{message:?}: {line:?}") };
                let mut header = String::new();
                line.write(&mut header).expect("it was read");
                accepted.deferred.push_back((header, owned(payload)));
            } else {
                self.line(now, id, line, owned(payload));
            }
        }
    }

    fn line(&mut self, now: Time, id: u64, line: Result<ClientLine<'_>, ProtocolError<'_>>, payload: Option<String>) {
        let Some(accepted) = self.accepted.get_mut(&id) else { return };
        let attached = accepted.session.clone();
        match (accepted.machine.receive(&line), line) {
            (LineHandling::Ignore, _) => {}
            (LineHandling::Attach, Ok(ClientLine::Hello(hello))) => self.attach(now, id, &hello),
            (LineHandling::Close, _) => {
                if let Some((session, generation)) = attached {
                    self.with_session(&session, |machine| machine.bye(generation));
                    self.act(now, &session, None);
                }
            }
            (LineHandling::Handle, Ok(line)) => {
                let (session, generation) = attached.expect("the connection is attached");
                self.handle(now, id, &session, generation, line, payload);
            }
            (handling, line) => panic!("{line:?} of an correct client: {handling:?}"),
        }
    }

    fn attach(&mut self, now: Time, id: u64, hello: &Hello<'_>) {
        let user = self.accepted[&id].user;
        let resumed = hello.resume.and_then(|resume| {
            let session = self.sessions.get(resume.session)?;
            (session.secret == resume.secret && !session.machine.is_over()).then(|| resume.session.to_owned())
        });
        // A delayed `hello` comes from a client that has another connection by now.
        let is_late = |session: &Session| {
            let is_attached = session.machine.is_current(session.machine.generation());
            is_attached && session.connection.is_some_and(|current| current > id)
        };
        if resumed.as_ref().is_some_and(|name| is_late(&self.sessions[name])) {
            return self.end(id, ErrorCode::TakenOver);
        }
        let (name, acked, floor) = match resumed {
            Some(name) => (name, hello.acked, hello.floor),
            None => {
                let number = self.next_session;
                self.next_session += 1;
                let (name, secret) = (format!("s{number}"), format!("secret{number}"));
                self.presence.push(Presence::Joined(name.clone()));
                let record = SessionRecord { secret: secret.clone(), generation: 0, stored: Vec::new() };
                self.broker.disk.sessions.insert(name.clone(), record);
                let session = Session {
                    machine: ServerSession::new(self.limits),
                    secret,
                    user,
                    connection: None,
                    running: BTreeMap::new(),
                    kept: BTreeMap::new(),
                };
                self.sessions.insert(name.clone(), session);
                (name, 0, 1)
            }
        };
        let session = self.sessions.get_mut(&name).expect("it exists");
        let generation = session.machine.attach(acked, floor).expect("it is not over");
        let before = session.connection.replace(id);
        if let Some(record) = self.broker.disk.sessions.get_mut(&name) {
            record.generation = generation;
        }
        if let Some(accepted) = self.accepted.get_mut(&id) {
            accepted.session = Some((name.clone(), generation));
        }
        self.act(now, &name, before);
    }

    fn handle(
        &mut self,
        now: Time,
        id: u64,
        session: &str,
        generation: u64,
        line: ClientLine<'_>,
        payload: Option<String>,
    ) {
        match line {
            ClientLine::Sub(sub) => self.subscribe(id, sub),
            ClientLine::Unsub { channel } => {
                if let Some(accepted) = self.accepted.get_mut(&id) {
                    accepted.feeds.remove(channel);
                }
            }
            ClientLine::Pub(publish) => {
                let receipt =
                    self.with_session(session, |machine| machine.publish(generation, publish.seq, publish.after));
                match receipt {
                    Some(Receipt::Process) => self.broker.undecided.push_back(Undecided {
                        session: session.to_owned(),
                        seq: publish.seq,
                        channel: publish.channel.to_owned(),
                        payload: payload.unwrap_or_default(),
                        key: publish.key.map(str::to_owned),
                    }),
                    Some(Receipt::Fatal(code)) => panic!("{publish:?} of an correct client: {code}"),
                    _ => {}
                }
            }
            ClientLine::Req(Req { seq, timeout, floor, part, .. }) => {
                let request = Request { seq, timeout: timeout.map(Time::from_millis), floor, part };
                match self.with_session(session, |machine| machine.request(now, generation, request)) {
                    Some(Receipt::Process) => {
                        let payload = payload.unwrap_or_default();
                        assert!(self.runs.insert(payload.clone()), "{payload} runs twice");
                        self.sessions.get_mut(session).expect("it exists").running.insert(seq, payload);
                    }
                    Some(Receipt::Fatal(code)) => panic!("request {seq} of an correct client: {code}"),
                    _ => {}
                }
            }
            ClientLine::Cancel { seq, of: None } => {
                self.with_session(session, |machine| machine.cancel(Some(generation), seq));
            }
            ClientLine::Cancel { seq, of: Some(other) } => {
                let user = self.sessions[session].user;
                if self.sessions.get(other).is_some_and(|other| other.user == user) {
                    self.with_session(other, |machine| machine.cancel(None, seq));
                    self.act(now, other, None);
                }
            }
            ClientLine::Ping { .. } => {}
            other => panic!("{other:?} of an correct client"),
        }
        self.act(now, session, None);
    }

    fn with_session<R>(&mut self, name: &str, change: impl FnOnce(&mut ServerSession) -> R) -> Option<R> {
        self.sessions.get_mut(name).map(|session| change(&mut session.machine))
    }

    fn subscribe(&mut self, id: u64, sub: Sub<'_>) {
        let allows_history = !self.hides_history.contains(sub.channel);
        let channel = self.broker.channel(sub.channel);
        let (feed, Opening { cursor, gap }) =
            Feed::start(sub.start, sub.mode, allows_history, &channel.history(sub.mode), |offset| {
                channel.time_at(offset)
            });
        self.send(id, &ServerLine::Subscribed { channel: sub.channel, cursor }, Payload::None);
        if let Some(gap) = gap {
            self.send_gap(id, sub.channel, gap);
        }
        if let Some(accepted) = self.accepted.get_mut(&id) {
            accepted.feeds.insert(sub.channel.to_owned(), (feed, sub.mode));
        }
    }

    /// The server's end of a connection is gone.
    pub(super) fn lose(&mut self, now: Time, id: u64) {
        let Some(accepted) = self.accepted.remove(&id) else { return };
        if let Some((session, generation)) = accepted.session {
            self.with_session(&session, |machine| machine.detach(now, generation));
            self.act(now, &session, None);
        }
    }

    /// The broker decides the oldest publish of a channel.
    pub(super) fn decide(&mut self, now: Time, channel: &str, refusal: Option<ErrorCode>) {
        let Some(place) = self.broker.undecided.iter().position(|undecided| undecided.channel == channel) else {
            return;
        };
        let Some(Undecided { session, seq, payload, key, .. }) = self.broker.undecided.remove(place) else { return };
        if let Some(code) = refusal {
            self.with_session(&session, |machine| machine.decided(seq, Answer::Refused(code)));
            return self.act(now, &session, None);
        }
        let stored = self.broker.store(channel, payload, key, Some((session.clone(), seq)));
        self.with_session(&session, |machine| machine.decided(seq, Answer::Stored(stored.cursor)));
        // The answer precedes the client's own copy.
        self.act(now, &session, None);
        self.fan_out(channel, &stored);
    }

    /// The application on the server publishes.
    pub(super) fn publish(&mut self, channel: &str, payload: String, key: Option<String>) {
        let stored = self.broker.store(channel, payload, key, None);
        self.fan_out(channel, &stored);
    }

    fn fan_out(&mut self, channel: &str, stored: &Stored) {
        let ids: Vec<u64> = self.accepted.keys().copied().collect();
        for id in ids {
            let is_slow = self.queued.get(&id).is_some_and(|queued| *queued > HIGH);
            let feed = self.accepted.get_mut(&id).and_then(|accepted| accepted.feeds.get_mut(channel));
            let Some((feed, _)) = feed else { continue };
            if is_slow {
                feed.fell_behind();
            }
            if feed.fan_out(stored.cursor) == Delivery::Deliver {
                self.send_message(id, channel, stored, stored.cursor.offset - 1);
            }
        }
    }

    /// Whether there is something to read for a subscription.
    pub(super) fn can_poll_feed(&self, id: u64, channel: &str) -> bool {
        let feed = self.accepted.get(&id).and_then(|accepted| accepted.feeds.get(channel));
        let channel = self.broker.disk.channels.get(channel);
        let Some(((mut feed, mode), channel)) = feed.copied().zip(channel) else { return false };
        feed.poll(&channel.history(mode)) != FeedStep::Idle
    }

    /// Takes the next step for a subscription that is not live.
    pub(super) fn poll_feed(&mut self, id: u64, name: &str) {
        let Some((feed, mode)) = self.accepted.get_mut(&id).and_then(|accepted| accepted.feeds.get_mut(name)) else {
            return;
        };
        match feed.poll(&self.broker.channel(name).history(*mode)) {
            FeedStep::Idle => {}
            FeedStep::Read { after, up_to, mode } => {
                self.reads.insert((name.to_owned(), after, up_to));
                let messages = self.broker.channel(name).read(after, up_to, mode);
                let page: Vec<(Stored, Option<u64>)> =
                    messages.iter().take(PAGE).map(|stored| (stored.clone(), feed.paged(stored.cursor))).collect();
                if messages.len() <= PAGE {
                    feed.page_ended();
                }
                for (stored, after) in page {
                    if let Some(after) = after {
                        self.send_message(id, name, &stored, after);
                    }
                }
            }
            FeedStep::Gap(gap) => self.send_gap(id, name, gap),
            FeedStep::Position { cursor, is_live } => {
                self.send(id, &ServerLine::Pos { channel: name, cursor, live: is_live }, Payload::None);
            }
            other => panic!("{other:?}"),
        }
    }

    /// A handler answers.
    pub(super) fn respond(&mut self, now: Time, session: &str, seq: u64, more: bool) {
        let Some(owner) = self.sessions.get_mut(session) else { return };
        let Some(payload) = owner.running.get(&seq).cloned() else { return };
        if let Some(part) = owner.machine.responded(seq, payload.len(), more) {
            owner.kept.insert((seq, part), format!("{payload}/{part}"));
        }
        if !more {
            owner.running.remove(&seq);
        }
        self.act(now, session, None);
    }

    /// The server gives the client of a session another number of credits.
    pub(super) fn set_credits(&mut self, now: Time, session: &str, credits: usize) {
        self.with_session(session, |machine| machine.set_credits(credits));
        self.act(now, session, None);
    }

    /// The server asks the clients of all sessions to connect again within this time.
    pub(super) fn drain(&mut self, now: Time, time: Time) {
        let names: Vec<String> = self.sessions.keys().cloned().collect();
        for name in names {
            self.with_session(&name, |machine| machine.drain(time, time));
            self.act(now, &name, None);
        }
    }

    /// Wakes all sessions.
    pub(super) fn wake(&mut self, now: Time) {
        let names: Vec<String> = self.sessions.keys().cloned().collect();
        for name in names {
            self.with_session(&name, |machine| machine.wake(now));
            self.act(now, &name, None);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.sessions.values().filter_map(|session| session.machine.poll_deadline()).min()
    }

    /// The process ends, and starts again with what is on disk.
    pub(super) fn restart(&mut self, now: Time) {
        self.accepted.clear();
        self.out.clear();
        let users: BTreeMap<String, u64> =
            self.sessions.iter().map(|(name, session)| (name.clone(), session.user)).collect();
        self.broker.restart();
        self.sessions.clear();
        for (name, record) in &self.broker.disk.sessions {
            let stored = record.stored.iter().copied();
            let session = Session {
                machine: ServerSession::restore(now, self.limits, record.generation, stored),
                secret: record.secret.clone(),
                user: users.get(name).copied().unwrap_or_default(),
                connection: None,
                running: BTreeMap::new(),
                kept: BTreeMap::new(),
            };
            self.sessions.insert(name.clone(), session);
        }
    }

    /// Carries out the actions of a session. `taken_over` is the connection of the previous attach.
    fn act(&mut self, now: Time, name: &str, mut taken_over: Option<u64>) {
        let mut welcomed = None;
        while let Some(session) = self.sessions.get_mut(name)
            && let Some(action) = session.machine.poll_action()
        {
            let current = session.connection;
            match action {
                ServerAction::TakeOver { .. } => {
                    let before = taken_over.take().and_then(|id| self.accepted.get_mut(&id));
                    before.into_iter().for_each(|before| before.is_superseded = true);
                }
                ServerAction::Welcome { generation, acked, keeps_requests, credits } => {
                    let id = current.expect("a connection is attached");
                    let secret = (generation == 1).then(|| session.secret.clone());
                    let mut welcome = Welcome::new(name, generation);
                    welcome.heartbeat = 25_000;
                    welcome.message = self.max_message;
                    welcome.credits = credits as u64;
                    welcome.subscriptions = 16;
                    welcome.expires = 120_000;
                    welcome.acked = acked;
                    welcome.secret = secret.as_deref();
                    welcome.requests_kept = keeps_requests;
                    if let Some(accepted) = self.accepted.get_mut(&id) {
                        accepted.is_welcomed = true;
                    }
                    self.send(id, &ServerLine::Welcome(welcome), Payload::None);
                    welcomed = Some(id);
                }
                ServerAction::Answer { seq, answer: Answer::Stored(cursor) } => {
                    self.send_to(current, &ServerLine::Ack { seq, cursor }, Payload::None);
                }
                ServerAction::Answer { seq, answer: Answer::Refused(code) } => {
                    self.send_to(current, &ServerLine::Nack { seq, code, of: NackOf::Pub }, Payload::None);
                }
                ServerAction::Respond { seq, part, more } => {
                    let payload = session.kept.get(&(seq, part)).cloned().expect("the part is kept");
                    self.send_to(current, &ServerLine::Res { seq, part, more }, Payload::Text(&payload));
                }
                ServerAction::FailRequest { seq, code } => {
                    session.running.remove(&seq);
                    self.send_to(current, &ServerLine::Nack { seq, code, of: NackOf::Req }, Payload::None);
                }
                ServerAction::Credits(credits) => {
                    self.send_to(current, &ServerLine::Credits { credits: credits as u64 }, Payload::None);
                }
                ServerAction::Drain { deadline, spread } => {
                    let millis = |time: Time| time.as_millis_f64() as u64;
                    let line = ServerLine::Drain { deadline: millis(deadline), spread: millis(spread) };
                    self.send_to(current, &line, Payload::None);
                }
                ServerAction::Stop { seq } => {
                    session.running.remove(&seq);
                }
                ServerAction::Release { seq, below } => {
                    session.kept.retain(|(kept, part), _| *kept != seq || *part >= below);
                }
                ServerAction::Over => {
                    self.sessions.remove(name);
                    self.broker.disk.sessions.remove(name);
                    self.presence.push(Presence::Left(name.to_owned()));
                    if let Some(id) = current {
                        self.accepted.remove(&id);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        welcomed.into_iter().for_each(|id| self.handle_deferred(now, id));
    }

    /// The lines that came with `hello` are handled after the welcome.
    fn handle_deferred(&mut self, now: Time, id: u64) {
        while let Some(accepted) = self.accepted.get_mut(&id)
            && let Some((header, payload)) = accepted.deferred.pop_front()
        {
            self.line(now, id, ClientLine::parse(&header), payload);
        }
    }

    /// Whether another connection has taken the session of this one.
    pub(super) fn is_superseded(&self, id: u64) -> bool {
        self.accepted.get(&id).is_some_and(|accepted| accepted.is_superseded)
    }

    /// Ends a connection with an error.
    pub(super) fn end(&mut self, id: u64, code: ErrorCode) {
        if let Some(mut accepted) = self.accepted.remove(&id) {
            accepted.machine.close();
            self.send(id, &ServerLine::Error(ServerError::fatal(code)), Payload::None);
            self.out.push((id, Frame::Close(code.close_code().unwrap_or(1000))));
        }
    }

    fn send_message(&mut self, id: u64, channel: &str, stored: &Stored, after: u64) {
        let mut message = Msg::new(channel, stored.cursor);
        message.after = after;
        message.key = stored.key.as_deref();
        message.by = stored.by.as_ref().map(|(session, seq)| Producer { session, seq: *seq });
        self.send(id, &ServerLine::Msg(message), Payload::Text(&stored.payload));
    }

    fn send_gap(&mut self, id: u64, channel: &str, gap: everwire_core::session::Gap) {
        let mut line = Gap::new(channel, gap.reason, gap.cursor);
        line.missed = gap.missed;
        self.send(id, &ServerLine::Gap(line), Payload::None);
    }

    fn send_to(&mut self, id: Option<u64>, line: &ServerLine<'_>, payload: Payload<'_>) {
        self.send(id.expect("a connection is attached"), line, payload);
    }

    fn send(&mut self, id: u64, line: &ServerLine<'_>, payload: Payload<'_>) {
        self.out.push((id, Frame::Text(encode(line, payload))));
    }
}

fn owned(payload: Payload<'_>) -> Option<String> {
    match payload {
        Payload::None => None,
        Payload::Text(text) => Some(text.to_owned()),
        Payload::Binary(bytes) => panic!("{bytes:?} in a text message"),
    }
}

//! The server: its sessions, its ends of connections, and their driver.

use std::collections::VecDeque;

use everwire_core::{
    Delivery, Time,
    protocol::{ErrorCode, Mode, Start},
    session::{
        Answer, Feed, FeedStep, Gap, History, LineHandling, Receipt, Request, ServerAction, ServerConnection,
        ServerSession, SessionLimits,
    },
};

use crate::{
    client::{LATER, NOW},
    link::{FromClient, FromServer},
    scenario::{Defect, Scenario, Violation},
    store::{Payload, Record, Store, Stored, Undecided},
};

/// When every detached session has expired.
const EXPIRED: Time = Time::from_secs(10_000);

/// How many parts the answer to a request has.
const PARTS: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Session {
    name: u8,
    machine: ServerSession,
    /// The connection of the latest attach.
    link: Option<u8>,
    /// For [`Defect::SessionEndedByDrain`].
    ends_with_connection: bool,
    /// The requests that were received: number, payload, and the parts that the handler has still to send, 0 if it has ended.
    requests: Vec<(u64, Payload, u8)>,
}

/// The server's end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AcceptedConnection {
    link: u8,
    machine: ServerConnection,
    /// The session and the generation of the attach.
    session: Option<(u8, u64)>,
    is_new: bool,
    is_welcomed: bool,
    /// Another connection has taken the session.
    is_superseded: bool,
    /// Lines that came with `hello`, which wait for the welcome.
    deferred: VecDeque<FromClient>,
    feed: Option<Feed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    limits: SessionLimits,
    time: Time,
    /// How the client subscribes.
    mode: Mode,
    pub(crate) store: Store,
    sessions: Vec<Session>,
    accepted: Vec<AcceptedConnection>,
    next_session: u8,
    /// The payloads of the requests that were run, as a set.
    runs: u16,
    /// Lines to send. Empty between events.
    pub(crate) out: Vec<(u8, FromServer)>,
    defect: Option<Defect>,
}

impl Server {
    pub(crate) fn new(scenario: &Scenario, defect: Option<Defect>) -> Self {
        let Scenario { credits, mode, keys, .. } = *scenario;
        Self {
            limits: SessionLimits::default().credits(credits),
            time: NOW,
            mode,
            store: Store::new(credits, keys),
            sessions: Vec::new(),
            accepted: Vec::new(),
            next_session: 0,
            runs: 0,
            out: Vec::new(),
            defect,
        }
    }

    // Connections.

    pub(crate) fn accept(&mut self, link: u8) {
        self.accepted.push(AcceptedConnection {
            link,
            machine: ServerConnection::default(),
            session: None,
            is_new: false,
            is_welcomed: false,
            is_superseded: false,
            deferred: VecDeque::new(),
            feed: None,
        });
    }

    pub(crate) fn has(&self, link: u8) -> bool {
        self.accepted.iter().any(|accepted| accepted.link == link)
    }

    /// Whether it reads from a connection: not while a welcome waits for the broker.
    pub(crate) fn reads_from(&self, link: u8) -> bool {
        let accepted = self.accepted.iter().find(|accepted| accepted.link == link);
        accepted.is_some_and(|accepted| accepted.session.is_none() || accepted.is_welcomed)
    }

    pub(crate) fn is_superseded(&self, link: u8) -> bool {
        self.accepted.iter().any(|accepted| accepted.link == link && accepted.is_superseded)
    }

    /// Loses a connection.
    pub(crate) fn lose(&mut self, link: u8) -> Result<(), Violation> {
        let Some(place) = self.accepted.iter().position(|accepted| accepted.link == link) else { return Ok(()) };
        let Some((name, generation)) = self.accepted.remove(place).session else { return Ok(()) };
        let Some(session) = self.session(name) else { return Ok(()) };
        let current = session.machine.generation();
        let (now, is_fenced) = (self.time, self.defect != Some(Defect::OldGenerationAccepted));
        if let Some(session) = self.session(name) {
            session.machine.detach(now, if is_fenced { generation } else { current });
            if session.ends_with_connection {
                session.machine.end();
            }
        }
        self.act(name)
    }

    /// Ends a connection whose session another one has taken over.
    pub(crate) fn end(&mut self, link: u8) {
        self.accepted.retain(|accepted| accepted.link != link);
        self.out.push((link, FromServer::Fatal(ErrorCode::TakenOver)));
    }

    // Lines.

    pub(crate) fn receive(&mut self, link: u8, line: FromClient) -> Result<(), Violation> {
        let Some(accepted) = self.at(link) else { return Ok(()) };
        match accepted.machine.receive(&Ok(line.line())) {
            LineHandling::Ignore => Ok(()),
            LineHandling::Attach | LineHandling::Handle => match line {
                FromClient::Hello { session, acked, floor } => self.attach(link, session, acked, floor),
                line => self.handle(link, line),
            },
            _ => Err(Violation::ClientError),
        }
    }

    fn attach(&mut self, link: u8, named: Option<u8>, acked: u64, floor: u64) -> Result<(), Violation> {
        let named = named.filter(|name| self.session(*name).is_some_and(|session| !session.machine.is_over()));
        // A delayed `hello` comes from a client that has another connection by now.
        let is_late = |session: &mut Session| {
            let is_attached = session.machine.is_current(session.machine.generation());
            is_attached && session.link.is_some_and(|current| current > link)
        };
        if self.defect != Some(Defect::LateHelloAccepted)
            && named.and_then(|name| self.session(name)).is_some_and(is_late)
        {
            self.end(link);
            return Ok(());
        }
        let is_new = named.is_none();
        let (name, acked, floor) = if let Some(name) = named { (name, acked, floor) } else { (self.create(), 0, 1) };
        let attached = self.with(name, |machine| machine.attach(acked, floor));
        let Some(Ok(generation)) = attached else { return Err(Violation::ClientError) };
        if self.defect == Some(Defect::WelcomeBeforeUndecided) {
            let undecided: Vec<_> =
                self.store.undecided.iter().filter(|other| other.session == name).copied().collect();
            for Undecided { seq, .. } in undecided {
                self.with(name, |machine| machine.decided(seq, Answer::Refused(ErrorCode::Unknown)));
            }
        }
        let before = self.session(name).and_then(|session| session.link.replace(link));
        if let Some(record) = self.store.disk.record(name) {
            record.generation = generation;
        }
        if let Some(accepted) = self.at(link) {
            (accepted.session, accepted.is_new) = (Some((name, generation)), is_new);
        }
        if let Some(before) = before.and_then(|link| self.at(link)) {
            before.is_superseded = true;
        }
        self.act(name)
    }

    fn create(&mut self) -> u8 {
        let name = self.next_session;
        self.next_session += 1;
        self.store.disk.records.push(Record { session: name, generation: 0, stored: Vec::new() });
        let machine = ServerSession::new(self.limits);
        self.sessions.push(Session { name, machine, link: None, ends_with_connection: false, requests: Vec::new() });
        name
    }

    fn handle(&mut self, link: u8, line: FromClient) -> Result<(), Violation> {
        let Some(accepted) = self.at(link) else { return Ok(()) };
        if !accepted.is_welcomed {
            accepted.deferred.push_back(line);
            return Ok(());
        }
        let Some((name, mut generation)) = accepted.session else { return Err(Violation::ClientError) };
        if self.defect == Some(Defect::OldGenerationAccepted) {
            generation = self.session(name).map_or(generation, |session| session.machine.generation());
        }
        match line {
            FromClient::Hello { .. } => return Err(Violation::ClientError),
            FromClient::Sub(start) => self.subscribe(link, start),
            FromClient::Unsub => {
                if let Some(accepted) = self.at(link) {
                    accepted.feed = None;
                }
            }
            FromClient::Pub { seq, after, payload } => {
                match self.with(name, |machine| machine.publish(generation, seq, after)) {
                    Some(Receipt::Process) => self.store.undecided.push_back(Undecided { session: name, seq, payload }),
                    Some(Receipt::Fatal(_)) => return Err(Violation::ClientError),
                    _ => {}
                }
            }
            FromClient::Req { seq, timeout, floor, part, payload } => {
                let (now, request) = (self.time, Request { seq, timeout, floor, part });
                match self.with(name, |machine| machine.request(now, generation, request)) {
                    Some(Receipt::Process) => {
                        if self.runs & 1 << payload != 0 {
                            return Err(Violation::RunTwice);
                        }
                        self.runs |= 1 << payload;
                        if let Some(session) = self.session(name) {
                            session.requests.push((seq, payload, PARTS));
                        }
                    }
                    Some(Receipt::Fatal(_)) => return Err(Violation::ClientError),
                    _ => {}
                }
            }
            FromClient::Cancel(seq) => {
                self.with(name, |machine| machine.cancel(Some(generation), seq));
            }
        }
        self.act(name)
    }

    /// Whether a `hello` resumes a session.
    pub(crate) fn resumes(&self, line: FromClient) -> bool {
        let FromClient::Hello { session: Some(name), .. } = line else { return false };
        self.sessions.iter().any(|session| session.name == name)
    }

    // Subscriptions.

    fn subscribe(&mut self, link: u8, start: Start) {
        let disk = &self.store.disk;
        let history = self.history();
        let (feed, opening) = Feed::start(start, self.mode, true, &history, |offset| disk.time_at(offset));
        let covers = disk.up_to(opening.cursor);
        self.out.push((link, FromServer::Subscribed { cursor: opening.cursor, covers }));
        if let Some(gap) = opening.gap {
            self.send_gap(link, gap);
        }
        if let Some(accepted) = self.at(link) {
            accepted.feed = Some(feed);
        }
    }

    fn history(&self) -> History {
        let history = self.store.disk.history(self.mode);
        let trimmed = if self.defect == Some(Defect::TrimmedTreatedAsComplete) { 0 } else { history.trimmed };
        History { trimmed, ..history }
    }

    /// Whether a subscription that has not caught up has a next step.
    pub(crate) fn can_poll_feed(&self, link: u8) -> bool {
        let accepted = self.accepted.iter().find(|accepted| accepted.link == link);
        let feed = accepted.and_then(|accepted| accepted.feed);
        feed.is_some_and(|mut feed| feed.poll(&self.history()) != FeedStep::Idle)
    }

    /// Takes the next step for a subscription. A page has one message.
    pub(crate) fn poll_feed(&mut self, link: u8) {
        let history = self.history();
        let Some(accepted) = self.accepted.iter_mut().find(|accepted| accepted.link == link) else { return };
        let Some(feed) = &mut accepted.feed else { return };
        match feed.poll(&history) {
            FeedStep::Read { after, up_to, mode } => {
                let mode = if self.defect == Some(Defect::ValuesDropped) { Mode::Each } else { mode };
                let mut messages = self.store.disk.read(after, up_to, mode);
                if let Some(Stored { cursor, payload }) = messages.next()
                    && let Some(mut after) = feed.paged(cursor)
                {
                    if self.defect == Some(Defect::PreviousPositionOmitted) {
                        after = cursor.offset - 1;
                    }
                    self.out.push((link, FromServer::Msg { cursor, after, payload }));
                }
                if messages.next().is_none() {
                    feed.page_ended();
                }
            }
            FeedStep::Gap(gap) => self.send_gap(link, gap),
            FeedStep::Position { cursor, is_live } => self.out.push((link, FromServer::Pos { cursor, is_live })),
            _ => {}
        }
    }

    /// Whether messages go to a connection as they are published.
    pub(crate) fn is_live(&self, link: u8) -> bool {
        let accepted = self.accepted.iter().find(|accepted| accepted.link == link);
        accepted.and_then(|accepted| accepted.feed).is_some_and(|feed| feed.is_live())
    }

    /// A connection does not keep up.
    pub(crate) fn fall_behind(&mut self, link: u8) {
        if let Some(feed) = self.at(link).and_then(|accepted| accepted.feed.as_mut()) {
            feed.fell_behind();
        }
    }

    fn fan_out(&mut self, stored: Stored) {
        for accepted in &mut self.accepted {
            let Some(feed) = &mut accepted.feed else { continue };
            let mut cursor = stored.cursor;
            if self.defect == Some(Defect::EpochNotCompared) {
                cursor.epoch = feed.position().epoch;
            }
            if feed.fan_out(cursor) == Delivery::Deliver {
                let Stored { cursor, payload } = stored;
                self.out.push((accepted.link, FromServer::Msg { cursor, after: cursor.offset - 1, payload }));
            }
        }
    }

    fn send_gap(&mut self, link: u8, gap: Gap) {
        let covers = self.store.disk.up_to(gap.cursor);
        self.out.push((link, FromServer::Gap { gap, covers }));
    }

    /// Asks all clients to leave, because the server is about to stop.
    pub(crate) fn drain(&mut self) -> Result<(), Violation> {
        let names: Vec<u8> = self.sessions.iter().map(|session| session.name).collect();
        for name in names {
            self.with(name, |machine| machine.drain(Time::ZERO, Time::ZERO));
            self.act(name)?;
        }
        Ok(())
    }

    // The broker, the handlers and the clock.

    /// The broker stores the oldest publish, or the server's rules refuse it.
    pub(crate) fn decide(&mut self, is_refused: bool) -> Result<(), Violation> {
        let Some(Undecided { session, seq, payload }) = self.store.undecided.pop_front() else { return Ok(()) };
        if is_refused {
            self.with(session, |machine| machine.decided(seq, Answer::Refused(ErrorCode::Denied)));
            return self.act(session);
        }
        let stored = self.store.store(payload, Some((session, seq))).map_err(|_| Violation::StoredTwice)?;
        self.with(session, |machine| machine.decided(seq, Answer::Stored(stored.cursor)));
        if self.defect == Some(Defect::CopyBeforeAnswer) {
            self.fan_out(stored);
        }
        // The answer precedes the client's own copy.
        self.act(session)?;
        self.fan_out(stored);
        Ok(())
    }

    /// Another client publishes.
    pub(crate) fn publish(&mut self, payload: Payload) -> Result<(), Violation> {
        let stored = self.store.store(payload, None).map_err(|_| Violation::StoredTwice)?;
        self.fan_out(stored);
        Ok(())
    }

    /// The oldest request that runs, with its session.
    pub(crate) fn running(&self) -> Option<(u8, u64)> {
        let requests = self.sessions.iter().flat_map(|session| {
            session.requests.iter().filter(|(.., left)| *left > 0).map(move |(seq, ..)| (session.name, *seq))
        });
        requests.into_iter().next()
    }

    /// A handler answers with a part.
    pub(crate) fn respond(&mut self) -> Result<(), Violation> {
        let Some((name, seq)) = self.running() else { return Ok(()) };
        let Some(session) = self.session(name) else { return Ok(()) };
        let request = session.requests.iter_mut().find(|(other, ..)| *other == seq);
        let more = request.is_some_and(|(_, _, left)| {
            *left -= 1;
            *left > 0
        });
        session.machine.responded(seq, 1, more);
        self.act(name)
    }

    /// Whether a detached session can expire.
    pub(crate) fn can_expire(&self) -> bool {
        self.sessions.iter().any(|session| session.machine.poll_deadline().is_some())
    }

    /// Lets the running requests time out.
    pub(crate) fn time_out(&mut self) -> Result<(), Violation> {
        self.time = LATER;
        let names: Vec<u8> = self.sessions.iter().map(|session| session.name).collect();
        for name in names {
            self.with(name, |machine| machine.wake(LATER));
            self.act(name)?;
        }
        Ok(())
    }

    /// Lets detached sessions expire.
    pub(crate) fn expire(&mut self) -> Result<(), Violation> {
        let names: Vec<u8> = self.sessions.iter().map(|session| session.name).collect();
        for name in names {
            self.with(name, |machine| machine.wake(EXPIRED));
            self.act(name)?;
        }
        Ok(())
    }

    /// Ends the process, and starts it again with what is on disk.
    pub(crate) fn restart(&mut self) {
        self.store.undecided.clear();
        self.accepted.clear();
        let (now, limits) = (self.time, self.limits);
        let answers = if self.defect == Some(Defect::ReceivedNotRestored) { 0 } else { usize::MAX };
        let restored = self.store.disk.records.iter().map(|record| Session {
            name: record.session,
            machine: ServerSession::restore(
                now,
                limits,
                record.generation,
                record.stored.iter().copied().take(answers),
            ),
            link: None,
            ends_with_connection: false,
            requests: Vec::new(),
        });
        self.sessions = restored.collect();
    }

    // Sessions.

    fn at(&mut self, link: u8) -> Option<&mut AcceptedConnection> {
        self.accepted.iter_mut().find(|accepted| accepted.link == link)
    }

    fn session(&mut self, name: u8) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.name == name)
    }

    fn with<R>(&mut self, name: u8, change: impl FnOnce(&mut ServerSession) -> R) -> Option<R> {
        self.session(name).map(|session| change(&mut session.machine))
    }

    /// Carries out the actions of a session.
    fn act(&mut self, name: u8) -> Result<(), Violation> {
        let (defect, mut welcomed) = (self.defect, None);
        while let Some(session) = self.session(name)
            && let Some(action) = session.machine.poll_action()
        {
            let link = session.link;
            let payload_of =
                |seq: u64| session.requests.iter().find(|(other, ..)| *other == seq).map(|(_, payload, _)| *payload);
            let line = match action {
                ServerAction::Welcome { acked, keeps_requests, credits, .. } => {
                    welcomed = link;
                    let is_new = link.and_then(|link| self.at(link)).is_some_and(|accepted| {
                        accepted.is_welcomed = true;
                        accepted.is_new
                    });
                    let keeps_requests = keeps_requests || defect == Some(Defect::LostRequestsClaimedKept);
                    FromServer::Welcome { session: name, is_new, acked, keeps_requests, credits: credits as u64 }
                }
                ServerAction::Answer { .. } if defect == Some(Defect::AckForgotten) => continue,
                ServerAction::Answer { seq, answer: Answer::Stored(cursor) } => FromServer::Ack { seq, cursor },
                ServerAction::Answer { seq, answer: Answer::Refused(code) } => FromServer::Nack { seq, code },
                ServerAction::Respond { seq, part, more } => {
                    let payload = payload_of(seq).ok_or(Violation::RunTwice)?;
                    FromServer::Res { seq, part, more, payload }
                }
                ServerAction::FailRequest { code: ErrorCode::Expired, .. }
                    if defect == Some(Defect::TimeoutNotAnswered) =>
                {
                    continue;
                }
                ServerAction::FailRequest { seq, code } => FromServer::NackReq { seq, code },
                ServerAction::Drain { deadline, spread } => {
                    session.ends_with_connection = defect == Some(Defect::SessionEndedByDrain);
                    FromServer::Drain { deadline, spread }
                }
                ServerAction::Stop { seq } => {
                    session.requests.iter_mut().filter(|(other, ..)| *other == seq).for_each(|request| request.2 = 0);
                    continue;
                }
                ServerAction::Over => {
                    self.sessions.retain(|session| session.name != name);
                    self.store.disk.records.retain(|record| record.session != name);
                    continue;
                }
                _ => continue,
            };
            // A session has a connection when it sends.
            let link = link.ok_or(Violation::ClientError)?;
            self.out.push((link, line));
        }
        while let Some(link) = welcomed
            && let Some(line) = self.at(link).and_then(|accepted| accepted.deferred.pop_front())
        {
            self.handle(link, line)?;
        }
        Ok(())
    }
}

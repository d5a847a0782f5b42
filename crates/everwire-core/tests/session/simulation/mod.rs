//! A simulation of clients, a server, its broker and the connections between them, in virtual time. The state machines are those that ship,
//! and they exchange encoded lines.
//!
//! Everything that happens is an [`Event`]: a test runs a script of them, a property draws them at random. A simulation is a value that can
//! be cloned, compared and hashed. It checks the invariants at each event: neither side detects an error of the other, nothing is delivered
//! twice, an answer precedes the client's own copy, every publish and every request has one outcome, no request runs twice, and no message
//! is stored twice.
//!
//! `client` and `server` are the drivers of the state machines, `broker` is the store.

mod broker;
mod client;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::{
    Time,
    protocol::{ClientLine, ErrorCode, Line, Message, MessageWriter, Mode, Payload, Start},
    session::{
        ClientInput, ClientSession, PublishId, PublishOutcome, QueueError, RequestId, SessionLimits, SubscriptionId,
    },
};

pub(crate) use client::{Client, Item};
pub(crate) use server::{Presence, Server};

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// A client opens a connection, and the server accepts it.
    Dial(usize),
    /// A client loses its connection. What it sent may still arrive.
    ClientLoses(usize),
    /// The server loses a connection. What is in flight is lost.
    ServerLoses(u64),
    /// The server ends a connection whose session another one has taken over. Until then it keeps reading.
    EndSuperseded(u64),
    /// The next message of a client arrives.
    ToServer(u64),
    /// The next message of the server arrives.
    ToClient(u64),
    /// The broker stores the oldest publish of a channel,
    Store(String),
    /// or the server's rules refuse it.
    Refuse(String),
    /// The handler of a request of a session answers; others may follow.
    Respond(String, u64, bool),
    /// The server gives the client of a session another number of credits.
    Credits(String, usize),
    /// The server is about to stop: its clients connect again within this time.
    Drain(Time),
    /// The server takes the next step for a subscription that has not caught up.
    PollFeed(u64, String),
    /// The time of the next deadline has come.
    Deadline,
    /// The server's application publishes.
    ServerPublish(String),
    /// It sets the value of a key.
    ServerSet(String, u8),
    Trim(String, usize),
    /// The process ends and starts again.
    Restart,
    /// An administrator copies the disk,
    BackUp,
    /// and puts the copy in place of what is there now.
    RestoreBackup,
    /// The disk is empty when the process starts again.
    LoseDisk,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Simulation {
    now: Time,
    pub(crate) clients: Vec<Client>,
    pub(crate) server: Server,
    pub(crate) connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    /// Numbers what the server's application publishes.
    published: u64,
    /// The user of each client: its own number, unless a test changes it.
    pub(crate) users: Vec<u64>,
    /// The server was started again, so that requests were lost, and publishes that were not decided.
    has_restarted: bool,
    /// What is stored was lost at least once, so that what was reported as stored may be gone.
    has_lost_data: bool,
    /// An older copy was put in its place at least once.
    has_been_rolled_back: bool,
}

impl Simulation {
    pub(crate) fn new(clients: usize) -> Self {
        Self::with_limits(clients, SessionLimits::default().credits(8))
    }

    pub(crate) fn with_limits(clients: usize, limits: SessionLimits) -> Self {
        Self {
            now: Time::from_secs(1_000),
            clients: (0..clients).map(Client::new).collect(),
            server: Server::new(limits),
            connections: BTreeMap::new(),
            next_connection: 1,
            published: 0,
            users: (0..clients as u64).collect(),
            has_restarted: false,
            has_lost_data: false,
            has_been_rolled_back: false,
        }
    }

    // Events.

    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Dial(client) => self.dial(client),
            Event::ClientLoses(client) => self.client_loses(client, 1006),
            Event::ServerLoses(id) => {
                self.connections.remove(&id);
                self.server.lose(self.now, id);
            }
            Event::EndSuperseded(id) => self.server.end(id, ErrorCode::TakenOver),
            Event::ToServer(id) => {
                let message = self.connections.get_mut(&id).and_then(|connection| connection.up.pop_front());
                message.into_iter().for_each(|message| self.server.receive(self.now, id, &message));
            }
            Event::ToClient(id) => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                let client = &mut self.clients[connection.client];
                if client.connection == Some(id)
                    && let Some(frame) = connection.down.pop_front()
                {
                    client.receive(self.now, frame, &self.server.broker.disk.channels);
                }
            }
            Event::Store(channel) => self.server.decide(self.now, &channel, None),
            Event::Refuse(channel) => self.server.decide(self.now, &channel, Some(ErrorCode::Denied)),
            Event::Respond(session, seq, more) => self.server.respond(self.now, &session, seq, more),
            Event::Credits(session, credits) => self.server.set_credits(self.now, &session, credits),
            Event::Drain(time) => self.server.drain(self.now, time),
            Event::PollFeed(id, channel) => self.server.poll_feed(id, &channel),
            Event::Deadline => self.deadline(),
            Event::ServerPublish(channel) => {
                self.published += 1;
                self.server.publish(&channel, format!("p{}", self.published), None);
            }
            Event::ServerSet(channel, key) => {
                self.published += 1;
                self.server.publish(&channel, format!("p{}", self.published), Some(format!("key{key}")));
            }
            Event::Trim(channel, count) => self.server.broker.trim(&channel, count),
            Event::Restart => self.restart(),
            Event::BackUp => self.server.broker.back_up(),
            Event::RestoreBackup => {
                self.has_been_rolled_back = true;
                self.server.broker.restore_backup();
                self.lose_data();
            }
            Event::LoseDisk => {
                self.server.broker.lose_everything();
                self.lose_data();
            }
        }
        self.flush();
    }

    fn dial(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.connection.is_some() || client.machine.is_over() {
            return;
        }
        let id = self.next_connection;
        self.next_connection += 1;
        client.connection = Some(id);
        self.connections.insert(id, Connection::new(index));
        self.server.accept(id, self.users[index]);
        client.input(self.now, ClientInput::Connected);
    }

    fn client_loses(&mut self, index: usize, code: u16) {
        let client = &mut self.clients[index];
        if client.connection.is_some() {
            self.flush_client(index);
            let client = &mut self.clients[index];
            client.connection = None;
            client.input(self.now, ClientInput::Disconnected { code });
        }
    }

    fn deadline(&mut self) {
        let of_clients = self.clients.iter().filter_map(|client| client.machine.poll_deadline());
        let Some(next) = of_clients.chain(self.server.next_deadline()).min() else { return };
        self.now = self.now.max(next);
        self.wake();
    }

    fn wake(&mut self) {
        for client in &mut self.clients {
            client.input(self.now, ClientInput::Wake);
        }
        self.server.wake(self.now);
    }

    fn restart(&mut self) {
        self.has_restarted = true;
        self.server.restart(self.now);
        for index in 0..self.clients.len() {
            self.client_loses(index, 1006);
        }
        self.connections.clear();
    }

    fn lose_data(&mut self) {
        self.has_lost_data = true;
        self.clients.iter_mut().for_each(Client::store_was_rolled_back);
        self.restart();
    }

    /// Sends what the event has led to.
    fn flush(&mut self) {
        for index in 0..self.clients.len() {
            self.flush_client(index);
            if std::mem::take(&mut self.clients[index].leaves) {
                self.client_loses(index, 1000);
            }
        }
        let mut lines: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (id, frame) in self.server.take_output() {
            match frame {
                Frame::Text(line) => lines.entry(id).or_default().push(line),
                Frame::Close(_) => {
                    self.put_down(id, lines.remove(&id).and_then(join).map(Frame::Text));
                    self.put_down(id, Some(frame));
                }
            }
        }
        for (id, lines) in lines {
            self.put_down(id, join(lines).map(Frame::Text));
        }
        self.server.queued = self.connections.iter().map(|(id, connection)| (*id, connection.down.len())).collect();
    }

    fn flush_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let message = client.take_output();
        let connection = client.connection.and_then(|id| self.connections.get_mut(&id));
        connection.into_iter().for_each(|connection| connection.up.extend(message.clone()));
    }

    fn put_down(&mut self, id: u64, frame: Option<Frame>) {
        self.connections.get_mut(&id).into_iter().for_each(|connection| connection.down.extend(frame.clone()));
    }

    // The course of events without faults.

    /// The events that would follow without faults, the most urgent first.
    pub(crate) fn progress(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (id, connection) in &self.connections {
            let is_cut = self.clients[connection.client].connection != Some(*id);
            events.extend(self.server.is_superseded(*id).then_some(Event::EndSuperseded(*id)));
            if !connection.up.is_empty() && self.server.accepted.contains_key(id) {
                events.extend(self.server.reads_from(*id).then_some(Event::ToServer(*id)));
            } else if is_cut {
                events.push(Event::ServerLoses(*id));
            }
            events.extend((!connection.down.is_empty() && !is_cut).then_some(Event::ToClient(*id)));
        }
        let channels: BTreeSet<&String> =
            self.server.broker.undecided.iter().map(|undecided| &undecided.channel).collect();
        events.extend(channels.into_iter().map(|channel| Event::Store(channel.clone())));
        for (name, session) in &self.server.sessions {
            events.extend(session.running.keys().map(|seq| Event::Respond(name.clone(), *seq, false)));
        }
        for (id, accepted) in &self.server.accepted {
            let has_room = self.connections.get(id).is_some_and(|connection| connection.down.len() <= server::LOW);
            let channels = accepted.feeds.keys().filter(|channel| has_room && self.server.can_poll_feed(*id, channel));
            events.extend(channels.map(|channel| Event::PollFeed(*id, channel.clone())));
        }
        events
    }

    /// Runs until nothing is left to do.
    pub(crate) fn run(&mut self) {
        self.run_while(|_| true);
    }

    /// Runs until nothing is left to do, while the handlers of requests are busy.
    pub(crate) fn run_without_handlers(&mut self) {
        self.run_while(|event| !matches!(event, Event::Respond(..)));
    }

    fn run_while(&mut self, is_allowed: fn(&Event) -> bool) {
        for _ in 0..20_000 {
            let Some(event) = self.progress().into_iter().find(is_allowed) else { return };
            self.apply(event);
        }
        panic!("it never becomes quiescent: {:?}", self.progress());
    }

    /// The connection of a client.
    pub(crate) fn connection(&self, client: usize) -> u64 {
        self.clients[client].connection.expect("the client is connected")
    }

    /// Sends a line without the state machine.
    pub(crate) fn send(&mut self, client: usize, line: &ClientLine<'_>) {
        let id = self.connection(client);
        let connection = self.connections.get_mut(&id).expect("it carries lines");
        connection.up.push_back(encode(line, Payload::None));
    }

    /// Delivers everything in flight to a client.
    pub(crate) fn deliver_all(&mut self, client: usize) {
        while let Some(id) = self.clients[client].connection
            && !self.connections[&id].down.is_empty()
        {
            self.apply(Event::ToClient(id));
        }
    }

    /// Connects a client, and runs until nothing is left to do.
    pub(crate) fn connect(&mut self, client: usize) {
        self.apply(Event::Dial(client));
        self.run();
    }

    /// Breaks the connection of a client: both ends notice, and everything in flight is lost.
    pub(crate) fn disconnect(&mut self, client: usize) {
        let id = self.connection(client);
        self.apply(Event::ClientLoses(client));
        self.apply(Event::ServerLoses(id));
    }

    pub(crate) fn reconnect(&mut self, client: usize) {
        self.disconnect(client);
        self.connect(client);
    }

    /// Ends the client's session.
    pub(crate) fn end(&mut self, client: usize) {
        self.clients[client].machine.end(ErrorCode::Cancelled);
        self.clients[client].act(None);
        self.flush();
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Time) {
        self.now = self.now + time;
        self.wake();
        self.flush();
    }

    // Calls of the applications.

    pub(crate) fn subscribe(&mut self, client: usize, channel: &str, start: Start) -> SubscriptionId {
        self.subscribe_in(client, channel, start, Mode::Each)
    }

    pub(crate) fn subscribe_in(&mut self, client: usize, channel: &str, start: Start, mode: Mode) -> SubscriptionId {
        let id = self.clients[client].subscribe(channel, start, mode);
        self.flush();
        id
    }

    pub(crate) fn publish(&mut self, client: usize, channel: &str) -> PublishId {
        self.try_publish(client, channel, None).expect("there is room")
    }

    pub(crate) fn try_publish(
        &mut self,
        client: usize,
        channel: &str,
        time_to_live: Option<Time>,
    ) -> Result<PublishId, QueueError> {
        let id = self.clients[client].publish(self.now, channel, None, time_to_live);
        self.flush();
        id
    }

    pub(crate) fn publish_payload(&mut self, client: usize, payload: String) -> Result<PublishId, QueueError> {
        let id = self.clients[client].publish_payload(self.now, "chat", payload, None, None);
        self.flush();
        id
    }

    pub(crate) fn server_publishes(&mut self, channel: &str, times: usize) {
        (0..times).for_each(|_| self.apply(Event::ServerPublish(channel.to_owned())));
    }

    /// The server's application sets the value of a key.
    pub(crate) fn server_sets(&mut self, channel: &str, key: &str, value: &str) {
        self.server.publish(channel, value.to_owned(), Some(key.to_owned()));
        self.flush();
    }

    pub(crate) fn request(&mut self, client: usize) -> RequestId {
        self.try_request(client, None).expect("there is room")
    }

    pub(crate) fn try_request(&mut self, client: usize, timeout: Option<Time>) -> Result<RequestId, QueueError> {
        let id = self.clients[client].request(self.now, timeout);
        self.flush();
        id
    }

    pub(crate) fn cancel(&mut self, client: usize, request: RequestId) {
        self.clients[client].machine.cancel(request);
        self.clients[client].act(None);
        self.flush();
    }

    pub(crate) fn pause(&mut self, client: usize, channel: &str) {
        self.change_subscription(client, channel, ClientSession::pause);
    }

    pub(crate) fn resume(&mut self, client: usize, channel: &str) {
        self.change_subscription(client, channel, ClientSession::resume);
    }

    pub(crate) fn unsubscribe(&mut self, client: usize, channel: &str) {
        self.change_subscription(client, channel, ClientSession::unsubscribe);
    }

    /// Subscribes to a channel once the subscription before is over, or starts that one over.
    pub(crate) fn subscribe_again(&mut self, client: usize, channel: &str, start: Start) {
        if self.clients[client].subscription_of(channel).is_none() {
            self.subscribe(client, channel, start);
        } else {
            self.clients[client].restart(channel, start);
            self.flush();
        }
    }

    fn change_subscription(&mut self, client: usize, channel: &str, change: fn(&mut ClientSession, SubscriptionId)) {
        let client = &mut self.clients[client];
        if let Some(id) = client.subscription_of(channel) {
            change(&mut client.machine, id);
            client.act(None);
        }
        self.flush();
    }

    // Checks.

    /// Checks what must hold when every client is connected and nothing is left to do.
    pub(crate) fn check_quiescent(&self) {
        for client in &self.clients {
            assert_eq!(client.over, None, "the session of an correct client is over");
            assert_eq!(client.machine.pending(), 0, "something is unanswered");
            for publish in client.publishes.values() {
                let outcome = publish.outcome.unwrap_or_else(|| panic!("{} has no outcome", publish.payload));
                self.check_outcome(&publish.channel, &publish.payload, outcome);
            }
            for request in client.requests.values() {
                let outcome = request.outcome.unwrap_or_else(|| panic!("{} has no outcome", request.payload));
                let has_run = self.server.runs.contains(&request.payload);
                assert!(outcome.is_err() || has_run, "{} is answered and has not run", request.payload);
                if outcome == Err(ErrorCode::Unknown) {
                    self.check_unknown(&request.payload);
                }
            }
            client.check_nothing_is_missing(&self.server.broker.disk.channels);
            // The message that a value was left out for may have been rolled back: see `Feed`.
            if !self.has_been_rolled_back {
                client.check_values(&self.server.broker.disk.channels);
            }
        }
    }

    /// The outcome that was reported is what the broker has.
    fn check_outcome(&self, channel: &str, payload: &str, outcome: PublishOutcome) {
        let channel = self.server.broker.disk.channels.get(channel);
        let mut messages = channel.into_iter().flat_map(|channel| &channel.messages);
        let found = messages.find(|message| message.payload == payload).map(|message| message.cursor);
        match outcome {
            PublishOutcome::Stored(cursor) => {
                assert!(
                    found == Some(cursor) || self.has_lost_data,
                    "{payload} is reported at {cursor:?}, and is at {found:?}"
                );
            }
            PublishOutcome::Failed(ErrorCode::Unknown) => self.check_unknown(payload),
            PublishOutcome::Failed(code) => assert_eq!(found, None, "{payload} is stored, and reported as {code}"),
        }
    }

    /// An outcome is unknown only where the server has forgotten something.
    fn check_unknown(&self, payload: &str) {
        let has_expired = self.server.presence.iter().any(|presence| matches!(presence, Presence::Left(_)));
        assert!(self.has_restarted || has_expired, "the outcome of {payload} is unknown without a reason");
    }
}

/// What a connection carries to a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    /// A message with one or more lines.
    Text(String),
    /// The server closes with this code.
    Close(u16),
}

/// A connection between a client and the server. Both ends can be gone without the other one knowing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Connection {
    pub(crate) client: usize,
    /// Messages in flight to the server.
    pub(crate) up: VecDeque<String>,
    /// Frames in flight to the client.
    pub(crate) down: VecDeque<Frame>,
}

impl Connection {
    fn new(client: usize) -> Self {
        Self { client, up: VecDeque::new(), down: VecDeque::new() }
    }
}

/// A line as a text message.
fn encode<'a>(line: &impl Line<'a>, payload: Payload<'_>) -> String {
    let mut writer = MessageWriter::new(usize::MAX);
    writer.push(line, payload).unwrap_or_else(|error| panic!("a line that cannot be sent: {error}"));
    match writer.pop() {
        Some(Message::Text(text)) => text,
        other => panic!("{other:?} is not a text message"),
    }
}

/// Lines that are ready together travel in one message.
fn join(lines: Vec<String>) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join("\u{1e}"))
}

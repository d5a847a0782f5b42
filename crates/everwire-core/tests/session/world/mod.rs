//! Clients, a server, its broker and the links between them, in virtual time. The machines are those that ship; what they send to each other
//! travels as lines.
//!
//! Everything that happens is an [`Event`]: a test plays a script of them, a property draws them at random. A world is a value that can
//! be cloned, compared and hashed, so that all orders of events can be tried as well. It checks at each event what must always hold: no
//! side finds the other in error, nothing is delivered twice, an answer precedes the client's own copy, every publish and every request
//! has one outcome, no request runs twice, and no message is stored twice.

mod broker;
mod client;
mod link;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::{
    Time,
    protocol::{ClientLine, ErrorCode, Mode, Payload, Start},
    session::{
        ClientInput, ClientSession, PublishId, PublishOutcome, QueueError, RequestId, SessionLimits, SubscriptionId,
    },
};

pub(crate) use client::{Client, Item};
pub(crate) use link::{Connection, Frame};
pub(crate) use server::{Presence, Server};

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// A client opens a connection, and the server accepts it.
    Dial(usize),
    /// A client finds its connection broken. What it sent may still arrive.
    Cut(usize),
    /// The server finds a connection broken. What is on its way is lost.
    Notice(u64),
    /// The server ends a connection of which another one has taken the session. Until it gets to that, it goes on reading.
    End(u64),
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
    /// The server goes away soon: it asks its clients to connect again within this time.
    Drain(Time),
    /// The server does the next thing for a subscription that has not caught up.
    Pump(u64, String),
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
pub(crate) struct World {
    now: Time,
    pub(crate) clients: Vec<Client>,
    pub(crate) server: Server,
    pub(crate) connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    /// Numbers what the server's application publishes.
    published: u64,
    /// The user of each client: its own number, unless a test says otherwise.
    pub(crate) users: Vec<u64>,
    /// The server was started again, so that requests were lost, and publishes that were not decided.
    has_restarted: bool,
    /// What is stored was lost at least once, so that what was reported as stored may be gone.
    has_lost_data: bool,
    /// An older copy was put in its place at least once.
    has_gone_back: bool,
}

impl World {
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
            has_gone_back: false,
        }
    }

    // What happens.

    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Dial(client) => self.dial(client),
            Event::Cut(client) => self.cut(client, 1006),
            Event::Notice(id) => {
                self.connections.remove(&id);
                self.server.lose(self.now, id);
            }
            Event::End(id) => self.server.end(id, ErrorCode::TakenOver),
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
            Event::Pump(id, channel) => self.server.pump(id, &channel),
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
                self.has_gone_back = true;
                self.server.broker.restore_backup();
                self.lose_data();
            }
            Event::LoseDisk => {
                self.server.broker.lose_everything();
                self.lose_data();
            }
        }
        self.settle();
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

    fn cut(&mut self, index: usize, code: u16) {
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
            self.cut(index, 1006);
        }
        self.connections.clear();
    }

    fn lose_data(&mut self) {
        self.has_lost_data = true;
        self.clients.iter_mut().for_each(Client::store_went_back);
        self.restart();
    }

    /// Puts on the link what the event has led to.
    fn settle(&mut self) {
        for index in 0..self.clients.len() {
            self.flush_client(index);
            if std::mem::take(&mut self.clients[index].leaves) {
                self.cut(index, 1000);
            }
        }
        let mut lines: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (id, frame) in self.server.take_output() {
            match frame {
                Frame::Text(line) => lines.entry(id).or_default().push(line),
                Frame::Close(_) => {
                    self.put_down(id, lines.remove(&id).and_then(link::join).map(Frame::Text));
                    self.put_down(id, Some(frame));
                }
            }
        }
        for (id, lines) in lines {
            self.put_down(id, link::join(lines).map(Frame::Text));
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

    // What goes on by itself.

    /// What would happen next without faults, the most urgent first.
    pub(crate) fn progress(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (id, connection) in &self.connections {
            let is_cut = self.clients[connection.client].connection != Some(*id);
            events.extend(self.server.is_superseded(*id).then_some(Event::End(*id)));
            if !connection.up.is_empty() && self.server.accepted.contains_key(id) {
                events.extend(self.server.reads_from(*id).then_some(Event::ToServer(*id)));
            } else if is_cut {
                events.push(Event::Notice(*id));
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
            let channels = accepted.feeds.keys().filter(|channel| has_room && self.server.can_pump(*id, channel));
            events.extend(channels.map(|channel| Event::Pump(*id, channel.clone())));
        }
        events
    }

    /// Lets everything go on until nothing is left to do.
    pub(crate) fn run(&mut self) {
        self.run_while(|_| true);
    }

    /// Lets everything go on, while the handlers of requests are busy.
    pub(crate) fn run_without_handlers(&mut self) {
        self.run_while(|event| !matches!(event, Event::Respond(..)));
    }

    fn run_while(&mut self, is_allowed: fn(&Event) -> bool) {
        for _ in 0..20_000 {
            let Some(event) = self.progress().into_iter().find(is_allowed) else { return };
            self.apply(event);
        }
        panic!("it never comes to rest: {:?}", self.progress());
    }

    /// The connection of a client.
    pub(crate) fn connection(&self, client: usize) -> u64 {
        self.clients[client].connection.expect("the client is connected")
    }

    /// Sends a line that the machine does not know of.
    pub(crate) fn send(&mut self, client: usize, line: &ClientLine<'_>) {
        let id = self.connection(client);
        let connection = self.connections.get_mut(&id).expect("it carries lines");
        connection.up.push_back(link::text(line, Payload::None));
    }

    /// All that is under way to a client arrives.
    pub(crate) fn take_all(&mut self, client: usize) {
        while let Some(id) = self.clients[client].connection
            && !self.connections[&id].down.is_empty()
        {
            self.apply(Event::ToClient(id));
        }
    }

    /// Connects a client, and lets everything go on.
    pub(crate) fn connect(&mut self, client: usize) {
        self.apply(Event::Dial(client));
        self.run();
    }

    /// The connection of a client breaks, both ends notice, and what is on its way is lost.
    pub(crate) fn disconnect(&mut self, client: usize) {
        let id = self.connection(client);
        self.apply(Event::Cut(client));
        self.apply(Event::Notice(id));
    }

    pub(crate) fn reconnect(&mut self, client: usize) {
        self.disconnect(client);
        self.connect(client);
    }

    /// The client says goodbye.
    pub(crate) fn end(&mut self, client: usize) {
        self.clients[client].machine.end(ErrorCode::Cancelled);
        self.clients[client].act(None);
        self.settle();
    }

    /// Time passes, and nothing else happens.
    pub(crate) fn pass(&mut self, time: Time) {
        self.now = self.now + time;
        self.wake();
        self.settle();
    }

    // What the applications ask for.

    pub(crate) fn subscribe(&mut self, client: usize, channel: &str, start: Start) -> SubscriptionId {
        self.subscribe_in(client, channel, start, Mode::Each)
    }

    pub(crate) fn subscribe_in(&mut self, client: usize, channel: &str, start: Start, mode: Mode) -> SubscriptionId {
        let id = self.clients[client].subscribe(channel, start, mode);
        self.settle();
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
        self.settle();
        id
    }

    pub(crate) fn publish_payload(&mut self, client: usize, payload: String) -> Result<PublishId, QueueError> {
        let id = self.clients[client].publish_payload(self.now, "chat", payload, None, None);
        self.settle();
        id
    }

    pub(crate) fn server_publishes(&mut self, channel: &str, times: usize) {
        (0..times).for_each(|_| self.apply(Event::ServerPublish(channel.to_owned())));
    }

    /// The server's application sets the value of a key.
    pub(crate) fn server_sets(&mut self, channel: &str, key: &str, value: &str) {
        self.server.publish(channel, value.to_owned(), Some(key.to_owned()));
        self.settle();
    }

    pub(crate) fn request(&mut self, client: usize) -> RequestId {
        self.try_request(client, None).expect("there is room")
    }

    pub(crate) fn try_request(&mut self, client: usize, timeout: Option<Time>) -> Result<RequestId, QueueError> {
        let id = self.clients[client].request(self.now, timeout);
        self.settle();
        id
    }

    pub(crate) fn cancel(&mut self, client: usize, request: RequestId) {
        self.clients[client].machine.cancel(request);
        self.clients[client].act(None);
        self.settle();
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
            self.settle();
        }
    }

    fn change_subscription(&mut self, client: usize, channel: &str, change: fn(&mut ClientSession, SubscriptionId)) {
        let client = &mut self.clients[client];
        if let Some(id) = client.subscription_of(channel) {
            change(&mut client.machine, id);
            client.act(None);
        }
        self.settle();
    }

    // What holds.

    /// What must hold when every client is connected and nothing is left to do.
    pub(crate) fn check_at_rest(&self) {
        for client in &self.clients {
            assert_eq!(client.over, None, "the session of an honest client is over");
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
            // What a value was left out for may have gone back with the store: see `Feed`.
            if !self.has_gone_back {
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
                    "{payload} is said to be at {cursor:?}: {found:?}"
                );
            }
            PublishOutcome::Failed(ErrorCode::Unknown) => self.check_unknown(payload),
            PublishOutcome::Failed(code) => assert_eq!(found, None, "{payload} is stored, and said to be {code}"),
        }
    }

    /// An outcome is unknown only where the server has forgotten something.
    fn check_unknown(&self, payload: &str) {
        let has_expired = self.server.presence.iter().any(|presence| matches!(presence, Presence::Left(_)));
        assert!(self.has_restarted || has_expired, "the outcome of {payload} is unknown for no reason");
    }
}

//! A simulation of one connection in virtual time: a driver, a link, a server, timers and a page.
//!
//! The driver uses the entry points that the drivers of Rust and JavaScript use, in the same order, and checks the invariants: never two
//! sockets at once, no action for a socket that is not the current one, no timer that is due again and again. A minute after it detached
//! from a socket, it reports the close that Chromium reports by then, which must never have an effect.
//!
//! `driver` carries out actions and delivers events; `network` is the link and the server.

mod driver;
mod network;

use std::collections::BTreeMap;

use everwire_core::{
    Action, Config, Connection, Decision, Delivery, DropCause, Input, MessageId, Network, Page, Phase, QueueOptions,
    Refusal, SocketId, Time,
};

use driver::{Event, EventQueue, ToClient};
use network::{Link, Server, Uplink};

pub(crate) use network::OnDial;

/// The application opens the connection.
pub(crate) const OPEN: Input = Input::Open { since_last_dial: None };

pub(crate) const fn s(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

pub(crate) const fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

/// How punctual the page's timers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Timers {
    Punctual,
    /// Once a minute, as Chromium runs the timers of a page that has been hidden for five minutes.
    EveryMinute,
    /// Not at all, and no other event either: the page is frozen, or the machine sleeps.
    Frozen,
}

/// Whether a message was handed to the socket or queued.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sent {
    Now(MessageId),
    Queued(MessageId),
}

impl Sent {
    pub(crate) fn id(self) -> MessageId {
        match self {
            Self::Now(id) | Self::Queued(id) => id,
        }
    }
}

/// A connection, its driver and everything around them. Each method lets something happen and carries out what follows.
pub(crate) struct Simulation {
    pub(crate) now: Time,
    pub(crate) client: Connection,
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) timers: Timers,
    /// The reports to the application, with their times.
    pub(crate) log: Vec<(Time, Action)>,
    /// The messages delivered to the application.
    pub(crate) delivered: Vec<String>,
    pub(crate) dials: Vec<Time>,
    pub(crate) pings: Vec<Time>,
    pub(crate) measurements: usize,
    pub(crate) on_open: Vec<String>,
    /// How the provider of the address behaves for the attempts that follow.
    pub(crate) provider: Provider,
    /// The reconnect policy of the application; `None` for the default decision.
    pub(crate) policy: fn(&DropCause) -> Option<Decision>,
    /// The texts of the messages in the outbox, which the driver keeps.
    queued: BTreeMap<MessageId, String>,
    events: EventQueue,
    socket: Option<Socket>,
    /// How far the wall clock is ahead of the monotonic one.
    slept: Time,
    /// Events for a page that is frozen.
    deferred: Vec<ToClient>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Provider {
    Answers,
    Fails,
    Hangs,
}

struct Socket {
    id: SocketId,
    is_open: bool,
    uplink: Uplink,
}

impl Simulation {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        Self {
            now: s(1_000),
            client: Connection::new(config, seed),
            server: Server::default(),
            link: Link::default(),
            timers: Timers::Punctual,
            log: Vec::new(),
            delivered: Vec::new(),
            dials: Vec::new(),
            pings: Vec::new(),
            measurements: 0,
            on_open: Vec::new(),
            provider: Provider::Answers,
            policy: |_| None,
            queued: BTreeMap::new(),
            events: EventQueue::default(),
            socket: None,
            slept: Time::ZERO,
            deferred: Vec::new(),
        }
    }

    /// A simulation whose connection has just opened.
    pub(crate) fn open(config: Config, seed: u64) -> Self {
        let mut sim = Self::new(config, seed);
        sim.input(OPEN);
        sim.run_until_open();
        sim
    }

    pub(crate) fn send(&mut self, message: &str) -> Result<Sent, Refusal> {
        self.send_with(message, QueueOptions::default())
    }

    pub(crate) fn send_with(&mut self, message: &str, options: QueueOptions) -> Result<Sent, Refusal> {
        self.send_as(message, options, false)
    }

    /// Sends ahead of the outbox.
    pub(crate) fn send_priority(&mut self, message: &str) -> Result<Sent, Refusal> {
        self.send_as(message, QueueOptions::default(), true)
    }

    fn send_as(&mut self, message: &str, options: QueueOptions, priority: bool) -> Result<Sent, Refusal> {
        if let Some(id) = self.client.send_now(message.len(), priority) {
            self.write_text(self.socket(), message.to_owned());
            self.act();
            return Ok(Sent::Now(id));
        }
        let id = self.client.enqueue(self.now, message.len(), options)?;
        self.queued.insert(id, message.to_owned());
        self.act();
        Ok(Sent::Queued(id))
    }

    /// Sends a message that must be accepted.
    pub(crate) fn send_accepted(&mut self, message: &str) -> MessageId {
        self.send(message).expect("the message is accepted").id()
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.client.handle(self.now, input);
        self.act();
    }

    pub(crate) fn receive(&mut self, socket: SocketId, message: &str) {
        if self.client.receive(self.now, socket, message.len()) == Delivery::Deliver {
            self.delivered.push(message.to_owned());
        }
        self.act();
    }

    pub(crate) fn run_for(&mut self, time: Time) {
        self.run_until(self.now + time);
    }

    pub(crate) fn run_until(&mut self, end: Time) {
        while self.step(end) {}
        self.now = end;
    }

    pub(crate) fn run_until_open(&mut self) -> Time {
        self.run_until_phase("open", |phase| phase.is_open())
    }

    /// Runs until the phase matches. Returns how long that took.
    pub(crate) fn run_until_phase(&mut self, name: &str, matches: impl Fn(Phase) -> bool) -> Time {
        let start = self.now;
        while !matches(self.client.phase()) {
            assert!(self.step(start + s(86_400)), "it is never {name}: {:?}", self.client.phase());
        }
        self.now - start
    }

    /// Runs until another socket is open. Returns how long that took.
    pub(crate) fn run_until_replaced(&mut self) -> Time {
        let before = self.client.phase().socket();
        self.run_until_phase("replaced", |phase| phase.is_open() && phase.socket() != before)
    }

    /// How often a socket opened.
    pub(crate) fn open_count(&self) -> usize {
        self.log.iter().filter(|(_, action)| matches!(action, Action::Opened { .. })).count()
    }

    /// The causes of all drops.
    pub(crate) fn drop_causes(&self) -> Vec<&DropCause> {
        let causes = self.log.iter().filter_map(|(_, action)| match action {
            Action::Dropped { cause, .. } => Some(cause),
            _ => None,
        });
        causes.collect()
    }

    pub(crate) fn last_report(&self) -> &Action {
        &self.log.last().expect("something was reported").1
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.client.phase().socket().expect("there is a socket")
    }

    /// The messages reported to be at risk, a list for each drop and for the end.
    pub(crate) fn at_risk(&self) -> Vec<Vec<MessageId>> {
        let reports = self.log.iter().filter_map(|(_, action)| match action {
            Action::Dropped { at_risk, .. } | Action::Closed { at_risk, .. } => Some(at_risk.messages.clone()),
            _ => None,
        });
        reports.collect()
    }
}

/// Events.
impl Simulation {
    pub(crate) fn page(&mut self, page: Page) {
        self.input(Input::Page(page));
    }

    pub(crate) fn close(&mut self) {
        self.input(Input::Close);
    }

    /// Makes the connection half-open: nothing passes, and the platform does not report it. A new connection would work.
    pub(crate) fn go_half_open(&mut self) {
        if let Some(socket) = &mut self.socket {
            socket.uplink.die(self.now, &self.link);
        }
    }

    /// Has the platform report that the socket closed without a close frame.
    pub(crate) fn drop_socket(&mut self) {
        let socket = self.socket();
        let buffered = self.buffered(socket);
        self.lose_socket(socket);
        self.input(Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered });
    }

    pub(crate) fn go_offline(&mut self) {
        self.link.has_network = false;
        self.link.is_stalled = true;
        self.input(Input::Network(Network::Offline));
    }

    pub(crate) fn go_online(&mut self) {
        self.link.has_network = true;
        self.link.is_stalled = false;
        self.input(Input::Network(Network::Online));
    }

    /// Freezes the page, with an event. The server keeps sending.
    pub(crate) fn freeze_for(&mut self, time: Time) {
        self.page(Page::Frozen);
        self.stall_for(time);
    }

    /// Runs nothing in the page: a busy main thread, or a freeze without an event. Events of this time arrive behind the timer that is due.
    pub(crate) fn stall_for(&mut self, time: Time) {
        let before = std::mem::replace(&mut self.timers, Timers::Frozen);
        self.run_for(time);
        self.timers = before;
        for (index, to_client) in std::mem::take(&mut self.deferred).into_iter().enumerate() {
            let after = Time::from_millis(1 + index as u64);
            self.events.add(self.now + after, Event::AtClient(to_client));
        }
    }

    /// Lets the machine sleep. Some platforms' monotonic clock stops meanwhile.
    pub(crate) fn sleep_for(&mut self, time: Time, monotonic_runs_on: bool) {
        if monotonic_runs_on {
            self.stall_for(time);
        } else {
            self.slept = self.slept + time;
        }
    }

    /// Has the platform refuse the attempt.
    pub(crate) fn refuse_socket(&mut self, cause: DropCause) {
        let socket = self.socket();
        self.lose_socket(socket);
        self.input(Input::Dropped { socket, cause, buffered: 0 });
    }

    /// Fires the timer, due or not.
    pub(crate) fn wake(&mut self) {
        self.input(Input::Wake { wall: self.now + self.slept });
    }
}

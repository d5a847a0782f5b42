//! A simulated world around one connection: a driver, a link, a server, timers and a page, in virtual time.
//!
//! The driver uses the entry points that the drivers of Rust and JavaScript use, in the same order, and checks the rules that hold
//! always: never two sockets at once, no action for a socket that is not the current one, no timer that is due again and again. A
//! minute after it detached from a socket, it reports the close that Chromium would report by then, which must never have an effect.

mod agenda;
mod driver;
mod link;
mod scenes;
mod server;

use std::collections::BTreeMap;

use everwire_core::{
    Action, Config, Connection, DropCause, Input, MessageId, Phase, QueueOptions, Refusal, SocketId, Time,
};

use agenda::Agenda;
pub(crate) use link::Link;
use link::Uplink;
pub(crate) use server::{Accepts, Server};

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

/// What became of a message at once.
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

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) client: Connection,
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) timers: Timers,
    /// What was reported to the application, and when.
    pub(crate) log: Vec<(Time, Action)>,
    /// The messages delivered to the application.
    pub(crate) delivered: Vec<String>,
    pub(crate) dials: Vec<Time>,
    pub(crate) pings: Vec<Time>,
    pub(crate) measurements: usize,
    pub(crate) on_open: Vec<String>,
    /// What the provider of the address does for the attempts that follow.
    pub(crate) provider: Provider,
    /// What the application decides where it is asked; `None` for the default.
    pub(crate) policy: fn(&DropCause) -> Option<everwire_core::Decision>,
    /// The messages in the outbox, which the driver keeps.
    waiting: BTreeMap<MessageId, String>,
    agenda: Agenda,
    socket: Option<Socket>,
    /// By how much the wall clock is ahead of the monotonic one.
    slept: Time,
    /// What would have happened in the page, had it not been frozen.
    held: Vec<agenda::ToClient>,
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

impl World {
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
            waiting: BTreeMap::new(),
            agenda: Agenda::default(),
            socket: None,
            slept: Time::ZERO,
            held: Vec::new(),
        }
    }

    /// A world in which the connection has just opened.
    pub(crate) fn open(config: Config, seed: u64) -> Self {
        let mut world = Self::new(config, seed);
        world.input(OPEN);
        world.run_until_open();
        world
    }

    pub(crate) fn send(&mut self, message: &str) -> Result<Sent, Refusal> {
        self.send_with(message, QueueOptions::default())
    }

    pub(crate) fn send_with(&mut self, message: &str, options: QueueOptions) -> Result<Sent, Refusal> {
        self.send_as(message, options, false)
    }

    /// Sends ahead of what waits.
    pub(crate) fn send_first(&mut self, message: &str) -> Result<Sent, Refusal> {
        self.send_as(message, QueueOptions::default(), true)
    }

    fn send_as(&mut self, message: &str, options: QueueOptions, priority: bool) -> Result<Sent, Refusal> {
        if let Some(id) = self.client.send_now(message.len(), priority) {
            self.put_text(self.socket(), message.to_owned());
            self.act();
            return Ok(Sent::Now(id));
        }
        let id = self.client.enqueue(self.now, message.len(), options)?;
        self.waiting.insert(id, message.to_owned());
        self.act();
        Ok(Sent::Queued(id))
    }

    pub(crate) fn accept(&mut self, message: &str) -> MessageId {
        self.send(message).expect("the message is accepted").id()
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.client.handle(self.now, input);
        self.act();
    }

    pub(crate) fn receive(&mut self, socket: SocketId, message: &str) {
        if self.client.receive(self.now, socket, message.len()) == everwire_core::Delivery::Deliver {
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

    /// Runs on until the phase is as wanted. Returns how long that took.
    pub(crate) fn run_until_phase(&mut self, name: &str, is_wanted: impl Fn(Phase) -> bool) -> Time {
        let start = self.now;
        while !is_wanted(self.client.phase()) {
            assert!(self.step(start + s(86_400)), "it is never {name}: {:?}", self.client.phase());
        }
        self.now - start
    }

    /// Runs on until there is another socket than now. Returns how long that took.
    pub(crate) fn run_until_replaced(&mut self) -> Time {
        let before = self.client.phase().socket();
        self.run_until_phase("replaced", |phase| phase.is_open() && phase.socket() != before)
    }

    pub(crate) fn opens(&self) -> usize {
        self.log.iter().filter(|(_, action)| matches!(action, Action::Opened { .. })).count()
    }

    pub(crate) fn drops(&self) -> Vec<&DropCause> {
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
    pub(crate) fn reports(&self) -> Vec<Vec<MessageId>> {
        let reports = self.log.iter().filter_map(|(_, action)| match action {
            Action::Dropped { at_risk, .. } | Action::Closed { at_risk, .. } => Some(at_risk.messages.clone()),
            _ => None,
        });
        reports.collect()
    }
}

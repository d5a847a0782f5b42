//! A simulated world around one connection: a driver that obeys its actions, a link, a server, timers and a page.
//!
//! The driver checks the rules that hold always: never two sockets at once, no action for a socket that is not the current
//! one, no timer that is due again and again. A minute after it abandoned a socket, it reports the close that Chromium would
//! report by then, which must never have an effect.

mod agenda;
mod driver;
mod link;
mod scenes;
mod server;

use std::time::Duration;

use everwire_core::{Config, Connection, Event, Input, MessageId, Refused, SendOptions, Sent, SocketId, State};

use agenda::Agenda;
pub(crate) use link::Link;
use link::Uplink;
pub(crate) use server::{Greets, Server};

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
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

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) client: Connection<String>,
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) timers: Timers,
    /// What the application was told, and when.
    pub(crate) log: Vec<(Duration, Event<String>)>,
    pub(crate) dials: Vec<Duration>,
    pub(crate) pings: Vec<Duration>,
    pub(crate) measurements: usize,
    pub(crate) greeting: Vec<String>,
    /// What the provider of the address does for the attempts that follow.
    pub(crate) provider: Provider,
    agenda: Agenda,
    socket: Option<Socket>,
    /// By how much the wall clock is ahead of the monotonic one.
    slept: Duration,
    /// What would have happened in the page, had it not been frozen.
    held: Vec<Input<String>>,
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
            dials: Vec::new(),
            pings: Vec::new(),
            measurements: 0,
            greeting: Vec::new(),
            provider: Provider::Answers,
            agenda: Agenda::default(),
            socket: None,
            slept: Duration::ZERO,
            held: Vec::new(),
        }
    }

    /// A world in which the connection has just opened.
    pub(crate) fn open(config: Config, seed: u64) -> Self {
        let mut world = Self::new(config, seed);
        world.input(Input::Open);
        world.run_until_open();
        world
    }

    pub(crate) fn send(&mut self, message: &str) -> Result<Sent, Refused<String>> {
        self.send_with(message, SendOptions::default())
    }

    pub(crate) fn send_with(&mut self, message: &str, options: SendOptions) -> Result<Sent, Refused<String>> {
        let sent = self.client.send(self.now, message.to_owned(), options);
        self.obey();
        sent
    }

    pub(crate) fn accept(&mut self, message: &str) -> MessageId {
        self.send(message).expect("the message is accepted").id()
    }

    pub(crate) fn input(&mut self, input: Input<String>) {
        self.client.handle(self.now, input);
        self.obey();
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    pub(crate) fn run_until(&mut self, end: Duration) {
        while self.step(end) {}
        self.now = end;
    }

    pub(crate) fn run_until_open(&mut self) -> Duration {
        self.run_until_state("open", |state| state.is_open())
    }

    /// Runs on until the state is as wanted. Returns how long that took.
    pub(crate) fn run_until_state(&mut self, name: &str, is_wanted: impl Fn(State) -> bool) -> Duration {
        let start = self.now;
        while !is_wanted(self.client.state()) {
            assert!(self.step(start + s(86_400)), "it is never {name}: {:?}", self.client.state());
        }
        self.now - start
    }

    /// Runs on until there is another socket than now. Returns how long that took.
    pub(crate) fn run_until_replaced(&mut self) -> Duration {
        let before = self.client.state().socket();
        self.run_until_state("replaced", |state| state.is_open() && state.socket() != before)
    }

    pub(crate) fn opens(&self) -> usize {
        self.log.iter().filter(|(_, event)| matches!(event, Event::Opened { .. })).count()
    }

    pub(crate) fn drops(&self) -> Vec<&everwire_core::Cause> {
        let causes = self.log.iter().filter_map(|(_, event)| match event {
            Event::Dropped { cause, .. } => Some(cause),
            _ => None,
        });
        causes.collect()
    }

    pub(crate) fn last_event(&self) -> &Event<String> {
        &self.log.last().expect("something was told").1
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.client.state().socket().expect("there is a socket")
    }
}

impl World {
    /// The messages reported to be at risk, a list for each drop and for the end.
    pub(crate) fn reports(&self) -> Vec<Vec<MessageId>> {
        let reports = self.log.iter().filter_map(|(_, event)| match event {
            Event::Dropped { at_risk, .. } | Event::Closed { at_risk, .. } => Some(at_risk.messages.clone()),
            _ => None,
        });
        reports.collect()
    }
}

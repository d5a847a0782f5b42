use std::{collections::BTreeMap, time::Duration};

use everwire_core::{Action, Connection, Event, Input, MessageId, Network, Page, SocketId, State};

use super::{play::Parcel, script::Script};

/// What must hold at each step.
pub(crate) struct Rules {
    floor: Duration,
    is_sane: bool,
    /// The socket that the driver holds, and whether it is open.
    socket: Option<(SocketId, bool)>,
    /// The socket that the application closed: nothing but its end may follow.
    is_closing: bool,
    last_dial: Option<Duration>,
    /// When the next attempt was announced for.
    announced: Option<Duration>,
    /// What is at hand allows an attempt before its time.
    is_brought_forward: bool,
    /// How far the wall clock was ahead at the last wake.
    wall_ahead: Duration,
    /// Accepted, and neither transmitted nor reported: by number.
    waiting: BTreeMap<u64, MessageId>,
    last_transmitted: u64,
    spins: (Duration, u32),
    progress: bool,
}

impl Rules {
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            floor: script.config.backoff.floor,
            is_sane: script.is_sane,
            socket: None,
            is_closing: false,
            last_dial: None,
            announced: None,
            is_brought_forward: false,
            wall_ahead: Duration::ZERO,
            waiting: BTreeMap::new(),
            last_transmitted: 0,
            spins: (Duration::ZERO, 0),
            progress: false,
        }
    }

    /// Notes what an input allows, and what the driver knows by it.
    pub(crate) fn before(&mut self, now: Duration, client: &Connection<Parcel>, input: &Input<Parcel>) {
        self.progress = false;
        if matches!(
            input,
            Input::Open
                | Input::Reconnect
                | Input::Network(Network::Online)
                | Input::Page(Page::Visible | Page::Resumed | Page::Restored)
        ) {
            self.is_brought_forward = true;
        }
        // Time may have jumped: the core may take that for a sleep.
        if let Input::Wake { wall } = input {
            let ahead = wall.saturating_sub(now);
            let has_jumped = ahead != std::mem::replace(&mut self.wall_ahead, ahead);
            self.is_brought_forward |= has_jumped || client.poll_deadline().is_none_or(|due| due != now);
        }
        match (input, &mut self.socket) {
            (Input::Opened { socket, .. }, Some((current, is_open))) if current == socket => *is_open = true,
            (Input::Dropped { socket, .. }, Some((current, _))) if current == socket => self.socket = None,
            _ => {}
        }
    }

    pub(crate) fn accepted(&mut self, id: MessageId, number: u64) {
        let before = self.waiting.insert(number, id);
        assert_eq!(before, None);
    }

    pub(crate) fn action(&mut self, now: Duration, before: State, action: Action<Parcel>) {
        self.progress = true;
        match action {
            Action::Dial { socket, .. } => self.dial(now, before, socket),
            Action::Transmit { socket, message } => {
                self.must_be_open(socket, "Transmit");
                // A greeting has no name.
                if self.waiting.remove(&message.number).is_some() {
                    assert!(message.number > self.last_transmitted, "the order was not kept");
                    self.last_transmitted = message.number;
                }
            }
            Action::Probe { socket, .. } => self.must_be_open(socket, "Probe"),
            Action::Measure { socket } => self.must_be_open(socket, "Measure"),
            Action::Close { socket, .. } => {
                self.must_be_open(socket, "Close");
                self.is_closing = true;
            }
            Action::Abandon { socket } => {
                let (current, _) = self.socket.take().expect("what is abandoned exists");
                assert_eq!(current, socket);
                self.is_closing = false;
            }
            Action::Notify(event) => self.event(now, event),
        }
    }

    fn dial(&mut self, now: Duration, before: State, socket: SocketId) {
        assert_eq!(self.socket, None, "two sockets at once");
        if let (Some(announced), State::Waiting { .. }) = (self.announced, before)
            && !self.is_brought_forward
        {
            assert!(now >= announced, "an attempt before its time");
        }
        if let Some(last) = self.last_dial {
            assert!(now >= last.saturating_add(self.floor), "an attempt sooner after the last than the floor");
        }
        self.last_dial = Some(now);
        self.announced = None;
        self.is_brought_forward = false;
        self.is_closing = false;
        self.socket = Some((socket, false));
    }

    fn must_be_open(&self, socket: SocketId, what: &str) {
        assert_eq!(self.socket, Some((socket, true)), "{what} for a socket that is not open");
        assert!(!self.is_closing, "{what} after the application closed");
    }

    fn event(&mut self, now: Duration, event: Event<Parcel>) {
        match event {
            Event::Discarded { id, message, .. } => {
                let known = self.waiting.remove(&message.number);
                assert_eq!(known, Some(id), "a report of what was not waiting");
            }
            Event::Dropped { retry, .. } => {
                assert!(retry.attempt >= 1);
                assert!(retry.at.is_none_or(|at| at >= now), "announced for the past");
                self.announced = retry.at;
                self.is_brought_forward = false;
            }
            Event::Closed { at_risk, .. } => {
                self.is_closing = false;
                assert!(at_risk.messages.is_sorted());
            }
            _ => {}
        }
    }

    /// After everything was obeyed: what the core says of itself agrees with what it did.
    pub(crate) fn settled(&mut self, client: &Connection<Parcel>) {
        let state = client.state();
        assert_eq!(state.socket(), self.socket.map(|(socket, _)| socket), "the core and the driver disagree");
        assert_eq!(client.outbox().len(), self.waiting.len(), "a message vanished");
        let at_rest = matches!(state, State::Closed);
        assert!(!at_rest || client.outbox().is_empty());
        if state.is_open() && client.is_ready() {
            assert!(client.outbox().is_empty(), "messages wait though the socket takes more");
        }
    }

    /// A timer that was obeyed is not due again, or has at least brought something about, and does not go on doing so.
    pub(crate) fn after_wake(&mut self, now: Duration, client: &Connection<Parcel>) {
        let is_due = client.poll_deadline().is_some_and(|due| due <= now);
        assert!(!is_due || self.progress, "due again at once, to no effect, in {:?}", client.state());
        let (at, times) = self.spins;
        self.spins = (now, if is_due && at == now { times + 1 } else { 0 });
        let limit = if now == Duration::MAX || !self.is_sane { u32::MAX } else { 3 };
        assert!(self.spins.1 <= limit, "due again and again in {:?}", client.state());
    }

    pub(crate) fn nothing_is_left(&self, client: &Connection<Parcel>) {
        assert!(self.waiting.is_empty() && client.outbox().is_empty() && client.is_flushed());
    }
}

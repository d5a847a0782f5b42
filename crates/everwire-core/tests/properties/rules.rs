use std::collections::BTreeSet;

use everwire_core::{Action, Connection, Input, MessageId, Network, Page, Phase, SocketId, Time};

use super::script::Script;

/// What must hold at each step.
pub(crate) struct Rules {
    floor: Time,
    is_sane: bool,
    /// The socket that the driver holds, and whether it is open.
    socket: Option<(SocketId, bool)>,
    /// [`Action::Opened`] was taken for the socket.
    is_opened: bool,
    /// The application closed the socket: nothing but its end may follow.
    is_closing: bool,
    last_dial: Option<Time>,
    /// When the next attempt was announced for.
    announced: Option<Time>,
    /// What happened allows an attempt before its time.
    is_brought_forward: bool,
    /// How far the wall clock was ahead at the last wake.
    wall_ahead: Time,
    /// Queued, and neither transmitted nor discarded.
    waiting: BTreeSet<MessageId>,
    last_id: MessageId,
    last_transmitted: MessageId,
    /// A decision was asked for and not given: whatever comes next is brought forward.
    is_undecided: bool,
    spins: (Time, u32),
    progress: bool,
}

impl Rules {
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            floor: script.config.backoff.floor,
            is_sane: script.is_sane,
            socket: None,
            is_opened: false,
            is_closing: false,
            last_dial: None,
            announced: None,
            is_brought_forward: false,
            wall_ahead: Time::ZERO,
            waiting: BTreeSet::new(),
            last_id: MessageId(0),
            last_transmitted: MessageId(0),
            is_undecided: false,
            spins: (Time::ZERO, 0),
            progress: false,
        }
    }

    /// Notes what an input allows, and what the driver knows by it.
    pub(crate) fn before(&mut self, now: Time, client: &Connection, input: &Input) {
        self.progress = false;
        if matches!(
            input,
            Input::Open { .. }
                | Input::Reconnect
                | Input::Network(Network::Online)
                | Input::Page(Page::Visible | Page::Resumed | Page::Restored)
        ) {
            self.is_brought_forward = true;
        }
        // Time may have jumped: the core may attribute that to a sleep.
        if let Input::Wake { wall } = input {
            let ahead = *wall - now;
            let has_jumped = ahead != std::mem::replace(&mut self.wall_ahead, ahead);
            self.is_brought_forward |= has_jumped || client.poll_deadline().is_none_or(|due| due != now);
        }
        match (input, &mut self.socket) {
            (Input::Opened { socket, .. }, Some((current, is_open))) if current == socket => *is_open = true,
            (Input::Dropped { socket, .. }, Some((current, _))) if current == socket => self.socket = None,
            _ => {}
        }
    }

    /// A message is delivered if and only if it arrived on the socket that is open.
    pub(crate) fn received(&self, socket: SocketId, is_delivered: bool) {
        assert_eq!(is_delivered, self.socket == Some((socket, true)), "a message of {socket:?}");
    }

    pub(crate) fn sent_now(&mut self, id: MessageId, has_priority: bool) {
        assert_eq!(self.socket.map(|(_, is_open)| is_open), Some(true), "sent on a socket that is not open");
        assert!(!self.is_closing, "sent after the application closed");
        assert!(self.is_opened, "sent before the on-open messages");
        self.accepted(id);
        if !has_priority {
            self.last_transmitted = id;
        }
    }

    pub(crate) fn queued(&mut self, id: MessageId) {
        self.accepted(id);
        self.waiting.insert(id);
    }

    fn accepted(&mut self, id: MessageId) {
        assert!(id > self.last_id, "ids ascend");
        self.last_id = id;
    }

    pub(crate) fn action(&mut self, now: Time, action: Action) {
        self.progress = true;
        match action {
            Action::Dial { socket, .. } => self.dial(now, socket),
            Action::Transmit { socket, id } => {
                self.must_be_open(socket, "Transmit");
                assert!(self.waiting.remove(&id), "{id:?} was not waiting");
                assert!(id > self.last_transmitted, "the order was not kept");
                self.last_transmitted = id;
            }
            Action::Ping { socket, .. } => self.must_be_open(socket, "Ping"),
            Action::Measure { socket } => self.must_be_open(socket, "Measure"),
            Action::Close { socket } => {
                self.must_be_open(socket, "Close");
                self.is_closing = true;
            }
            Action::Detach { socket } => {
                let (current, _) = self.socket.take().expect("the socket to detach from exists");
                assert_eq!(current, socket);
                self.is_closing = false;
            }
            Action::Decide { retry, .. } => {
                assert!(!self.is_undecided, "it asks about one loss at a time");
                assert!(retry.at.is_none_or(|at| at >= now), "planned for the past");
                self.is_undecided = true;
            }
            Action::Discarded { id, .. } => assert!(self.waiting.remove(&id), "{id:?} was not waiting"),
            Action::Dropped { retry, .. } => {
                assert!(retry.attempt >= 1);
                assert!(retry.at.is_none_or(|at| at >= now), "announced for the past");
                self.announced = retry.at;
                // An input before the decision is the one that brings it forward.
                self.is_brought_forward = std::mem::take(&mut self.is_undecided);
            }
            Action::Closed { .. } => {
                self.is_closing = false;
                self.is_undecided = false;
                self.announced = None;
            }
            Action::Opened { .. } => self.is_opened = true,
            Action::Latency(_) => {}
        }
    }

    fn dial(&mut self, now: Time, socket: SocketId) {
        assert_eq!(self.socket, None, "two sockets at once");
        if let Some(announced) = self.announced
            && !self.is_brought_forward
        {
            assert!(now >= announced, "an attempt before its time");
        }
        if let Some(last) = self.last_dial {
            assert!(now >= last + self.floor, "an attempt sooner after the last than the floor");
        }
        self.last_dial = Some(now);
        self.announced = None;
        self.is_brought_forward = false;
        self.is_closing = false;
        self.is_opened = false;
        self.socket = Some((socket, false));
    }

    fn must_be_open(&self, socket: SocketId, what: &str) {
        assert_eq!(self.socket, Some((socket, true)), "{what} for a socket that is not open");
        assert!(!self.is_closing, "{what} after the application closed");
    }

    /// After everything was carried out: the state that the core reports agrees with its actions.
    pub(crate) fn at_rest(&mut self, client: &Connection) {
        let phase = client.phase();
        assert_eq!(phase.socket(), self.socket.map(|(socket, _)| socket), "the core and the driver disagree");
        assert_eq!(client.outbox().len(), self.waiting.len(), "a message vanished");
        let is_over = matches!(phase, Phase::Closed);
        assert!(!is_over || client.outbox().is_empty());
        if phase.is_open() && client.is_ready() {
            assert!(client.outbox().is_empty(), "messages wait though the socket takes more");
        }
    }

    /// A timer that was handled is not due again, or has at least had an effect, and does not go on having one.
    pub(crate) fn after_wake(&mut self, now: Time, client: &Connection) {
        let is_due = client.poll_deadline().is_some_and(|due| due <= now);
        assert!(!is_due || self.progress, "due again at once, to no effect, in {:?}", client.phase());
        let (at, times) = self.spins;
        self.spins = (now, if is_due && at == now { times + 1 } else { 0 });
        let is_at_the_end_of_time = now == now + Time::from_secs(1);
        let limit = if is_at_the_end_of_time || !self.is_sane { u32::MAX } else { 3 };
        assert!(self.spins.1 <= limit, "due again and again in {:?}", client.phase());
    }

    pub(crate) fn nothing_is_left(&self, client: &Connection) {
        assert!(self.waiting.is_empty() && client.outbox().is_empty() && client.is_flushed());
    }
}

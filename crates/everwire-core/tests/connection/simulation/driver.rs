//! The driver of the simulation: it carries out actions, turns events into inputs, and keeps the timer.

use std::{collections::BTreeMap, time::Duration};

use everwire_core::{Action, DropCause, Input, SocketId, Time};

use super::{
    Provider, Simulation, Socket, Timers, ms,
    network::{OnDial, Uplink},
    s,
};

/// The events to come, in order of time.
#[derive(Default)]
pub(crate) struct EventQueue {
    entries: BTreeMap<(Time, u64), Event>,
    next: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The handshake ends, with an open socket or without.
    Handshake(SocketId),
    /// A message reaches the server.
    AtServer(SocketId, Frame),
    /// The server cuts or closes the connection by itself.
    ServerCloses(SocketId),
    /// The server sends a message by itself.
    ServerSends(SocketId),
    /// Something reaches the page.
    AtClient(ToClient),
}

#[derive(Debug, Clone)]
pub(crate) enum ToClient {
    Input(Input),
    Message(SocketId, String),
}

#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Text(String),
    Ping(u64),
    Close,
}

impl EventQueue {
    pub(crate) fn add(&mut self, at: Time, event: Event) {
        self.entries.insert((at, self.next), event);
        self.next += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn take_next(&mut self) -> Option<Event> {
        self.entries.pop_first().map(|(_, event)| event)
    }
}

impl Simulation {
    /// Fires the timer or delivers the next event, whichever is due first, if it is due before the end.
    pub(super) fn step(&mut self, end: Time) -> bool {
        let timer = self.timer();
        let event = self.events.next_at();
        // A timer goes first: what arrived in the same instant has to wait behind it.
        match (timer, event) {
            (Some(timer), event) if timer <= end && event.is_none_or(|at| timer <= at) => self.fire(timer),
            (_, Some(at)) if at <= end => {
                self.now = self.now.max(at);
                self.deliver_event();
            }
            _ => return false,
        }
        true
    }

    fn timer(&self) -> Option<Time> {
        let due = self.client.poll_deadline()?.max(self.now);
        match self.timers {
            Timers::Punctual => Some(due),
            Timers::EveryMinute => Some(s(Duration::from(due).as_millis().div_ceil(60_000) as u64 * 60)),
            Timers::Frozen => None,
        }
    }

    fn fire(&mut self, at: Time) {
        self.now = at;
        self.input(Input::Wake { wall: self.now + self.slept });
        let again = self.client.poll_deadline();
        assert!(again.is_none_or(|again| again > at), "due again at once in {:?}", self.client.phase());
    }

    fn deliver_event(&mut self) {
        let Some(event) = self.events.take_next() else { return };
        match event {
            Event::AtClient(to_client) if self.timers == Timers::Frozen => self.deferred.push(to_client),
            Event::AtClient(ToClient::Message(socket, message)) => self.receive(socket, &message),
            Event::AtClient(ToClient::Input(input)) => {
                if let Input::Dropped { socket, .. } = input {
                    self.lose_socket(socket);
                }
                self.input(input);
            }
            Event::Handshake(socket) => self.finish_handshake(socket),
            event if self.link.is_stalled => self.events.add(self.now + ms(200), event),
            Event::AtServer(socket, frame) => self.at_server(socket, frame),
            Event::ServerCloses(socket) => self.server_closes(socket),
            Event::ServerSends(socket) => self.server_sends(socket),
        }
    }

    /// Carries out the actions of the connection.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match action {
                Action::Dial { socket, .. } => self.dial(socket),
                Action::Transmit { socket, id } => {
                    let text = self.queued.remove(&id).expect("the message is queued");
                    self.write_text(socket, text);
                }
                Action::Ping { socket, ping } => {
                    self.pings.push(self.now);
                    self.write(socket, Frame::Ping(ping), 10);
                }
                Action::Measure { socket } => {
                    self.measurements += 1;
                    let bytes = self.buffered(socket);
                    self.client.handle(self.now, Input::Buffered { socket, bytes });
                }
                Action::Close { socket } => self.write(socket, Frame::Close, 4),
                Action::Detach { socket } => self.detach(socket),
                Action::Decide { cause, default, .. } => {
                    let decision = (self.policy)(&cause).unwrap_or(default);
                    self.client.handle(self.now, Input::Decided(decision));
                }
                Action::Opened { socket, .. } => {
                    self.log.push((self.now, action));
                    for message in self.on_open.clone() {
                        self.client.transmitted_on_open(message.len());
                        self.write_text(socket, message);
                    }
                }
                Action::Discarded { id, .. } => {
                    self.queued.remove(&id).expect("the message is queued");
                    self.log.push((self.now, action));
                }
                Action::Latency(_) | Action::Dropped { .. } | Action::Closed { .. } => {
                    self.log.push((self.now, action))
                }
            }
        }
    }

    fn dial(&mut self, id: SocketId) {
        assert!(self.socket.is_none(), "two sockets at once");
        self.dials.push(self.now);
        self.socket = Some(Socket { id, is_open: false, uplink: Uplink::default() });
        let round_trip = self.link.latency + self.link.latency;
        let after = match (self.provider, self.link.has_network) {
            (Provider::Fails, _) => return self.drop_later(ms(5), id, DropCause::ProviderFailed),
            (Provider::Hangs, _) => return,
            (Provider::Answers, false) => return self.drop_later(ms(1), id, DropCause::closed(1006, false)),
            // TCP and the upgrade take two round trips.
            (Provider::Answers, true) => round_trip + round_trip,
        };
        if !self.link.is_stalled && self.server.on_dial != OnDial::Hang {
            self.events.add(self.now + after, Event::Handshake(id));
        }
    }

    fn drop_later(&mut self, after: Time, socket: SocketId, cause: DropCause) {
        self.input_later(self.now + after, Input::Dropped { socket, cause, buffered: 0 });
    }

    fn input_later(&mut self, at: Time, input: Input) {
        self.events.add(at, Event::AtClient(ToClient::Input(input)));
    }

    fn finish_handshake(&mut self, id: SocketId) {
        let Some(socket) = self.socket.as_mut().filter(|socket| socket.id == id) else { return };
        if self.link.is_stalled || !self.link.has_network {
            return;
        }
        if self.server.on_dial == OnDial::Refuse {
            return self.drop_later(Time::ZERO, id, DropCause::closed(1006, false));
        }
        socket.is_open = true;
        self.input_later(self.now, Input::Opened { socket: id });
        if let OnDial::AcceptThenCut(after) | OnDial::AcceptThenClose(_, after) = self.server.on_dial {
            self.events.add(self.now + after, Event::ServerCloses(id));
        }
        if let Some(every) = self.server.sends_every {
            self.events.add(self.now + every, Event::ServerSends(id));
        }
    }

    pub(super) fn write_text(&mut self, id: SocketId, text: String) {
        let size = text.len();
        self.write(id, Frame::Text(text), size);
    }

    fn write(&mut self, id: SocketId, frame: Frame, size: usize) {
        let socket = self.socket.as_mut().filter(|socket| socket.id == id && socket.is_open);
        let socket = socket.unwrap_or_else(|| panic!("{frame:?} for {id:?}, which is not open"));
        if let Some(sent) = socket.uplink.take(self.now, size, &self.link) {
            self.events.add(sent + self.link.latency, Event::AtServer(id, frame));
        }
    }

    fn detach(&mut self, id: SocketId) {
        let socket = self.socket.take_if(|socket| socket.id == id);
        assert!(socket.is_some(), "{id:?}, to detach from, does not exist");
        let late = Input::Dropped { socket: id, cause: DropCause::closed(1006, false), buffered: 7 };
        self.input_later(self.now + s(60), late);
    }

    pub(crate) fn buffered(&self, id: SocketId) -> u64 {
        let socket = self.socket.as_ref().filter(|socket| socket.id == id).expect("the current socket is measured");
        socket.uplink.buffered(self.now, &self.link)
    }

    fn at_server(&mut self, id: SocketId, frame: Frame) {
        if !self.is_connected(id) {
            return;
        }
        match frame {
            Frame::Text(text) => {
                let is_answered = self.server.answers_messages;
                self.server.received.push((id, text));
                if is_answered {
                    self.deliver(id, ToClient::Message(id, "received".to_owned()));
                }
            }
            Frame::Ping(_) if !self.server.answers_pings => {}
            Frame::Ping(ping) => {
                let server_time = Some(self.now.as_millis_f64() + self.server.clock_ahead);
                let ping = self.server.names_pings.then_some(ping);
                self.deliver(id, ToClient::Input(Input::Pong { socket: id, ping, server_time }));
            }
            Frame::Close if !self.server.completes_closing => {}
            Frame::Close => self.drop_client(id, DropCause::closed(1000, true)),
        }
    }

    fn is_connected(&self, id: SocketId) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.id == id && !socket.uplink.is_dead())
    }

    /// Sends something to the page, if the link is alive.
    fn deliver(&mut self, id: SocketId, to_client: ToClient) {
        if self.is_connected(id) {
            self.events.add(self.now + self.link.latency, Event::AtClient(to_client));
        }
    }

    fn server_closes(&mut self, id: SocketId) {
        match self.server.on_dial {
            OnDial::AcceptThenClose(code, _) => self.drop_client(id, DropCause::closed(code, true)),
            _ => self.drop_client(id, DropCause::closed(1006, false)),
        }
    }

    fn drop_client(&mut self, id: SocketId, cause: DropCause) {
        if self.is_connected(id) {
            let buffered = self.buffered(id);
            self.deliver(id, ToClient::Input(Input::Dropped { socket: id, cause, buffered }));
        }
    }

    fn server_sends(&mut self, id: SocketId) {
        let Some(every) = self.server.sends_every else { return };
        if self.is_connected(id) {
            self.deliver(id, ToClient::Message(id, "a message".to_owned()));
            self.events.add(self.now + every, Event::ServerSends(id));
        }
    }

    /// Drops the driver's socket, because the platform reports that it is gone.
    pub(super) fn lose_socket(&mut self, id: SocketId) {
        self.socket.take_if(|socket| socket.id == id);
    }
}

//! What a driver does: it obeys actions, turns what the platform says into inputs, and keeps the timer.

use std::time::Duration;

use everwire_core::{Action, Cause, Input, SocketId};

use super::{
    Greets, Provider, Socket, Timers, World,
    agenda::{Frame, Happening},
    link::Uplink,
    ms, s,
};

impl World {
    /// Lets the next thing happen, if it does before the end.
    pub(super) fn step(&mut self, end: Duration) -> bool {
        let timer = self.timer();
        let happening = self.agenda.next_at();
        // A timer goes first: what arrived in the same instant has to wait behind it.
        match (timer, happening) {
            (Some(timer), happening) if timer <= end && happening.is_none_or(|at| timer <= at) => self.fire(timer),
            (_, Some(at)) if at <= end => {
                self.now = self.now.max(at);
                self.happen();
            }
            _ => return false,
        }
        true
    }

    fn timer(&self) -> Option<Duration> {
        let due = self.client.poll_deadline()?.max(self.now);
        match self.timers {
            Timers::Punctual => Some(due),
            Timers::EveryMinute => Some(s(due.as_millis().div_ceil(60_000) as u64 * 60)),
            Timers::Frozen => None,
        }
    }

    fn fire(&mut self, at: Duration) {
        self.now = at;
        self.input(Input::Wake { wall: self.now + self.slept });
        let again = self.client.poll_deadline();
        assert!(again.is_none_or(|again| again > at), "due again at once in {:?}", self.client.state());
    }

    fn happen(&mut self) {
        let Some(happening) = self.agenda.take_next() else { return };
        match happening {
            Happening::AtClient(input) if self.timers == Timers::Frozen => self.held.push(input),
            Happening::AtClient(input) => {
                if let Input::Dropped { socket, .. } = input {
                    self.lose_socket(socket);
                }
                self.input(input);
            }
            Happening::Handshake(socket) => self.finish_handshake(socket),
            happening if self.link.is_stalled => self.agenda.add(self.now + ms(200), happening),
            Happening::AtServer(socket, frame) => self.at_server(socket, frame),
            Happening::ServerLeaves(socket) => self.server_leaves(socket),
            Happening::ServerTalks(socket) => self.server_talks(socket),
        }
    }

    /// Does what the connection asks for.
    pub(super) fn obey(&mut self) {
        while let Some(action) = self.client.poll_action() {
            match action {
                Action::Dial { socket, .. } => self.dial(socket),
                Action::Transmit { socket, message } => {
                    let size = message.len();
                    self.put(socket, Frame::Text(message), size);
                }
                Action::Probe { socket, ping } => {
                    self.pings.push(self.now);
                    self.put(socket, Frame::Ping(ping), 10);
                }
                Action::Measure { socket } => {
                    self.measurements += 1;
                    let bytes = self.buffered(socket);
                    self.client.handle(self.now, Input::Buffered { socket, bytes });
                }
                Action::Close { socket, code, reason } => {
                    let size = reason.as_str().len();
                    self.put(socket, Frame::Close(code.value(), reason.as_str().to_owned()), size);
                }
                Action::Abandon { socket } => self.abandon(socket),
                Action::Notify(event) => self.log.push((self.now, event)),
            }
        }
    }

    fn dial(&mut self, id: SocketId) {
        assert!(self.socket.is_none(), "two sockets at once");
        self.dials.push(self.now);
        self.socket = Some(Socket { id, is_open: false, uplink: Uplink::default() });
        let after = match (self.provider, self.link.has_network) {
            (Provider::Fails, _) => {
                let cause = Cause::Provider("no token".to_owned());
                return self.tell_later(ms(5), id, cause);
            }
            (Provider::Hangs, _) => return,
            (Provider::Answers, false) => return self.tell_later(ms(1), id, Cause::closed(1006, "", false)),
            // TCP and the upgrade take two round trips.
            (Provider::Answers, true) => self.link.latency * 4,
        };
        if !self.link.is_stalled && self.server.greets != Greets::Hangs {
            self.agenda.add(self.now + after, Happening::Handshake(id));
        }
    }

    fn tell_later(&mut self, after: Duration, socket: SocketId, cause: Cause) {
        let input = Input::Dropped { socket, cause, buffered: 0 };
        self.agenda.add(self.now + after, Happening::AtClient(input));
    }

    fn finish_handshake(&mut self, id: SocketId) {
        let Some(socket) = self.socket.as_mut().filter(|socket| socket.id == id) else { return };
        if self.link.is_stalled || !self.link.has_network {
            return;
        }
        if self.server.greets == Greets::Refuses {
            return self.tell_later(Duration::ZERO, id, Cause::closed(1006, "", false));
        }
        socket.is_open = true;
        let opened = Input::Opened { socket: id, greeting: self.greeting.clone() };
        self.agenda.add(self.now, Happening::AtClient(opened));
        if let Greets::Drops(after) | Greets::Closes(_, after) = self.server.greets {
            self.agenda.add(self.now + after, Happening::ServerLeaves(id));
        }
        if let Some(every) = self.server.talks_every {
            self.agenda.add(self.now + every, Happening::ServerTalks(id));
        }
    }

    fn put(&mut self, id: SocketId, frame: Frame, size: usize) {
        let socket = self.socket.as_mut().filter(|socket| socket.id == id && socket.is_open);
        let socket = socket.unwrap_or_else(|| panic!("{frame:?} for {id:?}, which is not open"));
        if let Some(sent) = socket.uplink.take(self.now, size, &self.link) {
            self.agenda.add(sent + self.link.latency, Happening::AtServer(id, frame));
        }
    }

    fn abandon(&mut self, id: SocketId) {
        let socket = self.socket.take_if(|socket| socket.id == id);
        assert!(socket.is_some(), "{id:?} is abandoned, which does not exist");
        let late = Input::Dropped { socket: id, cause: Cause::closed(1006, "", false), buffered: 7 };
        self.agenda.add(self.now + s(60), Happening::AtClient(late));
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
            Frame::Text(text) => self.server.heard.push((id, text)),
            Frame::Ping(_) if !self.server.answers_pings => {}
            Frame::Ping(ping) => {
                let server_time = Some(self.now.as_secs_f64() * 1e3 + self.server.clock_ahead);
                let ping = self.server.names_pings.then_some(ping);
                self.deliver(id, Input::Pong { socket: id, ping, server_time });
            }
            Frame::Close(..) if !self.server.completes_closing => {}
            Frame::Close(code, reason) => self.leave(id, Cause::closed(code, reason, true)),
        }
    }

    fn is_connected(&self, id: SocketId) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.id == id && !socket.uplink.is_dead())
    }

    /// Something travels to the page, if the link lives.
    fn deliver(&mut self, id: SocketId, input: Input<String>) {
        if self.is_connected(id) {
            self.agenda.add(self.now + self.link.latency, Happening::AtClient(input));
        }
    }

    fn server_leaves(&mut self, id: SocketId) {
        match self.server.greets {
            Greets::Closes(code, _) => self.leave(id, Cause::closed(code, "because", true)),
            _ => self.leave(id, Cause::closed(1006, "", false)),
        }
    }

    fn leave(&mut self, id: SocketId, cause: Cause) {
        if self.is_connected(id) {
            let buffered = self.buffered(id);
            self.deliver(id, Input::Dropped { socket: id, cause, buffered });
        }
    }

    fn server_talks(&mut self, id: SocketId) {
        let Some(every) = self.server.talks_every else { return };
        if self.is_connected(id) {
            self.deliver(id, Input::Received { socket: id, message: "news".to_owned() });
            self.agenda.add(self.now + every, Happening::ServerTalks(id));
        }
    }

    /// The driver's socket is gone when the platform says so.
    pub(super) fn lose_socket(&mut self, id: SocketId) {
        self.socket.take_if(|socket| socket.id == id);
    }

    pub(super) fn kill_uplink(&mut self) {
        if let Some(socket) = &mut self.socket {
            socket.uplink.die(self.now, &self.link);
        }
    }
}

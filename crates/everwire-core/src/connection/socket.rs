//! What the socket reports.

use alloc::vec::Vec;

use super::{Cause, Connection, Ended, Event, Phase, SocketId};
use crate::{Payload, heartbeat::Monitor, terms::TextOf, time::Time};

/// The code that a platform reports where the connection ended without a close frame (RFC 6455, section 7.1.5).
const NO_CLOSE_FRAME: u16 = 1006;

impl<M: Payload> Connection<M> {
    pub(super) fn opened(&mut self, now: Time, socket: SocketId, greeting: Vec<M>) {
        let Phase::Connecting { socket: expected, .. } = self.phase else { return };
        if socket != expected {
            return;
        }
        self.phase = Phase::Open { socket, since: now };
        self.monitor = Some(Monitor::new(self.config.heartbeat.clone(), self.next_ping, now));
        self.notify(Event::Opened { socket, failures: self.failures, is_reconnect: self.was_open });
        self.was_open = true;
        for message in greeting {
            self.transmit(now, socket, None, message);
        }
        self.drain(now);
        if self.flush_wanted {
            self.measure_once(now);
        }
    }

    pub(super) fn received(&mut self, now: Time, socket: SocketId, message: M) {
        if self.listen(now, socket) {
            self.notify(Event::Message(message));
        }
    }

    /// Whether a message that arrived on this socket is for the application.
    pub(super) fn listen(&mut self, now: Time, socket: SocketId) -> bool {
        // Between the close frame we sent and the one we get, the server may still be talking; that is not lost.
        let is_closing = matches!(self.phase, Phase::Closing { socket: current, .. } if current == socket);
        let is_heard = self.hear(now, socket);
        // What the server has answered has left the buffer. A hidden page's timers would find out a second later.
        if is_heard && !self.has_headroom() {
            self.measure_once(now);
        }
        is_heard || is_closing
    }

    pub(super) fn pong(&mut self, now: Time, socket: SocketId, ping: Option<u64>, server_time: Option<f64>) {
        if !self.hear(now, socket) {
            return;
        }
        let Some(monitor) = &mut self.monitor else { return };
        if let Some(sent_at) = monitor.answer(now, ping, &mut self.latency) {
            self.latency.take_in(sent_at, now, server_time);
            self.notify(Event::Latency((now - sent_at).into()));
        }
    }

    pub(super) fn dropped(&mut self, now: Time, socket: SocketId, cause: Cause<TextOf<M>>, buffered: u64) {
        match self.phase {
            Phase::Connecting { socket: current, .. } | Phase::Open { socket: current, .. } if current == socket => {
                let at_risk = self.forget(Some(buffered));
                let cause = match cause {
                    Cause::Closed { code, reason, was_clean, .. } => Cause::Closed {
                        code,
                        reason,
                        was_clean,
                        // A close frame arrived over a link that works.
                        local_fault: code == NO_CLOSE_FRAME && self.surroundings.suspects_local_fault(now),
                    },
                    other => other,
                };
                self.lost(now, cause, at_risk);
            }
            Phase::Closing { socket: current, .. } if current == socket => {
                let at_risk = self.forget(Some(buffered));
                let (code, reason, was_clean) = match cause {
                    Cause::Closed { code, reason, was_clean, .. } => (code, reason, was_clean),
                    _ => (NO_CLOSE_FRAME, TextOf::<M>::default(), false),
                };
                self.end(Ended::ByApplication { code, reason, was_clean }, at_risk);
            }
            _ => {}
        }
    }

    pub(super) fn buffered(&mut self, now: Time, socket: SocketId, bytes: u64) {
        if self.is_open_on(socket) {
            self.measured(now, bytes);
        }
    }

    fn is_open_on(&self, socket: SocketId) -> bool {
        matches!(self.phase, Phase::Open { socket: current, .. } if current == socket)
    }

    /// Whether the socket is the open one, which has just shown that it lives.
    fn hear(&mut self, now: Time, socket: SocketId) -> bool {
        let is_current = self.is_open_on(socket);
        if is_current && let Some(monitor) = &mut self.monitor {
            monitor.hear(now, self.in_flight.bytes());
        }
        is_current
    }
}

//! What the platform and the clock report.

use core::time::Duration;

use super::{
    Action, AtRisk, Cause, Connection, Ended, Event, Network, Page, Retry, SocketId, State, surroundings::is_late,
};
use crate::{
    Payload,
    heartbeat::{Monitor, Pulse},
};

impl<M: Payload> Connection<M> {
    pub(super) fn network(&mut self, now: Duration, network: Network) {
        let came_online = network == Network::Online;
        self.surroundings.set_offline(now, !came_online);
        match self.state {
            State::Waiting { .. } if came_online => self.hurry(now),
            // An attempt that began without a network hangs until it times out; the one that follows has a chance.
            State::Connecting { socket, began_offline: true, .. } if came_online => {
                let at_risk = self.leave(socket);
                self.lost(now, Cause::NetworkChanged, at_risk);
            }
            _ => self.urge(now),
        }
    }

    pub(super) fn page(&mut self, now: Duration, page: Page) {
        match page {
            // A page that is seen again is out of the cache, whether or not the platform says `pageshow` too.
            Page::Visible | Page::Resumed | Page::Restored => match self.state {
                State::Waiting { until: None } => self.dial(now),
                _ => self.stir(now),
            },
            Page::Hidden => {}
            Page::Frozen => {
                if let Some(monitor) = &mut self.monitor {
                    monitor.suspend();
                }
            }
            Page::Suspended => {
                let at_risk = match self.state {
                    State::Connecting { socket, .. } | State::Open { socket, .. } => self.leave(socket),
                    State::Waiting { .. } => AtRisk::default(),
                    State::Idle | State::Closing { .. } | State::Closed => return,
                };
                self.state = State::Waiting { until: None };
                let retry = Retry { attempt: self.failures + 1, at: None };
                self.notify(Event::Dropped { cause: Cause::Suspended, at_risk, retry });
            }
        }
    }

    pub(super) fn wake(&mut self, now: Duration, wall: Duration) {
        let late = is_late(self.poll_deadline(), now);
        if self.surroundings.slept(now, wall) {
            self.stir(now);
        }
        self.expire(now);
        if self.measure_at.is_some_and(|at| at <= now) {
            self.measure(now);
        }
        match self.state {
            State::Connecting { socket, give_up_at, .. } if give_up_at <= now => {
                let at_risk = self.leave(socket);
                self.lost(now, Cause::ConnectTimeout, at_risk);
            }
            State::Closing { socket, give_up_at } if give_up_at <= now => {
                let at_risk = self.leave(socket);
                let reason = "the server did not complete the closing handshake in time".to_owned();
                self.end(Ended::ByApplication { code: 1006, reason, was_clean: false }, at_risk);
            }
            State::Waiting { until: Some(until) } if until <= now => self.dial(now),
            State::Open { socket, .. } => {
                let Some(monitor) = &mut self.monitor else { return };
                match monitor.wake(now, late, &mut self.latency) {
                    // The buffer may have moved unseen, which would show that the link lives: look before judging.
                    Pulse::Dead if self.in_flight.bytes() > 0 && monitor.put_off_once(now) => self.measure(now),
                    Pulse::Dead => self.dead(now, socket),
                    pulse => self.obey(now, socket, pulse),
                }
            }
            _ => {}
        }
    }

    /// The page or the machine came back: what looks open is asked, and what waits does not wait out its delay.
    pub(super) fn stir(&mut self, now: Duration) {
        self.surroundings.trouble(now);
        match self.state {
            State::Waiting { until: Some(_) } => self.hurry(now),
            _ => self.urge(now),
        }
    }

    pub(super) fn urge(&mut self, now: Duration) {
        if let (State::Open { socket, .. }, Some(monitor)) = (self.state, &mut self.monitor) {
            let pulse = monitor.urge(now, &mut self.latency);
            self.obey(now, socket, pulse);
        }
    }

    pub(super) fn obey(&mut self, now: Duration, socket: SocketId, pulse: Pulse) {
        if let Pulse::Ping(ping) = pulse {
            if self.in_flight.bytes() > 0 {
                // What the buffer holds now is what it is compared with when the answer is overdue.
                self.measure(now);
            }
            self.actions.push_back(Action::Probe { socket, ping });
        }
    }

    pub(super) fn dead(&mut self, now: Duration, socket: SocketId) {
        let ever_answered = self.monitor.as_ref().is_some_and(Monitor::ever_answered);
        let at_risk = self.leave(socket);
        self.lost(now, Cause::HeartbeatTimeout { ever_answered }, at_risk);
    }
}

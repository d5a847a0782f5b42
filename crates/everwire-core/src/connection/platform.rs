//! What the platform and the clock report.

use super::{
    Action, AtRisk, Cause, Connection, Ended, Event, Network, Page, Phase, Retry, SocketId, surroundings::is_late,
};
use crate::{
    Heartbeat, Payload, Terms,
    heartbeat::{Monitor, Pulse},
    time::Time,
};

impl<M: Payload> Connection<M> {
    pub(super) fn network(&mut self, now: Time, network: Network) {
        self.surroundings.set_offline(now, network == Network::Offline);
        match (&mut self.phase, network) {
            (Phase::Waiting { .. }, Network::Online) => self.start_over(now),
            // An attempt that has met no network hangs until it times out; the one that follows has a chance.
            (Phase::Connecting { had_no_network: true, .. }, Network::Online) => self.start_over(now),
            (Phase::Connecting { had_no_network, .. }, Network::Offline) => *had_no_network = true,
            _ => self.urge(now),
        }
    }

    pub(super) fn page(&mut self, now: Time, page: Page) {
        match page {
            // A page that is seen again is out of the cache, whether or not the platform says `pageshow` too.
            Page::Visible | Page::Resumed | Page::Restored => {
                // A page may also be resumed without being seen.
                if page != Page::Resumed {
                    self.surroundings.set_hidden(false);
                }
                match self.phase {
                    Phase::Waiting { until: Time::NEVER } => self.dial_soonest(now),
                    _ => self.stir(now),
                }
            }
            Page::Hidden => self.surroundings.set_hidden(true),
            Page::Frozen => {
                if let Some(monitor) = &mut self.monitor {
                    monitor.suspend();
                }
            }
            Page::Suspended => self.suspend(),
        }
    }

    pub(super) fn wake(&mut self, now: Time, wall: Time) {
        let due = self.next_wake();
        if self.surroundings.slept(now, wall) {
            self.after_sleep(now);
        } else if self.surroundings.stood_still(due, now) {
            self.stir(now);
        }
        self.expire(now);
        if self.measure_at <= now {
            self.measure(now);
        }
        match self.phase {
            Phase::Connecting { socket, give_up_at, .. } if give_up_at <= now => {
                let at_risk = self.leave(socket);
                self.lost(now, Cause::ConnectTimeout, at_risk);
            }
            Phase::Closing { socket, give_up_at } if give_up_at <= now => {
                self.give_up_closing(socket, "the server did not complete the closing handshake in time");
            }
            Phase::Waiting { until } if until <= now => self.dial(now),
            Phase::Open { socket, .. } => {
                let Some(monitor) = &mut self.monitor else { return };
                match monitor.wake(now, is_late(due, now), &mut self.latency) {
                    // The buffer may have moved unseen, which would show that the link lives: look before judging.
                    Pulse::Dead if self.in_flight.bytes() > 0 && monitor.put_off_once(now) => self.measure(now),
                    Pulse::Dead => self.dead(now, socket),
                    pulse => self.obey(now, socket, pulse),
                }
            }
            _ => {}
        }
    }

    fn suspend(&mut self) {
        let at_risk = match self.phase {
            Phase::Connecting { socket, .. } | Phase::Open { socket, .. } => self.leave(socket),
            Phase::Closing { socket, .. } => {
                return self.give_up_closing(socket, "the page went into the back/forward cache");
            }
            Phase::Idle | Phase::Waiting { until: Time::NEVER } | Phase::Closed => return,
            Phase::Waiting { .. } => AtRisk::default(),
        };
        self.phase = Phase::Waiting { until: Time::NEVER };
        let retry = Retry { attempt: self.failures.saturating_add(1), at: None };
        self.notify(Event::Dropped { cause: Cause::Suspended, at_risk, retry });
    }

    fn give_up_closing(&mut self, socket: SocketId, why: &'static str) {
        let at_risk = self.leave(socket);
        self.end(Ended::ByApplication { code: 1006, reason: M::Terms::text(why), was_clean: false }, at_risk);
    }

    /// The page came back: what looks open is asked, and what waits does not wait out its delay.
    fn stir(&mut self, now: Time) {
        self.surroundings.trouble(now);
        self.hurry(now);
        self.urge(now);
    }

    /// The machine slept: whatever was under way is as old as the sleep was long.
    fn after_sleep(&mut self, now: Time) {
        self.surroundings.trouble(now);
        if let Some(monitor) = &mut self.monitor {
            monitor.forget_pings();
        }
        match self.phase {
            Phase::Connecting { .. } | Phase::Waiting { .. } => self.start_over(now),
            _ => self.urge(now),
        }
    }

    /// What made the attempts before fail has changed: the count starts anew and the next attempt comes soon.
    fn start_over(&mut self, now: Time) {
        self.failures = 0;
        if let Phase::Connecting { socket, .. } = self.phase {
            let at_risk = self.leave(socket);
            self.lost(now, Cause::NetworkChanged, at_risk);
        } else {
            self.hurry(now);
        }
    }

    /// Something happened that often kills a link: what looks open is asked.
    fn urge(&mut self, now: Time) {
        if let (Phase::Open { socket, .. }, Some(monitor)) = (self.phase, &mut self.monitor) {
            let pulse = monitor.urge(now, &mut self.latency);
            self.obey(now, socket, pulse);
        }
    }

    fn obey(&mut self, now: Time, socket: SocketId, pulse: Pulse) {
        if let Pulse::Ping(ping) = pulse {
            if self.in_flight.bytes() > 0 {
                // What the buffer holds now is what it is compared with when the answer is overdue.
                self.measure_once(now);
            }
            self.actions.push(Action::Probe { socket, ping });
        }
    }

    fn dead(&mut self, now: Time, socket: SocketId) {
        let sends_pings = matches!(self.config.heartbeat, Heartbeat::Ping(_));
        let answered_now = self.monitor.as_ref().is_some_and(Monitor::ever_answered);
        let answered_before = self.latency.histogram().count() > 0;
        let ever_answered = !sends_pings || answered_now || answered_before;
        for _ in 0..self.monitor.as_ref().map_or(0, Monitor::unanswered) {
            self.latency.record_lost();
        }
        let at_risk = self.leave(socket);
        self.lost(now, Cause::HeartbeatTimeout { ever_answered }, at_risk);
    }
}

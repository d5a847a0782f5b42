//! Moving from one socket to the next.

use core::time::Duration;

use super::{Action, AtRisk, Cause, Connection, Ended, Event, Retry, SocketId, State, traffic::discarded};
use crate::{DiscardReason, Payload, Verdict};

impl<M: Payload> Connection<M> {
    pub(super) fn dial(&mut self, now: Duration) {
        let socket = SocketId(self.next_socket);
        self.next_socket += 1;
        let began_offline = self.surroundings.is_offline();
        self.last_dial = Some(now);
        self.state =
            State::Connecting { socket, give_up_at: now.saturating_add(self.config.connect_timeout), began_offline };
        self.actions.push_back(Action::Dial { socket, failures: self.failures });
    }

    /// The socket is gone; what follows is for the policy and the backoff to say.
    pub(super) fn lost(&mut self, now: Duration, cause: Cause, at_risk: AtRisk) {
        let was_stable = matches!(self.state, State::Open { since, .. } if now.saturating_sub(since) >= self.config.backoff.stable_after);
        let had_no_network = matches!(self.state, State::Connecting { began_offline: true, .. });
        if was_stable {
            self.failures = 0;
        }
        let verdict = self.config.close_policy.judge(&cause);
        if verdict == Verdict::Stop {
            return self.end(Ended::Final(cause), at_risk);
        }
        let at = match self.failures {
            0 if verdict == Verdict::RetrySoon => self.soon(now),
            // Without a network the next attempt waits for one; it is made all the same, since platforms err about that.
            _ if self.surroundings.is_offline() => {
                now.saturating_add(self.config.backoff.longest_delay(&mut self.random))
            }
            failures => now.saturating_add(self.config.backoff.delay(failures, &mut self.random)),
        };
        if !had_no_network {
            self.failures = self.failures.saturating_add(1);
        }
        if self.config.backoff.is_exhausted(self.failures) {
            return self.end(Ended::Exhausted(cause), at_risk);
        }
        self.state = State::Waiting { until: Some(at) };
        self.notify(Event::Dropped { cause, at_risk, retry: Retry { attempt: self.failures.max(1), at: Some(at) } });
    }

    /// Brings a waiting attempt forward; the count starts anew, since what made the attempts before fail has changed.
    pub(super) fn hurry(&mut self, now: Duration) {
        if let State::Waiting { until: Some(until) } = self.state {
            self.failures = 0;
            self.state = State::Waiting { until: Some(until.min(self.soon(now))) };
        }
    }

    /// Shortly after now, but not sooner after the last dial than the floor, however often the network flaps.
    pub(super) fn soon(&mut self, now: Duration) -> Duration {
        let soon = now.saturating_add(self.config.backoff.quick_delay(&mut self.random));
        let floor = self.last_dial.map(|dialled| dialled.saturating_add(self.config.backoff.floor));
        floor.map_or(soon, |floor| soon.max(floor))
    }

    pub(super) fn end(&mut self, ended: Ended, at_risk: AtRisk) {
        self.state = State::Closed;
        while let Some(waiting) = self.outbox.pop() {
            self.actions.push_back(discarded(waiting.id, waiting.message, DiscardReason::Closed));
        }
        self.notify(Event::Closed { ended, at_risk });
    }

    /// Turns away from a socket that still exists.
    pub(super) fn leave(&mut self, socket: SocketId) -> AtRisk {
        self.actions.push_back(Action::Abandon { socket });
        self.forget(None)
    }

    /// Forgets all that belonged to the socket. `buffered` is the platform's last word on its buffer, where it gave one.
    pub(super) fn forget(&mut self, buffered: Option<u64>) -> AtRisk {
        if let Some(buffered) = buffered {
            self.in_flight.measure(buffered);
        }
        self.monitor_off();
        self.is_congested = false;
        self.measure_at = None;
        self.flush_wanted = false;
        let bytes = self.in_flight.bytes();
        AtRisk { bytes, messages: self.in_flight.abandon() }
    }

    pub(super) fn monitor_off(&mut self) {
        if let Some(monitor) = self.monitor.take() {
            self.next_ping = monitor.next_ping();
            for _ in 0..monitor.unanswered() {
                self.latency.record_lost();
            }
        }
    }
}

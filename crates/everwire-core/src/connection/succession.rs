//! Moving from one socket to the next.

use core::time::Duration;

use super::{Action, AtRisk, Cause, Connection, Ended, Event, Retry, SocketId, State, traffic::discarded};
use crate::{DiscardReason, Payload, Verdict};

impl<M: Payload> Connection<M> {
    pub(super) fn dial(&mut self, now: Duration) {
        let socket = SocketId(self.next_socket);
        self.next_socket += 1;
        self.last_dial = Some(now);
        self.state = State::Connecting {
            socket,
            give_up_at: now.saturating_add(self.config.connect_timeout),
            had_no_network: self.surroundings.is_offline(),
        };
        self.actions.push_back(Action::Dial { socket, failures: self.failures });
    }

    /// Dials at once, or as soon as the floor allows.
    pub(super) fn dial_soonest(&mut self, now: Duration) {
        let soonest = self.not_before_floor(now);
        if soonest <= now {
            self.dial(now);
        } else {
            self.state = State::Waiting { until: Some(soonest) };
        }
    }

    /// A connection that has lasted starts the count of failures anew.
    pub(super) fn settle(&mut self, now: Duration) {
        if let State::Open { since, .. } = self.state
            && now.saturating_sub(since) >= self.config.backoff.stable_after
        {
            self.failures = 0;
        }
    }

    /// The socket is gone; what follows is for the policy and the backoff to say.
    pub(super) fn lost(&mut self, now: Duration, cause: Cause, at_risk: AtRisk) {
        let verdict = self.config.close_policy.judge(&cause);
        if verdict == Verdict::Stop {
            return self.end(Ended::Final(cause), at_risk);
        }
        let had_no_network = matches!(self.state, State::Connecting { had_no_network: true, .. });
        let at = self.next_attempt(now, verdict, &cause, had_no_network);
        if !had_no_network {
            self.failures = self.failures.saturating_add(1);
        }
        if self.config.backoff.is_exhausted(self.failures) {
            return self.end(Ended::Exhausted(cause), at_risk);
        }
        self.state = State::Waiting { until: Some(at) };
        self.notify(Event::Dropped { cause, at_risk, retry: Retry { attempt: self.failures.max(1), at: Some(at) } });
    }

    fn next_attempt(&mut self, now: Duration, verdict: Verdict, cause: &Cause, had_no_network: bool) -> Duration {
        let backoff = &self.config.backoff;
        let is_offline = self.surroundings.is_offline();
        if self.failures == 0 && verdict == Verdict::RetrySoon && !(is_offline && had_no_network) {
            let fell_silent = matches!(cause, Cause::HeartbeatTimeout { .. });
            return if fell_silent && !self.surroundings.suspects_local_fault(now) {
                self.soon(now, self.config.backoff.quick_after_silence)
            } else {
                self.soon(now, self.config.backoff.quick)
            };
        }
        let delay = if is_offline {
            // Without a network the next attempt waits for one; it is made all the same, since platforms err about that.
            backoff.longest_delay(&mut self.random)
        } else {
            backoff.delay(self.failures, &mut self.random)
        };
        now.saturating_add(delay)
    }

    /// Brings a waiting attempt forward.
    pub(super) fn hurry(&mut self, now: Duration) {
        if let State::Waiting { until: Some(until) } = self.state {
            let soon = self.soon(now, self.config.backoff.quick);
            self.state = State::Waiting { until: Some(until.min(soon)) };
        }
    }

    /// At most so long from now, but not sooner after the last dial than the floor, however often the network flaps.
    fn soon(&mut self, now: Duration, at_most: Duration) -> Duration {
        let delay = self.random.between(Duration::ZERO, at_most);
        self.not_before_floor(now.saturating_add(delay))
    }

    fn not_before_floor(&self, at: Duration) -> Duration {
        let floor = self.last_dial.map(|dialled| dialled.saturating_add(self.config.backoff.floor));
        floor.map_or(at, |floor| at.max(floor))
    }

    pub(super) fn end(&mut self, ended: Ended, at_risk: AtRisk) {
        self.state = State::Closed;
        while let Some(waiting) = self.outbox.pop() {
            self.actions.push_back(discarded(waiting.id, waiting.message, DiscardReason::Closed));
        }
        self.flush_wanted = false;
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
        self.retire_monitor();
        self.is_congested = false;
        self.is_measuring = false;
        self.measure_at = None;
        let bytes = self.in_flight.bytes();
        let at_risk = AtRisk { bytes, messages: self.in_flight.abandon() };
        // Whoever waits for the rest of the outbox goes on waiting, for the next socket.
        self.flush_wanted &= !self.is_flushed();
        at_risk
    }

    pub(super) fn retire_monitor(&mut self) {
        if let Some(monitor) = self.monitor.take() {
            self.next_ping = monitor.next_ping();
        }
    }
}

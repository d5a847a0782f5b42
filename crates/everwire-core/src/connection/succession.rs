//! Moving from one socket to the next.

use super::{Action, AtRisk, Cause, Connection, Ended, Event, Phase, Retry, SocketId, traffic::discarded};
use crate::{
    DiscardReason, Judge as _, Payload, Verdict,
    terms::{MessagesOf, TextOf},
    time::Time,
};

impl<M: Payload> Connection<M> {
    pub(super) fn dial(&mut self, now: Time) {
        let socket = SocketId(self.next_socket);
        self.next_socket += 1;
        self.earliest_dial = now + self.config.backoff.floor;
        self.phase = Phase::Connecting {
            socket,
            give_up_at: now + self.config.connect_timeout,
            had_no_network: self.surroundings.is_offline(),
        };
        self.actions.push(Action::Dial { socket, failures: self.failures });
    }

    /// Dials at once, or as soon as the floor allows.
    pub(super) fn dial_soonest(&mut self, now: Time) {
        let soonest = self.soonest_dial(now);
        if soonest <= now {
            self.dial(now);
        } else {
            self.phase = Phase::Waiting { until: soonest };
        }
    }

    /// When the floor allows the next dial.
    pub(super) fn soonest_dial(&self, now: Time) -> Time {
        now.max(self.earliest_dial)
    }

    /// A connection that has lasted starts the count of failures anew.
    pub(super) fn settle(&mut self, now: Time) {
        if let Phase::Open { since, .. } = self.phase
            && now - since >= self.config.backoff.stable_after
        {
            self.failures = 0;
        }
    }

    /// The socket is gone; what follows is for the policy and the backoff to say.
    pub(super) fn lost(&mut self, now: Time, cause: Cause<TextOf<M>>, at_risk: AtRisk<MessagesOf<M>>) {
        let verdict = self.config.close_policy.judge(&cause);
        if verdict == Verdict::Stop {
            return self.end(Ended::Final(cause), at_risk);
        }
        let had_no_network = matches!(self.phase, Phase::Connecting { had_no_network: true, .. });
        let at = self.next_attempt(now, verdict, &cause, had_no_network);
        if !had_no_network {
            self.failures = self.failures.saturating_add(1);
        }
        if self.config.backoff.is_exhausted(self.failures) {
            return self.end(Ended::Exhausted(cause), at_risk);
        }
        self.phase = Phase::Waiting { until: at };
        self.notify(Event::Dropped {
            cause,
            at_risk,
            retry: Retry { attempt: self.failures.max(1), at: at.planned() },
        });
    }

    fn next_attempt(&mut self, now: Time, verdict: Verdict, cause: &Cause<TextOf<M>>, had_no_network: bool) -> Time {
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
        now + delay
    }

    /// Brings a waiting attempt forward.
    pub(super) fn hurry(&mut self, now: Time) {
        if let Phase::Waiting { until } = self.phase
            && until != Time::NEVER
        {
            let soon = self.soon(now, self.config.backoff.quick);
            self.phase = Phase::Waiting { until: until.min(soon) };
        }
    }

    /// At most so long from now, but not sooner after the last dial than the floor, however often the network flaps.
    fn soon(&mut self, now: Time, at_most: Time) -> Time {
        let delay = self.random.between(Time::ZERO, at_most);
        (now + delay).max(self.earliest_dial)
    }

    pub(super) fn end(&mut self, ended: Ended<TextOf<M>>, at_risk: AtRisk<MessagesOf<M>>) {
        self.phase = Phase::Closed;
        while let Some(waiting) = self.outbox.pop() {
            self.actions.push(discarded(waiting.id, waiting.message, DiscardReason::Closed));
        }
        self.flush_wanted = false;
        self.notify(Event::Closed { ended, at_risk });
    }

    /// Turns away from a socket that still exists.
    pub(super) fn leave(&mut self, socket: SocketId) -> AtRisk<MessagesOf<M>> {
        self.actions.push(Action::Abandon { socket });
        self.forget(None)
    }

    /// Forgets all that belonged to the socket. `buffered` is the platform's last word on its buffer, where it gave one.
    pub(super) fn forget(&mut self, buffered: Option<u64>) -> AtRisk<MessagesOf<M>> {
        if let Some(buffered) = buffered {
            self.in_flight.measure(buffered);
        }
        self.retire_monitor();
        self.is_congested = false;
        self.is_measuring = false;
        self.measure_at = Time::NEVER;
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

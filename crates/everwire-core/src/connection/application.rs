//! What the application asks for.

use super::{Action, Cause, Connection, Ended, Event, Phase, Retry};
use crate::{CloseCode, Payload, terms::ReasonOf, time::Time};

impl<M: Payload> Connection<M> {
    /// A connection before this one dialled last so long ago.
    pub(super) fn open(&mut self, now: Time, last_dial: Time) {
        if self.phase == Phase::Idle {
            self.earliest_dial = now + self.config.backoff.floor - last_dial;
            self.dial_soonest(now);
        }
    }

    pub(super) fn reconnect(&mut self, now: Time) {
        match self.phase {
            // An attempt that was just begun is what the application asks for. A call in a loop would otherwise dial each time.
            Phase::Connecting { .. } => return,
            Phase::Idle | Phase::Waiting { .. } => {}
            Phase::Closed => self.failures = 0,
            Phase::Open { socket, .. } | Phase::Closing { socket, .. } => {
                let at_risk = self.leave(socket);
                let retry = Retry { attempt: self.failures.saturating_add(1), at: self.soonest_dial(now).planned() };
                self.notify(Event::Dropped { cause: Cause::Requested, at_risk, retry });
            }
        }
        self.dial_soonest(now);
    }

    pub(super) fn close(&mut self, now: Time, code: CloseCode, reason: ReasonOf<M>) {
        match self.phase {
            Phase::Open { socket, .. } => {
                self.expire(now);
                // The platform sends what it was handed before the close frame, whatever its buffer holds.
                while let Some(waiting) = self.outbox.pop() {
                    self.hand_over(socket, Some(waiting.id), waiting.message);
                }
                self.retire_monitor();
                self.measure_at = Time::NEVER;
                self.phase = Phase::Closing { socket, give_up_at: now + self.config.close_timeout };
                self.actions.push(Action::Close { socket, code, reason });
            }
            Phase::Idle | Phase::Connecting { .. } | Phase::Waiting { .. } => {
                let at_risk = self.phase.socket().map(|socket| self.leave(socket)).unwrap_or_default();
                let was_clean = false;
                self.end(Ended::ByApplication { code: code.value(), reason: reason.into(), was_clean }, at_risk);
            }
            Phase::Closing { .. } | Phase::Closed => {}
        }
    }

    pub(super) fn flush(&mut self, now: Time) {
        self.flush_wanted = !self.is_flushed();
        if self.flush_wanted {
            self.measure_once(now);
        }
    }
}

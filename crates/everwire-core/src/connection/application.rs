//! What the application asks for.

use alloc::borrow::ToOwned;
use core::time::Duration;

use super::{Action, Cause, Connection, Ended, Event, Retry, State};
use crate::{CloseCode, CloseReason, Payload};

impl<M: Payload> Connection<M> {
    pub(super) fn open(&mut self, now: Duration) {
        if self.state == State::Idle {
            self.dial(now);
        }
    }

    pub(super) fn reconnect(&mut self, now: Duration) {
        match self.state {
            State::Idle | State::Waiting { .. } => {}
            State::Closed => self.failures = 0,
            State::Connecting { socket, .. } | State::Open { socket, .. } | State::Closing { socket, .. } => {
                let at_risk = self.leave(socket);
                let retry = Retry { attempt: self.failures.saturating_add(1), at: Some(now) };
                self.notify(Event::Dropped { cause: Cause::Requested, at_risk, retry });
            }
        }
        self.dial(now);
    }

    pub(super) fn close(&mut self, now: Duration, code: CloseCode, reason: CloseReason) {
        match self.state {
            State::Open { socket, .. } => {
                self.expire(now);
                // The platform sends what it was handed before the close frame, whatever its buffer holds.
                while let Some(waiting) = self.outbox.pop() {
                    self.hand_over(socket, Some(waiting.id), waiting.message);
                }
                self.retire_monitor();
                self.measure_at = None;
                self.state = State::Closing { socket, give_up_at: now.saturating_add(self.config.close_timeout) };
                self.actions.push_back(Action::Close { socket, code, reason });
            }
            State::Idle | State::Connecting { .. } | State::Waiting { .. } => {
                let at_risk = self.state.socket().map(|socket| self.leave(socket)).unwrap_or_default();
                let was_clean = false;
                self.end(
                    Ended::ByApplication { code: code.value(), reason: reason.as_str().to_owned(), was_clean },
                    at_risk,
                );
            }
            State::Closing { .. } | State::Closed => {}
        }
    }

    pub(super) fn flush(&mut self, now: Duration) {
        self.flush_wanted = !self.is_flushed();
        if self.flush_wanted {
            self.measure_once(now);
        }
    }
}

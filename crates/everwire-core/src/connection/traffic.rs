//! Moving messages.

use core::time::Duration;

use super::{Action, Connection, Event, SocketId, State};
use crate::{DiscardReason, MessageId, Payload};

/// How often the platform's buffer is looked at while somebody waits for it to drain; it has no event for that.
pub(super) const MEASURE_EVERY: Duration = Duration::from_millis(25);
/// With this many messages in flight the platform is asked which have left, so that the list of them stays short.
const MEASURE_AT_MESSAGES: usize = 256;

impl<M: Payload> Connection<M> {
    pub(super) fn transmit(&mut self, now: Duration, socket: SocketId, id: Option<MessageId>, message: M) {
        let size = message.size();
        self.in_flight.hand_over(id, size);
        if let Some(monitor) = &mut self.monitor {
            monitor.sent(size);
        }
        self.actions.push_back(Action::Transmit { socket, message });
        // What is known of the buffer is an upper bound; the platform is asked when that bound says it may be time to stop.
        let may_be_congested = self.in_flight.bytes() > self.config.watermarks.high;
        if may_be_congested || self.in_flight.len() >= MEASURE_AT_MESSAGES {
            self.is_congested = may_be_congested;
            self.measure(now);
        }
    }

    pub(super) fn drain(&mut self, now: Duration) {
        self.expire(now);
        while let State::Open { socket, .. } = self.state
            && !self.is_congested
            && let Some(waiting) = self.outbox.pop()
        {
            self.transmit(now, socket, Some(waiting.id), waiting.message);
        }
    }

    /// Asks the platform about its buffer, and again soon should the answer stay out.
    pub(super) fn measure(&mut self, now: Duration) {
        if let State::Open { socket, .. } = self.state {
            self.measure_at = Some(now.saturating_add(MEASURE_EVERY));
            self.actions.push_back(Action::Measure { socket });
        }
    }

    pub(super) fn expire(&mut self, now: Duration) {
        let actions = &mut self.actions;
        self.outbox.expire(now, |(waiting, reason)| actions.push_back(discarded(waiting.id, waiting.message, reason)));
    }

    pub(super) fn notify(&mut self, event: Event<M>) {
        self.actions.push_back(Action::Notify(event));
    }
}

pub(super) fn discarded<M>(id: MessageId, message: M, reason: DiscardReason) -> Action<M> {
    Action::Notify(Event::Discarded { id, message, reason })
}

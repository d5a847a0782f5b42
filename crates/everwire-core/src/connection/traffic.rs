//! Moving messages.

use super::{Action, Connection, Event, Phase, SocketId};
use crate::{DiscardReason, MessageId, Payload, time::Time};

/// How often the platform's buffer is looked at while somebody waits for it to drain; it has no event for that.
const MEASURE_EVERY: Time = Time::from_millis(25);
/// How often it is looked at while it may hold something and nobody waits, so that what is reported to be at risk when the
/// socket goes is what was sent in the last second rather than in the last hour.
const MEASURE_IDLY_EVERY: Time = Time::from_secs(1);
/// With this many messages in flight the platform is asked which have left, so that the list of them stays short.
const MEASURE_AT_MESSAGES: usize = 256;

impl<M: Payload> Connection<M> {
    /// Gives a message to the socket and keeps an eye on the platform's buffer.
    pub(super) fn transmit(&mut self, now: Time, socket: SocketId, id: Option<MessageId>, message: M) {
        self.hand_over(socket, id, message);
        self.watch_buffer(now);
    }

    /// Looks at the platform's buffer when that may be full, and in a while otherwise.
    pub(super) fn watch_buffer(&mut self, now: Time) {
        if !self.has_headroom() || self.in_flight.len() >= MEASURE_AT_MESSAGES {
            self.measure_once(now);
        } else if self.measure_at == Time::NEVER {
            self.measure_at = now + MEASURE_IDLY_EVERY;
        }
    }

    /// Gives a message to the socket, whatever the platform's buffer holds.
    pub(super) fn hand_over(&mut self, socket: SocketId, id: Option<MessageId>, message: M) {
        self.follow(id, message.size());
        self.actions.push(Action::Transmit { socket, message });
    }

    /// Notes that a message is the platform's.
    pub(super) fn follow(&mut self, id: Option<MessageId>, size: usize) {
        self.in_flight.hand_over(id, size);
        if let Some(monitor) = &mut self.monitor {
            monitor.sent(size);
        }
    }

    /// The open socket, where a message may go to it at once.
    pub(super) fn free_way(&self, ahead: bool) -> Option<SocketId> {
        match self.phase {
            Phase::Open { socket, .. } if ahead || (self.outbox.is_empty() && self.has_headroom()) => Some(socket),
            _ => None,
        }
    }

    /// Gives what waits to the open socket, as long as the network keeps up.
    pub(super) fn drain(&mut self, now: Time) {
        self.expire(now);
        while let Phase::Open { socket, .. } = self.phase
            && self.has_headroom()
            && let Some(waiting) = self.outbox.pop()
        {
            self.transmit(now, socket, Some(waiting.id), waiting.message);
        }
    }

    /// Whether the platform's buffer may take more. What is known of it is an upper bound between two measurements.
    pub(super) fn has_headroom(&self) -> bool {
        !self.is_congested && self.in_flight.bytes() <= self.config.watermarks.high
    }

    /// Takes in what the platform says of its buffer.
    pub(super) fn measured(&mut self, now: Time, bytes: u64) {
        self.is_measuring = false;
        self.measure_at = Time::NEVER;
        if self.in_flight.measure(bytes)
            && let Some(monitor) = &mut self.monitor
        {
            monitor.moved(now, &self.latency);
        }
        let watermarks = self.config.watermarks;
        self.is_congested = bytes > if self.is_congested { watermarks.low } else { watermarks.high };
        self.drain(now);
        self.flush_wanted &= !self.is_flushed();
        if !self.is_measuring {
            self.measure_at = self.measure_again_at(now);
        }
    }

    fn measure_again_at(&self, now: Time) -> Time {
        if self.flush_wanted || !self.has_headroom() {
            now + MEASURE_EVERY
        } else if self.in_flight.bytes() > 0 {
            now + MEASURE_IDLY_EVERY
        } else {
            Time::NEVER
        }
    }

    /// Asks the platform about its buffer, unless it was asked and has yet to answer.
    pub(super) fn measure_once(&mut self, now: Time) {
        if !self.is_measuring {
            self.measure(now);
        }
    }

    /// Asks the platform about its buffer, and again should the answer stay out.
    pub(super) fn measure(&mut self, now: Time) {
        if let Phase::Open { socket, .. } = self.phase {
            self.is_measuring = true;
            self.measure_at = now + MEASURE_IDLY_EVERY;
            self.actions.push(Action::Measure { socket });
        }
    }

    /// Discards what has waited too long.
    pub(super) fn expire(&mut self, now: Time) {
        let actions = &mut self.actions;
        self.outbox.expire(now, |(waiting, reason)| actions.push(discarded(waiting.id, waiting.message, reason)));
    }

    pub(super) fn notify(&mut self, event: Event<M>) {
        self.actions.push(Action::Notify(event));
    }
}

pub(super) fn discarded<M: Payload>(id: MessageId, message: M, reason: DiscardReason) -> Action<M> {
    Action::Notify(Event::Discarded { id, message, reason })
}

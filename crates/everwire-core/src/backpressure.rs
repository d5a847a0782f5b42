//! The platform's send buffer, and when messages have to wait before it.

use core::mem;

use crate::{
    connection::{AtRisk, MessageId},
    queue::Queue,
    time::Time,
};

/// How often the platform's buffer is measured while the application waits for it to drain; platforms have no event for that.
const MEASURE_EVERY: Time = Time::from_millis(25);
/// How often it is measured while it may hold something and nothing waits for it. So the messages reported at risk when the socket is
/// lost are those of the last second rather than of the last hour.
const MEASURE_IDLY_EVERY: Time = Time::from_secs(1);
/// With this many messages in flight, and again whenever their number has doubled, the buffer is measured, so that the list of them
/// stays short. Browsers update `bufferedAmount` between two tasks, so that measuring more often within a burst would show nothing.
const MEASURE_AT_MESSAGES: usize = 256;

/// How many bytes may wait in the platform's buffer before messages wait in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watermarks {
    /// Above this the connection is not ready and messages wait in the outbox (1 MiB).
    pub high: u64,
    /// Below this it is ready again (256 KiB).
    pub low: u64,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self { high: 1 << 20, low: 256 << 10 }
    }
}

impl Watermarks {
    /// Sets [`high`](field@Self::high).
    #[must_use]
    pub fn high(mut self, bytes: u64) -> Self {
        self.high = bytes;
        self
    }

    /// Sets [`low`](field@Self::low).
    #[must_use]
    pub fn low(mut self, bytes: u64) -> Self {
        self.low = bytes;
        self
    }
}

/// Tracks the platform's send buffer: which messages may still be in it, and when to measure it.
///
/// The platform reports how many bytes it holds (`bufferedAmount`) only on request, so the count is an upper bound that each measurement
/// corrects.
#[derive(Debug)]
pub(crate) struct SendBuffer {
    watermarks: Watermarks,
    /// The messages that may still be in the buffer, oldest first.
    in_flight: Queue<InFlight>,
    handed_over: u64,
    left: u64,
    /// How many bytes had been handed over at the last measurement.
    measured: u64,
    /// The buffer was above the high-water mark and has not come down to the low one since then.
    is_congested: bool,
    /// The application waits for a flush, over as many sockets as it takes.
    is_flushing: bool,
    /// A measurement was requested and has not been answered.
    is_measuring: bool,
    /// Something was handed over since the last measurement.
    is_stale: bool,
    measure_at: Time,
    measure_at_messages: usize,
}

#[derive(Debug)]
struct InFlight {
    id: MessageId,
    /// How many bytes had been handed over when this message's last byte was.
    end: u64,
}

impl SendBuffer {
    pub(crate) fn new(watermarks: Watermarks) -> Self {
        Self {
            watermarks,
            in_flight: Queue::new(),
            handed_over: 0,
            left: 0,
            measured: 0,
            is_congested: false,
            is_flushing: false,
            is_measuring: false,
            is_stale: false,
            measure_at: Time::NEVER,
            measure_at_messages: MEASURE_AT_MESSAGES,
        }
    }

    /// Records a message handed to the platform. `id` is `None` for one that the application does not know. Returns whether to measure the
    /// buffer now.
    pub(crate) fn hand_over(&mut self, id: Option<MessageId>, size: usize) -> bool {
        self.handed_over = self.handed_over.saturating_add(size as u64);
        self.is_stale = true;
        if let Some(id) = id {
            self.in_flight.push(InFlight { id, end: self.handed_over });
        }
        // The first message after a pause starts the measurements. No clock was read for it; the answer to the measurement brings the time.
        !self.has_headroom() || self.in_flight.len() >= self.measure_at_messages || self.measure_at == Time::NEVER
    }

    /// The bytes that may still be in the buffer, an upper bound.
    pub(crate) fn bytes(&self) -> u64 {
        self.handed_over - self.left
    }

    /// Whether the buffer may take more. Between two measurements this relies on the upper bound.
    pub(crate) fn has_headroom(&self) -> bool {
        !self.is_congested && self.bytes() <= self.watermarks.high
    }

    /// Whether so many bytes that wait in front of the buffer still count as ready.
    pub(crate) fn is_below_high_water_mark(&self, bytes: usize) -> bool {
        bytes as u64 <= self.watermarks.high
    }

    /// Whether the application waits for the buffer to drain. Then every received message makes it worth measuring: it may answer what was
    /// in the buffer, and the timers of a hidden page fire only once a minute.
    pub(crate) fn is_awaited(&self) -> bool {
        self.is_flushing() || !self.has_headroom()
    }

    pub(crate) fn set_flushing(&mut self, is_flushing: bool) {
        self.is_flushing = is_flushing;
    }

    pub(crate) fn is_flushing(&self) -> bool {
        cfg!(feature = "flush") && self.is_flushing
    }

    /// Requests a measurement; returns false if one is in progress.
    pub(crate) fn request_measurement(&mut self) -> bool {
        !mem::replace(&mut self.is_measuring, true)
    }

    /// Records a measurement. Returns whether it shows that the link moves: some of the bytes that were in the buffer at the last
    /// measurement have left, and some have not. If all have left, the buffer may have been empty in between, which shows nothing: the
    /// operating system accepts bytes on a dead link too, until its own buffer is full.
    pub(crate) fn measured(&mut self, bytes: u64) -> bool {
        let left = self.handed_over.saturating_sub(bytes);
        while self.in_flight.pop_if(|message| message.end <= left).is_some() {}
        let moves = left > self.left && left < self.measured;
        self.left = self.left.max(left);
        self.measured = self.handed_over;
        self.is_measuring = false;
        self.measure_at_messages = MEASURE_AT_MESSAGES.max(2 * self.in_flight.len());
        self.is_congested = bytes > if self.is_congested { self.watermarks.low } else { self.watermarks.high };
        moves
    }

    /// Plans the next measurement.
    pub(crate) fn plan_measurement(&mut self, now: Time) {
        let was_stale = mem::take(&mut self.is_stale);
        self.measure_at = if self.is_awaited() {
            now + MEASURE_EVERY
        } else if was_stale || self.bytes() > 0 {
            now + MEASURE_IDLY_EVERY
        } else {
            Time::NEVER
        };
    }

    /// When the buffer is measured next.
    pub(crate) fn measure_at(&self) -> Time {
        self.measure_at
    }

    /// Whether the planned measurement is due. An earlier request without an answer is repeated.
    pub(crate) fn is_measurement_due(&mut self, now: Time) -> bool {
        let is_due = self.measure_at <= now;
        if is_due {
            self.is_measuring = false;
            self.measure_at = now + MEASURE_IDLY_EVERY;
        }
        is_due
    }

    /// The application has closed the connection: whether there is room does not matter any more.
    pub(crate) fn stop_measuring(&mut self) {
        self.measure_at = Time::NEVER;
    }

    /// Forgets the socket. `buffered` is the platform's last report about its buffer, where it gave one. Returns what had not left it.
    pub(crate) fn reset(&mut self, buffered: Option<u64>) -> AtRisk {
        if let Some(buffered) = buffered {
            self.measured(buffered);
        }
        let bytes = self.bytes();
        let fresh = Self { is_flushing: self.is_flushing, ..Self::new(self.watermarks) };
        let in_flight = mem::replace(self, fresh).in_flight;
        let mut at_risk = AtRisk { bytes, ..AtRisk::default() };
        // Not collected: an iterator of unknown length takes 150 bytes of the download of the npm package.
        for message in in_flight.iter() {
            at_risk.push(message.id);
        }
        at_risk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_left_when_its_last_byte_has() {
        let mut buffer = SendBuffer::new(Watermarks::default());
        for (id, size) in [(1, 10), (2, 20), (3, 30)] {
            buffer.hand_over(Some(MessageId(id)), size);
        }
        buffer.measured(31);
        assert_eq!((buffer.in_flight.len(), buffer.bytes()), (2, 31));
        buffer.measured(30);
        assert_eq!((buffer.in_flight.len(), buffer.bytes()), (1, 30));
        assert_eq!(buffer.reset(None).messages, [MessageId(3)]);
        assert_eq!(buffer.bytes(), 0);
    }

    #[test]
    fn only_a_buffer_that_stayed_backed_up_shows_a_link_that_moves() {
        let mut buffer = SendBuffer::new(Watermarks::default());
        buffer.hand_over(Some(MessageId(1)), 100);
        assert!(!buffer.measured(60), "it may have left before the link died");
        assert!(buffer.measured(50));
        assert!(!buffer.measured(50), "nothing left");
        assert!(!buffer.measured(0), "the operating system may have taken the rest");
        buffer.hand_over(Some(MessageId(2)), 100);
        assert!(!buffer.measured(10), "nor does what it took at once prove anything");
        buffer.hand_over(Some(MessageId(3)), 10);
        assert!(!buffer.measured(10), "what was in the buffer has left, and may have left an empty one");
    }

    #[test]
    fn the_first_message_after_a_pause_is_measured_and_the_next_ones_only_when_time_has_passed() {
        let mut buffer = SendBuffer::new(Watermarks::default());
        let now = Time::from_secs(10);
        assert!(buffer.hand_over(Some(MessageId(1)), 10));
        buffer.measured(0);
        buffer.plan_measurement(now);
        assert!(!buffer.hand_over(Some(MessageId(2)), 10));
        assert_eq!(buffer.measure_at(), now + MEASURE_IDLY_EVERY);
        buffer.measured(0);
        buffer.plan_measurement(now + MEASURE_IDLY_EVERY);
        assert_eq!(buffer.measure_at(), now + MEASURE_IDLY_EVERY + MEASURE_IDLY_EVERY);
        buffer.measured(0);
        buffer.plan_measurement(buffer.measure_at());
        assert_eq!(buffer.measure_at(), Time::NEVER, "nothing was sent since");
    }
}

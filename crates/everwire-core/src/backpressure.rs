use core::mem;

use crate::{AtRisk, MessageId, Time, queue::Queue};

/// How often the platform's buffer is measured while the application waits for it to drain; platforms have no event for that.
const MEASURE_EVERY: Time = Time::from_millis(25);
/// How often it is measured while it may hold something and nothing waits for it, so that what is reported at risk when the
/// socket goes is what was sent in the last second rather than in the last hour.
const MEASURE_IDLY_EVERY: Time = Time::from_secs(1);
/// With this many messages in flight, and again whenever their number has doubled, the buffer is measured, so that the list of them
/// stays short. Browsers update `bufferedAmount` between two tasks, so that measuring more often within a burst would show nothing.
const MEASURE_AT_MESSAGES: usize = 256;

/// How much may wait in the platform's buffer before messages wait in the outbox, in bytes.
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

/// The platform's send buffer as seen from here: what was handed over and may still be in it, and when to measure it.
///
/// The platform says how many bytes it holds (`bufferedAmount`) only when asked, so the count is an upper bound that each
/// measurement corrects.
#[derive(Debug)]
pub(crate) struct SendBuffer {
    watermarks: Watermarks,
    /// The messages that may still be in the buffer, oldest first.
    in_flight: Queue<InFlight>,
    handed_over: u64,
    left: u64,
    /// How many bytes had been handed over at the last measurement.
    measured: u64,
    /// The buffer was above the high-water mark and has not come down to the low one since.
    is_congested: bool,
    /// The application waits until everything was handed to the network, over as many sockets as it takes.
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

    /// Notes that a message was handed to the platform. `id` is `None` for what the application cannot name. Returns whether the buffer
    /// should be measured now.
    pub(crate) fn hand_over(&mut self, id: Option<MessageId>, size: usize) -> bool {
        self.handed_over = self.handed_over.saturating_add(size as u64);
        self.is_stale = true;
        if let Some(id) = id {
            self.in_flight.push(InFlight { id, end: self.handed_over });
        }
        // The first message after a pause starts the measurements: no clock was read for it, and its answer brings the time.
        !self.has_headroom() || self.in_flight.len() >= self.measure_at_messages || self.measure_at == Time::NEVER
    }

    /// The most bytes that may still be in the buffer.
    pub(crate) fn bytes(&self) -> u64 {
        self.handed_over - self.left
    }

    /// Whether the buffer may take more. Between two measurements what is known is an upper bound.
    pub(crate) fn has_headroom(&self) -> bool {
        !self.is_congested && self.bytes() <= self.watermarks.high
    }

    /// Whether so many bytes that wait before the buffer still count as ready.
    pub(crate) fn is_below_high_water_mark(&self, bytes: usize) -> bool {
        bytes as u64 <= self.watermarks.high
    }

    /// Whether something waits for the buffer to drain, so that whatever the server sends makes it worth measuring: it may have
    /// answered what was in the buffer, and timers of a hidden page fire once a minute.
    pub(crate) fn is_awaited(&self) -> bool {
        self.is_flushing() || !self.has_headroom()
    }

    pub(crate) fn set_flushing(&mut self, is_flushing: bool) {
        self.is_flushing = is_flushing;
    }

    pub(crate) fn is_flushing(&self) -> bool {
        cfg!(feature = "flush") && self.is_flushing
    }

    /// Requests a measurement; returns false where one is under way.
    pub(crate) fn request_measurement(&mut self) -> bool {
        !mem::replace(&mut self.is_measuring, true)
    }

    /// Takes in a measurement. Returns whether it shows that the link moves: some of the bytes that were in the buffer at the last
    /// measurement have left, and some have not. Where all have left, the buffer may have been empty in between, which shows nothing: the
    /// operating system accepts bytes on a dead link too until its own buffer is full.
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

    /// Whether the planned measurement is due. One that was requested before and not answered is requested again.
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

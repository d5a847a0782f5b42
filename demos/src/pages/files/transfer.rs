//! One file of the visitor on its way to the server: its stage, its flow-control window and its speed.

use std::collections::VecDeque;
use std::ops::Range;

use everwire_companion_api::files::{ResumeKey, StoredFile};

/// A file that the visitor sends, and its progress.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transfer {
    /// The page's own identifier.
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) flow: FlowControl,
    pub(super) meter: RateMeter,
    /// Under which the server finds the upload again; made from the file's bytes before it is first sent.
    pub(super) key: Option<ResumeKey>,
    /// The number of the current attempt; messages that belong to an earlier one are ignored. 0 while there is none.
    pub(super) stream: u32,
    /// Something that the visitor should know although the upload continues.
    pub(super) note: Option<&'static str>,
}

/// What happens to a file at present.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// Other files come first.
    Queued,
    /// The page reads enough of it for its resume key.
    Preparing,
    /// The page asks the server where to begin, as soon as there is a connection.
    Requesting,
    /// The page reads what the server already has, for the checksum; up to this offset so far.
    Rereading(u64),
    Sending,
    /// Everything is sent; the server compares the checksums.
    Verifying,
    Paused,
    Done(StoredFile),
    Failed(Failure),
}

/// Why a file was not sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    /// A sentence for the visitor.
    pub(super) why: String,
    /// Whether another attempt would fail in the same way.
    pub(super) is_final: bool,
}

impl Transfer {
    pub(super) fn new(id: u32, name: String, size: u64) -> Self {
        Self {
            id,
            name,
            stage: Stage::Queued,
            flow: FlowControl::new(size),
            meter: RateMeter::default(),
            key: None,
            stream: 0,
            note: None,
        }
    }

    /// Whether the page works on it; one file at a time is active.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Preparing) || self.needs_connection()
    }

    /// Whether it needs the connection.
    pub(super) fn needs_connection(&self) -> bool {
        matches!(self.stage, Stage::Requesting | Stage::Rereading(_) | Stage::Sending | Stage::Verifying)
    }

    /// Whether leaving the page would interrupt it.
    pub(super) fn is_unfinished(&self) -> bool {
        !matches!(self.stage, Stage::Done(_) | Stage::Failed(_))
    }
}

/// What of a file was sent and acknowledged, and how much the window lets the page send ahead of the acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct FlowControl {
    size: u64,
    acked: u64,
    sent: u64,
    window: u64,
    chunk: u64,
}

impl FlowControl {
    /// A file of which nothing has been sent.
    pub(super) fn new(size: u64) -> Self {
        Self { size, ..Self::default() }
    }

    /// The server has everything before `offset` and grants a window and a chunk size for the rest. Returns whether it has lost bytes
    /// that it had acknowledged.
    pub(super) fn resume(&mut self, offset: u64, window: u64, chunk: u64) -> bool {
        let has_lost = offset < self.acked;
        // The server's offset is not trusted to be within the file.
        let offset = offset.min(self.size);
        *self = Self { size: self.size, acked: offset, sent: offset, window, chunk: chunk.max(1) };
        has_lost
    }

    /// The server has everything before `offset`.
    pub(super) fn acknowledge(&mut self, offset: u64) {
        self.acked = offset.clamp(self.acked, self.sent);
    }

    /// The next bytes to send, at most `most`: `None` while the window is full, or when everything was sent. Waits until a whole chunk
    /// fits, to avoid the overhead of many small ones (the silly window syndrome).
    pub(super) fn next(&self, most: u64) -> Option<Range<u64>> {
        let rest = self.size - self.sent;
        let room = self.window.saturating_sub(self.in_flight());
        let least = self.chunk.min(self.window).min(rest).max(1);
        (room >= least && rest > 0).then(|| self.sent..self.sent + rest.min(room).min(most.max(1)))
    }

    /// Everything before `offset` has been handed to the connection.
    pub(super) fn send(&mut self, offset: u64) {
        self.sent = offset.clamp(self.sent, self.size);
    }

    /// The connection is lost, and the bytes in flight with it.
    pub(super) fn interrupt(&mut self) {
        self.sent = self.acked;
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The most bytes to send in one message.
    pub(super) fn chunk(&self) -> u64 {
        self.chunk
    }

    /// Bytes that were sent and are not acknowledged.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.acked
    }
}

/// How far back the speed is averaged, in milliseconds.
const SPAN: f64 = 4_000.0;
/// The least time between two samples, in milliseconds.
const SAMPLE_APART: f64 = 100.0;
/// Over less than this, in milliseconds, a speed would be a guess.
const MIN_SPAN: f64 = 300.0;

/// How fast the server acknowledges bytes, averaged over the last seconds.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct RateMeter {
    /// Times in milliseconds, and how many bytes were acknowledged by then.
    samples: VecDeque<(f64, u64)>,
    latest: Option<(f64, u64)>,
}

impl RateMeter {
    /// Adds a sample: so many bytes of the file are acknowledged now.
    pub(super) fn sample(&mut self, now: f64, bytes: u64) {
        // Fewer bytes than before belong to an attempt that starts over.
        if self.latest.is_some_and(|(_, before)| bytes < before) {
            self.reset();
        }
        self.latest = Some((now, bytes));
        if self.samples.back().is_none_or(|(last, _)| now - last >= SAMPLE_APART) {
            self.samples.push_back((now, bytes));
        }
        self.drop_old(now);
    }

    /// Starts over, as after a pause, which says nothing about the speed.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Bytes per second; it decreases while nothing is acknowledged.
    pub(super) fn speed(&self, now: f64) -> Option<f64> {
        let (start, from) = *self.samples.iter().find(|(time, _)| now - time <= SPAN).or(self.samples.back())?;
        let (_, to) = self.latest?;
        let span = now - start;
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        (span >= MIN_SPAN).then(|| (to - from) as f64 / span * 1e3)
    }

    /// Milliseconds until `left` bytes are acknowledged; `None` while nothing moves.
    pub(super) fn time_left(&self, now: f64, left: u64) -> Option<f64> {
        let speed = self.speed(now).filter(|speed| *speed >= 1.0)?;
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        Some(left as f64 / speed * 1e3)
    }

    fn drop_old(&mut self, now: f64) {
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(time, _)| now - time >= SPAN) {
            self.samples.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(size: u64) -> FlowControl {
        let mut flow = FlowControl::new(size);
        assert!(!flow.resume(0, 100, 10));
        flow
    }

    #[test]
    fn the_window_limits_what_is_sent_ahead_of_the_acknowledgements() {
        let mut flow = flow(1000);
        assert_eq!(flow.next(60), Some(0..60));
        flow.send(60);
        assert_eq!(flow.next(60), Some(60..100));
        flow.send(100);
        assert_eq!(flow.next(60), None);
        flow.acknowledge(9);
        assert_eq!(flow.next(60), None, "less than a chunk is not worth a message");
        flow.acknowledge(50);
        assert_eq!(flow.next(60), Some(100..150));
    }

    #[test]
    fn the_last_chunk_is_as_long_as_the_rest() {
        let mut flow = flow(15);
        flow.send(12);
        assert_eq!(flow.next(60), Some(12..15));
        flow.send(15);
        assert_eq!(flow.next(60), None);
        assert_eq!(self::flow(0).next(60), None);
    }

    #[test]
    fn an_interrupted_file_resumes_where_the_server_says() {
        let mut flow = flow(1000);
        flow.send(100);
        flow.acknowledge(40);
        flow.interrupt();
        assert_eq!((flow.sent(), flow.in_flight()), (40, 0));
        assert!(!flow.resume(70, 100, 10), "an acknowledgement may have been lost");
        assert_eq!(flow.next(500), Some(70..170));
    }

    #[test]
    fn a_server_that_lost_acknowledged_bytes_is_noticed() {
        let mut flow = flow(1000);
        flow.send(100);
        flow.acknowledge(40);
        assert!(flow.resume(0, 100, 10));
        assert_eq!(flow.acked(), 0);
    }

    #[test]
    fn invalid_offsets_of_the_server_are_harmless() {
        let mut flow = flow(100);
        flow.acknowledge(500);
        assert_eq!(flow.acked(), 0, "bytes that were not sent cannot be acknowledged");
        flow.resume(500, 0, 0);
        assert_eq!(flow.next(10), None);
        flow.resume(0, 0, 0);
        assert_eq!(flow.next(10), None);
    }

    #[test]
    fn the_speed_is_averaged_over_the_last_seconds() {
        let mut meter = RateMeter::default();
        for tenth in 0..100 {
            meter.sample(f64::from(tenth) * 100.0, tenth as u64 * 1_000);
        }
        assert_eq!(meter.speed(9_900.0).map(f64::round), Some(10_000.0));
        for tenth in 0..60 {
            meter.sample(9_900.0 + f64::from(tenth) * 100.0, 99_000 + tenth as u64 * 5_000);
        }
        assert_eq!(meter.speed(15_800.0).map(f64::round), Some(50_000.0));
    }

    #[test]
    fn there_is_no_speed_before_enough_time_has_passed() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.speed(0.0), None);
        meter.sample(0.0, 0);
        meter.sample(100.0, 5_000_000);
        assert_eq!(meter.speed(200.0), None);
    }

    #[test]
    fn the_speed_decreases_while_nothing_is_acknowledged() {
        let mut meter = RateMeter::default();
        meter.sample(0.0, 0);
        meter.sample(1_000.0, 1_000);
        assert_eq!(meter.speed(1_000.0), Some(1_000.0));
        assert_eq!(meter.speed(4_000.0), Some(250.0));
        assert_eq!(meter.speed(60_000.0), Some(0.0));
        assert_eq!(meter.time_left(60_000.0, 10), None);
    }

    #[test]
    fn the_time_left_follows_from_the_speed() {
        let mut meter = RateMeter::default();
        meter.sample(0.0, 0);
        meter.sample(1_000.0, 500);
        assert_eq!(meter.time_left(1_000.0, 1_500), Some(3_000.0));
    }

    #[test]
    fn an_upload_that_starts_over_has_no_negative_speed() {
        let mut meter = RateMeter::default();
        meter.sample(0.0, 10_000);
        meter.sample(500.0, 0);
        meter.sample(1_000.0, 1_000);
        assert_eq!(meter.speed(1_000.0), Some(2_000.0));
    }

    #[test]
    fn the_meter_does_not_grow_with_the_file() {
        let mut meter = RateMeter::default();
        for step in 0..100_000_u64 {
            meter.sample(step as f64, step);
        }
        assert!(meter.samples.len() <= 45, "{}", meter.samples.len());
    }
}

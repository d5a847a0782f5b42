//! When silence means that the link is dead.

use alloc::vec::Vec;

use crate::{latency::Latency, time::Time};

/// How a dead link is distinguished from a quiet one.
///
/// A browser's WebSocket does not expose protocol pings, and reports a dead link only when the operating system gives up on it,
/// minutes later. So pings are messages.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum HeartbeatMode {
    /// A ping after silence; the link is dead when nothing at all is received before its deadline. The default. The server has to
    /// answer pings; an echo does.
    Ping(PingSchedule),
    /// No pings: the link is dead when nothing was received for this long. For servers that send all the time.
    Silence(Time),
    /// No detection beyond what the platform reports by itself.
    Off,
}

impl Default for HeartbeatMode {
    fn default() -> Self {
        Self::Ping(PingSchedule::default())
    }
}

/// When pings are sent and how long their answers may take.
///
/// The deadline follows the measured round trip (twice the retransmission timeout of RFC 6298), within
/// [`min_deadline`](field@Self::min_deadline) and [`max_deadline`](field@Self::max_deadline).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PingSchedule {
    /// How long the link may be silent before a ping is sent (7 s).
    pub after_silence: Time,
    /// The shortest deadline (2 s).
    pub min_deadline: Time,
    /// The longest deadline, and the one before any round trip was measured (6 s). Together with
    /// [`after_silence`](field@Self::after_silence) it bounds the time to detect a dead link: 13 s.
    pub max_deadline: Time,
    /// The longest deadline after an event that often kills a link: the page came back, the machine woke, the network
    /// changed (2 s, or three times the smoothed round trip where that is longer).
    pub wake_deadline: Time,
    /// How often the round trip is measured while messages flow and no ping would be needed for liveness (15 s). A missing answer
    /// then counts as loss and as nothing else. `None`: only silence causes pings.
    pub sample_every: Option<Time>,
}

impl Default for PingSchedule {
    fn default() -> Self {
        Self {
            after_silence: Time::from_secs(7),
            min_deadline: Time::from_secs(2),
            max_deadline: Time::from_secs(6),
            wake_deadline: Time::from_secs(2),
            sample_every: Some(Time::from_secs(15)),
        }
    }
}

impl PingSchedule {
    /// Sets [`after_silence`](field@Self::after_silence).
    #[must_use]
    pub fn after_silence(mut self, time: impl Into<Time>) -> Self {
        self.after_silence = time.into();
        self
    }

    /// Sets [`min_deadline`](field@Self::min_deadline).
    #[must_use]
    pub fn min_deadline(mut self, time: impl Into<Time>) -> Self {
        self.min_deadline = time.into();
        self
    }

    /// Sets [`max_deadline`](field@Self::max_deadline).
    #[must_use]
    pub fn max_deadline(mut self, time: impl Into<Time>) -> Self {
        self.max_deadline = time.into();
        self
    }

    /// Sets [`wake_deadline`](field@Self::wake_deadline).
    #[must_use]
    pub fn wake_deadline(mut self, time: impl Into<Time>) -> Self {
        self.wake_deadline = time.into();
        self
    }

    /// Sets [`sample_every`](field@Self::sample_every).
    #[must_use]
    pub fn sample_every(mut self, time: impl Into<Time>) -> Self {
        self.sample_every = Some(time.into());
        self
    }

    /// Sends pings after silence only.
    #[must_use]
    pub fn without_samples(mut self) -> Self {
        self.sample_every = None;
        self
    }
}

/// The rate at which a deadline grows with the bytes sent since the last receipt: that of a poor mobile uplink, behind whose full
/// buffers a ping has to wait.
const SLOW_UPLINK_BYTES_PER_SECOND: f64 = 64.0 * 1024.0;
/// The most that a deadline grows for them.
const MAX_UPLINK_ALLOWANCE: Time = Time::from_secs(30);
/// After this time an unanswered ping counts as lost.
const LOST_AFTER: Time = Time::from_secs(30);
/// How many unanswered pings are remembered; the oldest beyond that count as lost.
const MAX_OUTSTANDING: usize = 16;
/// A second probe this soon after a ping sends none: the answer to the first serves both.
const PROBED_JUST_NOW: Time = Time::from_millis(250);
/// The least time between two scheduled pings, whatever the schedule says.
const LEAST_INTERVAL: Time = Time::from_millis(100);
/// How much longer the link gets before it is given up, for a measurement of the platform's buffer.
const MEASURE_BEFORE_GIVING_UP: Time = Time::from_millis(50);
/// How much longer a link without pings gets to deliver something after a late wake.
const SILENCE_GRACE: Time = Time::from_secs(2);

/// Decides for one socket when to ping, and when the link is dead.
///
/// A link is given up only when a deadline passes without any receipt. Each rule below postpones or shortens that deadline for a reason
/// why silence may not mean what it seems to mean: a timer that was throttled, a ping that waits behind an upload, a page that was frozen.
/// Every postponement happens at most once between two receipts, or depends on progress that a dead link cannot make, so that none of
/// them can keep a dead link for ever.
#[derive(Debug)]
pub(crate) struct LivenessDetector {
    heartbeat: HeartbeatMode,
    next_ping: u64,
    /// Oldest first.
    outstanding: Vec<Ping>,
    last_received: Time,
    last_ping: Time,
    /// When the link is given up unless something is received before. [`Time::NEVER`] while no deadline is pending.
    dead_at: Time,
    /// The deadline passed on a late timer once since the last receipt and was extended; the next time the link is given up.
    was_extended: bool,
    /// The platform's buffer was measured at the deadline since the last receipt.
    was_measured: bool,
    /// The bytes that were sent since the last receipt, or still waited in the platform's buffer then.
    unconfirmed_bytes: u64,
    ever_answered: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ping {
    id: u64,
    sent_at: Time,
}

/// What follows from the heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeartbeatAction {
    None,
    /// Send the ping with this number.
    Ping(u64),
    /// The link is dead.
    Dead,
}

impl LivenessDetector {
    /// Creates the detector of a socket that opened `now`.
    pub(crate) fn new(heartbeat: HeartbeatMode, first_ping: u64, now: Time) -> Self {
        let mut detector = Self {
            heartbeat,
            next_ping: first_ping,
            outstanding: Vec::new(),
            last_received: now,
            last_ping: now,
            dead_at: Time::NEVER,
            was_extended: false,
            was_measured: false,
            unconfirmed_bytes: 0,
            ever_answered: false,
        };
        detector.received(now, 0);
        detector
    }

    /// Replaces the heartbeat. A deadline that is pending under the previous one is dropped.
    pub(crate) fn set_heartbeat(&mut self, heartbeat: HeartbeatMode) {
        self.heartbeat = heartbeat;
        self.received(self.last_received, self.unconfirmed_bytes);
    }

    /// Records that something was received, which proves that the link is alive. `backlog` is how many bytes wait in the platform's
    /// buffer, behind which a ping would wait. The time may be from another clock, such as an event's: [`correct`](Self::correct) bounds
    /// it.
    pub(crate) fn received(&mut self, at: Time, backlog: u64) {
        self.last_received = at;
        self.was_extended = false;
        self.was_measured = false;
        // What was in the buffer is not known to have left it, so it still delays the next ping.
        self.unconfirmed_bytes = backlog;
        self.dead_at = match self.heartbeat {
            HeartbeatMode::Silence(after) => at + after,
            HeartbeatMode::Ping(_) | HeartbeatMode::Off => Time::NEVER,
        };
    }

    pub(crate) fn last_received(&self) -> Time {
        self.last_received
    }

    /// Corrects a time of receipt that lies ahead of the clock. Left alone, it would postpone the next ping by the error of the other
    /// clock, and a dead link would not be noticed for as long.
    pub(crate) fn correct(&mut self, now: Time) {
        if self.last_received > now {
            self.last_received = now;
            if let HeartbeatMode::Silence(after) = self.heartbeat {
                self.dead_at = now + after;
            }
        }
    }

    /// Records the answer to a ping. Returns when the ping was sent if the answer is a sample of the round trip: not if it comes too late
    /// to count, answers no ping, or does not say which of several pings it answers.
    pub(crate) fn answer(&mut self, now: Time, id: Option<u64>, latency: &mut Latency) -> Option<Time> {
        self.ever_answered = true;
        self.count_lost(now, latency);
        let is_certain = id.is_some() || self.outstanding.len() == 1;
        // An answer without a number is counted for the oldest ping, so that none is reported as lost for want of a number.
        let place = self.outstanding.iter().position(|ping| id.is_none_or(|id| ping.id == id))?;
        let answered = self.outstanding.remove(place).sent_at;
        is_certain.then_some(answered)
    }

    /// Records that bytes were handed to the socket.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unconfirmed_bytes = self.unconfirmed_bytes.saturating_add(bytes as u64);
    }

    /// Grants another deadline: the network accepted bytes while one was pending, so the link moves, and the ping is still behind an
    /// upload. It starts no deadline, because a buffer that moves is no reason to doubt the link.
    pub(crate) fn moved(&mut self, now: Time, latency: &Latency) {
        if let (true, HeartbeatMode::Ping(schedule)) = (self.is_pending(), &self.heartbeat) {
            self.dead_at = now + self.deadline(schedule, latency);
            self.was_measured = false;
        }
    }

    /// Extends the deadline by a moment, so that the platform's buffer can be measured first. Returns false if that was done since the
    /// last receipt: measuring again and again would keep a dead link.
    pub(crate) fn extend_to_measure(&mut self, now: Time) -> bool {
        let extends = !self.was_measured;
        if extends {
            self.was_measured = true;
            self.dead_at = now + MEASURE_BEFORE_GIVING_UP;
        }
        extends
    }

    /// Gives the link up: the outstanding pings count as lost. Returns whether any ping was ever answered, on this socket or on one
    /// before; true where the heartbeat sends none. A server that never answers one does not know pings, which no new socket changes.
    pub(crate) fn give_up(&self, latency: &mut Latency) -> bool {
        let sends_pings = matches!(self.heartbeat, HeartbeatMode::Ping(_));
        let ever_answered = !sends_pings || self.ever_answered || latency.histogram().count() > 0;
        for _ in &self.outstanding {
            latency.record_lost();
        }
        ever_answered
    }

    /// The number for the first ping of the next socket, so that a late answer from this one is not taken for an answer there.
    pub(crate) fn next_ping(&self) -> u64 {
        self.next_ping
    }

    /// When to call [`Self::wake`] at the latest.
    pub(crate) fn next_wake(&self) -> Time {
        match &self.heartbeat {
            HeartbeatMode::Ping(schedule) => self.dead_at.min(self.next_ping_at(schedule)),
            HeartbeatMode::Silence(_) | HeartbeatMode::Off => self.dead_at,
        }
    }

    /// Lets time pass. `is_late` says that the timer fired well after it was due, as in a hidden page. Messages received meanwhile may
    /// be queued behind this very call, so a late timer alone never proves a dead link.
    pub(crate) fn wake(&mut self, now: Time, is_late: bool, latency: &mut Latency) -> HeartbeatAction {
        self.count_lost(now, latency);
        if is_late {
            // Their answers may have waited as long as the timer did, and would be wrong samples of the round trip.
            self.reset_pings();
        }
        if self.dead_at <= now {
            if !is_late || self.was_extended {
                return HeartbeatAction::Dead;
            }
            return self.extend_and_probe(now, latency);
        }
        match &self.heartbeat {
            HeartbeatMode::Ping(schedule) if self.next_ping_at(schedule) <= now => {
                let is_silent = self.last_received + schedule.after_silence <= now;
                // A ping that only samples the round trip sets no deadline: while messages arrive, its loss proves nothing.
                if is_silent {
                    self.dead_at = now + self.deadline(schedule, latency);
                }
                self.ping(now, latency)
            }
            _ => HeartbeatAction::None,
        }
    }

    /// Probes the link now, with a short deadline, after an event that often kills one.
    pub(crate) fn probe(&mut self, now: Time, latency: &mut Latency) -> HeartbeatAction {
        if self.dead_at <= now {
            // Messages may be queued behind this very event. If the deadline was extended for that already, the timer that is due
            // decides.
            return if self.was_extended { HeartbeatAction::None } else { self.extend_and_probe(now, latency) };
        }
        let HeartbeatMode::Ping(schedule) = &self.heartbeat else { return HeartbeatAction::None };
        let deadline = now + self.wake_deadline(schedule, latency);
        let already_probed = self.is_pending() && now - self.last_ping < PROBED_JUST_NOW;
        // The earlier deadline stays, or events that keep coming would postpone it for ever.
        self.dead_at = self.dead_at.min(deadline);
        if already_probed { HeartbeatAction::None } else { self.ping(now, latency) }
    }

    /// Prepares for a freeze of the page, in which nothing is received. That must not count against the link: the deadline is dropped,
    /// and the first wake after the freeze starts another one.
    pub(crate) fn suspend(&mut self) {
        self.reset_pings();
        match self.heartbeat {
            HeartbeatMode::Ping(_) => self.dead_at = Time::NEVER,
            HeartbeatMode::Silence(_) | HeartbeatMode::Off => self.was_extended = false,
        }
    }

    /// Forgets the outstanding pings after time stood still: their answers are not samples of the round trip.
    pub(crate) fn reset_pings(&mut self) {
        self.outstanding.clear();
    }

    /// Extends a deadline that has passed, once between two receipts.
    fn extend_and_probe(&mut self, now: Time, latency: &mut Latency) -> HeartbeatAction {
        self.was_extended = true;
        match &self.heartbeat {
            HeartbeatMode::Ping(schedule) => {
                self.dead_at = now + self.wake_deadline(schedule, latency);
                self.ping(now, latency)
            }
            HeartbeatMode::Silence(_) | HeartbeatMode::Off => {
                self.dead_at = now + SILENCE_GRACE;
                HeartbeatAction::None
            }
        }
    }

    fn ping(&mut self, now: Time, latency: &mut Latency) -> HeartbeatAction {
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.remove(0);
            latency.record_lost();
        }
        let id = self.next_ping;
        self.next_ping += 1;
        self.last_ping = now;
        self.outstanding.push(Ping { id, sent_at: now });
        HeartbeatAction::Ping(id)
    }

    /// Whether a deadline is pending, at which the link is given up.
    fn is_pending(&self) -> bool {
        self.dead_at != Time::NEVER
    }

    /// When the next ping is due: after silence, or because it is time for a sample. Never while a deadline is pending, because the
    /// answer to the first ping is as good as any.
    fn next_ping_at(&self, schedule: &PingSchedule) -> Time {
        if self.is_pending() {
            return Time::NEVER;
        }
        let silence = self.last_received + schedule.after_silence;
        let sample = schedule.sample_every.map_or(Time::NEVER, |every| self.last_ping + every);
        silence.min(sample).max(self.last_ping + LEAST_INTERVAL)
    }

    fn deadline(&self, schedule: &PingSchedule, latency: &Latency) -> Time {
        let longest = schedule.max_deadline;
        // Room for one lost segment: TCP repeats it after one retransmission timeout, and the answer takes a round trip more.
        let expected = latency.answer_expected_within().map_or(longest, |expected| expected + expected);
        expected.max(schedule.min_deadline).min(longest) + self.uplink_allowance()
    }

    fn wake_deadline(&self, schedule: &PingSchedule, latency: &Latency) -> Time {
        let three_round_trips = latency.smoothed_round_trip().map_or(Time::ZERO, |once| once + once + once);
        let deadline = three_round_trips.max(schedule.wake_deadline).min(schedule.max_deadline);
        deadline + self.uplink_allowance()
    }

    /// How much longer an answer may take because the ping waits behind what was sent before it. Without it, a large upload over a slow
    /// uplink would look like a dead link, and be repeated on the next socket with the same result.
    fn uplink_allowance(&self) -> Time {
        Time::from_secs_f64(self.unconfirmed_bytes as f64 / SLOW_UPLINK_BYTES_PER_SECOND).min(MAX_UPLINK_ALLOWANCE)
    }

    fn count_lost(&mut self, now: Time, latency: &mut Latency) {
        while self.outstanding.first().is_some_and(|ping| ping.sent_at + LOST_AFTER <= now) {
            self.outstanding.remove(0);
            latency.record_lost();
        }
    }
}

#[cfg(test)]
mod tests;

//! When silence means that the link is dead.

use alloc::vec::Vec;

use crate::{Latency, Time};

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

/// The rate by which a deadline grows for what was sent since the last receipt: that of a poor mobile uplink, behind whose full
/// buffers a ping has to wait.
const SLOW_UPLINK_BYTES_PER_SECOND: f64 = 64.0 * 1024.0;
/// The most that a deadline grows for it.
const MAX_UPLINK_ALLOWANCE: Time = Time::from_secs(30);
/// After this time an unanswered ping counts as lost.
const LOST_AFTER: Time = Time::from_secs(30);
/// How many unanswered pings are remembered; the oldest beyond that count as lost.
const MAX_OUTSTANDING: usize = 16;
/// A second probe this soon after a ping sends none: the answer to the first serves both.
const PROBED_JUST_NOW: Time = Time::from_millis(250);
/// The least time between two scheduled pings, whatever the schedule says.
const LEAST_INTERVAL: Time = Time::from_millis(100);
/// How much longer the link has before it is given up, for a measurement of the platform's buffer.
const MEASURE_BEFORE_GIVING_UP: Time = Time::from_millis(50);
/// How much longer a link without pings has to send something after a late wake.
const SILENCE_GRACE: Time = Time::from_secs(2);

/// Decides for one socket when to ping, and when the link is dead.
#[derive(Debug)]
pub(crate) struct LivenessDetector {
    heartbeat: HeartbeatMode,
    next_ping: u64,
    /// Oldest first.
    outstanding: Vec<Ping>,
    last_received: Time,
    last_ping: Time,
    /// When the link is given up unless something is received before.
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
    /// Starts for a socket that opened `now`.
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

    /// Replaces the heartbeat. What is pending under the one before is not.
    pub(crate) fn set_heartbeat(&mut self, heartbeat: HeartbeatMode) {
        self.heartbeat = heartbeat;
        self.received(self.last_received, self.unconfirmed_bytes);
    }

    /// Something was received: the link is alive. `backlog` is how many bytes wait in the platform's buffer, behind which a ping
    /// would wait. The time may be that of another clock, as an event's: [`correct`](Self::correct) bounds it.
    pub(crate) fn received(&mut self, at: Time, backlog: u64) {
        self.last_received = at;
        self.was_extended = false;
        self.was_measured = false;
        self.unconfirmed_bytes = backlog;
        self.dead_at = match self.heartbeat {
            HeartbeatMode::Silence(after) => at + after,
            HeartbeatMode::Ping(_) | HeartbeatMode::Off => Time::NEVER,
        };
    }

    pub(crate) fn last_received(&self) -> Time {
        self.last_received
    }

    /// Corrects a time of receipt that lies ahead of the clock.
    pub(crate) fn correct(&mut self, now: Time) {
        if self.last_received > now {
            self.last_received = now;
            if let HeartbeatMode::Silence(after) = self.heartbeat {
                self.dead_at = now + after;
            }
        }
    }

    /// A ping was answered. Returns when it was sent where the answer is a sample of the round trip: not where it comes too late to
    /// count, answers no ping, or does not say which of several pings it answers.
    pub(crate) fn answer(&mut self, now: Time, id: Option<u64>, latency: &mut Latency) -> Option<Time> {
        self.ever_answered = true;
        self.count_lost(now, latency);
        let is_certain = id.is_some() || self.outstanding.len() == 1;
        let place = self.outstanding.iter().position(|ping| id.is_none_or(|id| ping.id == id))?;
        let answered = self.outstanding.remove(place).sent_at;
        is_certain.then_some(answered)
    }

    /// Bytes were handed to the socket.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unconfirmed_bytes = self.unconfirmed_bytes.saturating_add(bytes as u64);
    }

    /// The network accepted bytes while a deadline was pending: the link moves, so it gets another deadline.
    pub(crate) fn moved(&mut self, now: Time, latency: &Latency) {
        if let (true, HeartbeatMode::Ping(schedule)) = (self.is_pending(), &self.heartbeat) {
            self.dead_at = now + self.deadline(schedule, latency);
            self.was_measured = false;
        }
    }

    /// Extends the deadline by a moment, so that the platform's buffer can be measured first; once between two receipts. Returns
    /// whether it did.
    pub(crate) fn extend_to_measure(&mut self, now: Time) -> bool {
        let extends = !self.was_measured;
        if extends {
            self.was_measured = true;
            self.dead_at = now + MEASURE_BEFORE_GIVING_UP;
        }
        extends
    }

    /// Whether any ping on this socket was answered.
    pub(crate) fn ever_answered(&self) -> bool {
        self.ever_answered
    }

    /// The number that the next socket's first ping should have, so that a late answer from this one is not taken for its.
    pub(crate) fn next_ping(&self) -> u64 {
        self.next_ping
    }

    /// How many pings are outstanding.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// When [`Self::wake`] has to be called at the latest.
    pub(crate) fn next_wake(&self) -> Time {
        match &self.heartbeat {
            HeartbeatMode::Ping(schedule) => self.dead_at.min(self.next_ping_at(schedule)),
            HeartbeatMode::Silence(_) | HeartbeatMode::Off => self.dead_at,
        }
    }

    /// Time has passed. `is_late` says that the timer fired well after it was due, as in a hidden page: what should have been
    /// received meanwhile may wait behind this very call, so a late timer alone never proves a dead link.
    pub(crate) fn wake(&mut self, now: Time, is_late: bool, latency: &mut Latency) -> HeartbeatAction {
        self.count_lost(now, latency);
        if is_late {
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
                if is_silent {
                    self.dead_at = now + self.deadline(schedule, latency);
                }
                self.ping(now, latency)
            }
            _ => HeartbeatAction::None,
        }
    }

    /// Probes the link now, with a short deadline: something happened that often kills one.
    pub(crate) fn probe(&mut self, now: Time, latency: &mut Latency) -> HeartbeatAction {
        if self.dead_at <= now {
            // What should have been received may wait behind this very event. If the deadline was extended for that already, the
            // timer that is due decides.
            return if self.was_extended { HeartbeatAction::None } else { self.extend_and_probe(now, latency) };
        }
        let HeartbeatMode::Ping(schedule) = &self.heartbeat else { return HeartbeatAction::None };
        let deadline = now + self.wake_deadline(schedule, latency);
        let already_probed = self.is_pending() && now - self.last_ping < PROBED_JUST_NOW;
        self.dead_at = self.dead_at.min(deadline);
        if already_probed { HeartbeatAction::None } else { self.ping(now, latency) }
    }

    /// The page is about to be frozen and will receive nothing, which must not count against the link.
    pub(crate) fn suspend(&mut self) {
        self.reset_pings();
        match self.heartbeat {
            HeartbeatMode::Ping(_) => self.dead_at = Time::NEVER,
            HeartbeatMode::Silence(_) | HeartbeatMode::Off => self.was_extended = false,
        }
    }

    /// Time stood still: a later answer is no sample of the round trip.
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

    /// Whether the link is to be given up at a deadline.
    fn is_pending(&self) -> bool {
        self.dead_at != Time::NEVER
    }

    /// When the next ping is due: after silence, or because it is time for a sample. Never while a deadline is pending.
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
        let expected = latency.answer_expected_within().map_or(longest, |expected| expected + expected);
        expected.max(schedule.min_deadline).min(longest) + self.uplink_allowance()
    }

    fn wake_deadline(&self, schedule: &PingSchedule, latency: &Latency) -> Time {
        let three_round_trips = latency.smoothed_round_trip().map_or(Time::ZERO, |once| once + once + once);
        let deadline = three_round_trips.max(schedule.wake_deadline).min(schedule.max_deadline);
        deadline + self.uplink_allowance()
    }

    /// How much longer an answer may take because the ping waits behind what was sent before it.
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

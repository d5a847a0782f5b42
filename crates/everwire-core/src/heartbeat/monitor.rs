use crate::{Heartbeat, Latency, PingSchedule, queue::Queue, time::Time};

/// How much longer a deadline grows for what was sent since the link was last heard: the rate of a poor mobile uplink, behind
/// whose full buffers a ping has to wait.
const SLOW_UPLINK_BYTES_PER_SECOND: f64 = 64.0 * 1024.0;
/// The most that a deadline grows for that.
const MAX_UPLINK_ALLOWANCE: Time = Time::from_secs(30);
/// After this time an unanswered ping counts as lost.
const LOST_AFTER: Time = Time::from_secs(30);
/// How many unanswered pings are remembered; the oldest beyond that count as lost.
const MAX_OUTSTANDING: usize = 16;
/// A second wake this soon after a ping does not ask again: the answer to the first serves both.
const ASKED_JUST_NOW: Time = Time::from_millis(250);
/// The least time between two pings that nothing but the schedule asks for, whatever it says.
const LEAST_INTERVAL: Time = Time::from_millis(100);
/// For how long a verdict waits for the platform's answer about its buffer.
const MEASURE_BEFORE_VERDICT: Time = Time::from_millis(50);
/// How long a link judged by silence is given to speak after a wake that came late.
const SILENCE_GRACE: Time = Time::from_secs(2);

/// Follows one socket: hears what arrives, says when to ping, and judges.
#[derive(Debug)]
pub(crate) struct Monitor {
    heartbeat: Heartbeat<Time>,
    next_ping: u64,
    outstanding: Queue<Ping>,
    last_heard: Time,
    last_ping: Time,
    /// When the link is given up unless it is heard before.
    verdict_at: Time,
    /// A verdict that came due unseen was put off once since the last sign of life; the next one stands.
    was_put_off: bool,
    /// The platform was asked about its buffer since the last sign of life.
    was_measured: bool,
    /// The bytes that were sent since the link was last heard, or still waited in the platform's buffer then.
    unheard_bytes: u64,
    ever_answered: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ping {
    id: u64,
    sent_at: Time,
}

/// What the monitor asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    Quiet,
    /// Send the ping with this number.
    Ping(u64),
    /// The link is dead.
    Dead,
}

impl Monitor {
    /// Starts to follow a socket that opened `now`.
    pub(crate) fn new(heartbeat: Heartbeat<Time>, first_ping: u64, now: Time) -> Self {
        let mut monitor = Self {
            heartbeat,
            next_ping: first_ping,
            outstanding: Queue::new(),
            last_heard: now,
            last_ping: now,
            verdict_at: Time::NEVER,
            was_put_off: false,
            was_measured: false,
            unheard_bytes: 0,
            ever_answered: false,
        };
        monitor.hear(now, 0);
        monitor
    }

    /// Something arrived: the link is alive. A ping would stand behind a `backlog` of so many bytes.
    pub(crate) fn hear(&mut self, now: Time, backlog: u64) {
        self.last_heard = now;
        self.was_put_off = false;
        self.was_measured = false;
        self.unheard_bytes = backlog;
        self.verdict_at = match self.heartbeat {
            Heartbeat::Silence(after) => now + after,
            Heartbeat::Ping(_) | Heartbeat::Off => Time::NEVER,
        };
    }

    /// A ping was answered. Returns when it was sent where the answer is a sample of the round trip: it is not where it comes too
    /// late to count, was not asked for, or does not say which of several pings it answers.
    pub(crate) fn answer(&mut self, now: Time, id: Option<u64>, latency: &mut Latency) -> Option<Time> {
        self.ever_answered = true;
        self.count_lost(now, latency);
        let is_certain = id.is_some() || self.outstanding.len() == 1;
        let id = id.or_else(|| self.outstanding.iter().next().map(|ping| ping.id));
        let mut answered = None;
        self.outstanding.extract(|ping| Some(ping.id) == id, |ping| answered = Some(ping.sent_at));
        answered.filter(|_| is_certain)
    }

    /// Bytes were handed to the socket.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unheard_bytes = self.unheard_bytes.saturating_add(bytes as u64);
    }

    /// The network took bytes while a verdict was pending: the link moves, so the verdict waits for another deadline.
    pub(crate) fn moved(&mut self, now: Time, latency: &Latency) {
        if let (true, Heartbeat::Ping(schedule)) = (self.is_judging(), &self.heartbeat) {
            self.verdict_at = now + self.deadline(schedule, latency);
            self.was_measured = false;
        }
    }

    /// Puts a verdict off for a moment, so that the platform can be asked about its buffer first; once between two signs of
    /// life. Returns whether it did.
    pub(crate) fn put_off_once(&mut self, now: Time) -> bool {
        let put_off = !self.was_measured;
        if put_off {
            self.was_measured = true;
            self.verdict_at = now + MEASURE_BEFORE_VERDICT;
        }
        put_off
    }

    /// Whether any ping on this socket was answered.
    pub(crate) fn ever_answered(&self) -> bool {
        self.ever_answered
    }

    /// The number that the next socket's first ping should have, so that a late answer from this one is not taken for its.
    pub(crate) fn next_ping(&self) -> u64 {
        self.next_ping
    }

    /// How many pings wait for their answers.
    pub(crate) fn unanswered(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether a ping was sent to find out if the link lives, and nothing was heard since.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.is_judging() && matches!(self.heartbeat, Heartbeat::Ping(_))
    }

    /// When [`Self::wake`] has to be called at the latest.
    pub(crate) fn next_wake(&self) -> Time {
        match &self.heartbeat {
            Heartbeat::Ping(schedule) => self.verdict_at.min(self.next_ping_at(schedule)),
            Heartbeat::Silence(_) | Heartbeat::Off => self.verdict_at,
        }
    }

    /// Time has passed. `is_late` tells that the timer fired well after it was due, as in a hidden page: what should have been
    /// heard meanwhile may be waiting behind this very call, so it is never proof of a dead link by itself.
    pub(crate) fn wake(&mut self, now: Time, is_late: bool, latency: &mut Latency) -> Pulse {
        self.count_lost(now, latency);
        if is_late {
            self.forget_pings();
        }
        if self.verdict_at <= now {
            if !is_late || self.was_put_off {
                return Pulse::Dead;
            }
            return self.ask_again(now, latency);
        }
        match &self.heartbeat {
            Heartbeat::Ping(schedule) if self.next_ping_at(schedule) <= now => {
                let is_silent = self.last_heard + schedule.after_silence <= now;
                if is_silent {
                    self.verdict_at = now + self.deadline(schedule, latency);
                }
                self.ping(now, latency)
            }
            _ => Pulse::Quiet,
        }
    }

    /// Something happened that often kills a link: it is asked at once and has a short time to answer.
    pub(crate) fn urge(&mut self, now: Time, latency: &mut Latency) -> Pulse {
        if self.verdict_at <= now {
            // What should have been heard may be waiting behind the very happening that urges. If it was put off for that
            // already, the timer that is due judges.
            return if self.was_put_off { Pulse::Quiet } else { self.ask_again(now, latency) };
        }
        let Heartbeat::Ping(schedule) = &self.heartbeat else { return Pulse::Quiet };
        let deadline = now + self.wake_deadline(schedule, latency);
        let already_asked = self.is_judging() && now - self.last_ping < ASKED_JUST_NOW;
        self.verdict_at = self.verdict_at.min(deadline);
        if already_asked { Pulse::Quiet } else { self.ping(now, latency) }
    }

    /// A page that is about to be frozen will hear nothing; that must not count against the link.
    pub(crate) fn suspend(&mut self) {
        self.forget_pings();
        match self.heartbeat {
            Heartbeat::Ping(_) => self.verdict_at = Time::NEVER,
            Heartbeat::Silence(_) | Heartbeat::Off => self.was_put_off = false,
        }
    }

    /// Time stood still: an answer that comes yet tells nothing of the round trip.
    pub(crate) fn forget_pings(&mut self) {
        self.outstanding = Queue::new();
    }

    /// Puts an overdue verdict off, once between two signs of life.
    fn ask_again(&mut self, now: Time, latency: &mut Latency) -> Pulse {
        self.was_put_off = true;
        match &self.heartbeat {
            Heartbeat::Ping(schedule) => {
                self.verdict_at = now + self.wake_deadline(schedule, latency);
                self.ping(now, latency)
            }
            Heartbeat::Silence(_) | Heartbeat::Off => {
                self.verdict_at = now + SILENCE_GRACE;
                Pulse::Quiet
            }
        }
    }

    fn ping(&mut self, now: Time, latency: &mut Latency) -> Pulse {
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.pop();
            latency.record_lost();
        }
        let id = self.next_ping;
        self.next_ping += 1;
        self.last_ping = now;
        self.outstanding.push(Ping { id, sent_at: now });
        Pulse::Ping(id)
    }

    /// Whether a verdict is pending.
    fn is_judging(&self) -> bool {
        self.verdict_at != Time::NEVER
    }

    /// When the next ping is due: after silence, or because it is time for a sample. Never while a verdict is pending.
    fn next_ping_at(&self, schedule: &PingSchedule<Time>) -> Time {
        if self.is_judging() {
            return Time::NEVER;
        }
        let silence = self.last_heard + schedule.after_silence;
        let sample = schedule.sample_every.map_or(Time::NEVER, |every| self.last_ping + every);
        silence.min(sample).max(self.last_ping + LEAST_INTERVAL)
    }

    fn deadline(&self, schedule: &PingSchedule<Time>, latency: &Latency) -> Time {
        let longest = schedule.max_deadline;
        let expected = latency.answer_expected_within().map_or(longest, |expected| expected + expected);
        expected.max(schedule.min_deadline).min(longest) + self.uplink_allowance()
    }

    fn wake_deadline(&self, schedule: &PingSchedule<Time>, latency: &Latency) -> Time {
        let three_round_trips = latency.smoothed_round_trip().map_or(Time::ZERO, |once| once + once + once);
        let deadline = three_round_trips.max(schedule.wake_deadline).min(schedule.max_deadline);
        deadline + self.uplink_allowance()
    }

    /// How much longer an answer may take because the ping stands behind what was sent before it.
    fn uplink_allowance(&self) -> Time {
        Time::from_secs_f64(self.unheard_bytes as f64 / SLOW_UPLINK_BYTES_PER_SECOND).min(MAX_UPLINK_ALLOWANCE)
    }

    fn count_lost(&mut self, now: Time, latency: &mut Latency) {
        while self.outstanding.pop_if(|ping| ping.sent_at + LOST_AFTER <= now).is_some() {
            latency.record_lost();
        }
    }
}

#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::action::Action;
use crate::clock::Clock;
use crate::dialect::{Purpose, Received, Session};
use crate::meter::Meter;
use crate::plan::{Part, Plan};
use crate::schedule::Schedule;
use crate::seen::Seen;
use crate::stamp::Stamp;
use crate::window::Window;

/// Timers here have a resolution of a millisecond and may ring one later. That much of being late is theirs and does not count as
/// latency; what goes beyond it does. Nothing jumps at the border, where the timers' 99th percentile lies.
const TIMER_RESOLUTION: Duration = Duration::from_millis(2);

/// The logic of one client: it is passed events, counts, and returns what to send.
#[derive(Debug)]
pub(super) struct Agent {
    plan: Arc<Plan>,
    part: Part,
    clock: Clock,
    meter: Arc<Meter>,
    session: Session,
    schedule: Option<Schedule>,
    /// What is due before warms the server up and is not counted.
    counted_from: Option<Instant>,
    /// When the latest attempt to connect began, or the next one will.
    dialled: Instant,
    /// Whether it should receive all that is published, since it was there when sending began; `None` before that.
    is_expecting: Option<bool>,
    /// It has been connected or has failed to.
    is_settled: bool,
    was_open: bool,
    /// How many messages came due.
    due: u32,
    /// What came due while there was no connection.
    waiting: VecDeque<Stamp>,
    /// The answers, or, by publisher, the deliveries.
    seen: HashMap<u32, Seen>,
}

impl Agent {
    pub(super) fn new(plan: Arc<Plan>, part: Part, clock: Clock, meter: Arc<Meter>, now: Instant) -> Self {
        let session = Session::new(plan.dialect, part.purpose);
        Self {
            plan,
            part,
            clock,
            meter,
            session,
            schedule: None,
            counted_from: None,
            dialled: now,
            is_expecting: None,
            is_settled: false,
            was_open: false,
            due: 0,
            waiting: VecDeque::new(),
            seen: HashMap::new(),
        }
    }

    /// Messages are to be sent.
    pub(super) fn begin(&mut self, window: Window<Instant>) {
        let Window { start, counted_from, end } = window;
        self.counted_from = Some(counted_from);
        let period = match self.part.purpose {
            Purpose::Ping => self.plan.ping_period,
            Purpose::Publish => self.plan.publish_period,
            Purpose::Subscribe => return self.expect(),
        };
        let seed = self.plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(self.part.number);
        self.schedule = Some(Schedule::new(period, start, end, seed)).filter(|schedule| schedule.due().is_some());
        self.meter.note(|now, _| now.sending += u64::from(self.schedule.is_some()));
    }

    /// Sending begins, or has begun a moment ago, with what has arrived in it.
    fn expect(&mut self) {
        let is_expecting = self.session.is_ready() || !self.seen.is_empty();
        self.is_expecting = Some(is_expecting);
        self.meter.note(|now, _| now.expecting += u64::from(is_expecting));
    }

    /// When to be called next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.schedule.as_ref().and_then(Schedule::due)
    }

    /// What was due is sent, also what is late.
    pub(super) fn on_due(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(due) = self.due().filter(|due| *due <= now) {
            self.schedule.as_mut().map(Schedule::advance);
            actions.extend(self.send(due, now));
        }
        if self.due().is_none() {
            self.stop();
        }
        actions
    }

    /// Nothing more is sent.
    pub(super) fn stop(&mut self) {
        if self.schedule.take().is_some() {
            self.meter.note(|now, _| now.sending -= 1);
        }
    }

    /// The WebSocket is open.
    pub(super) fn opened(&mut self) -> Vec<Action> {
        let mut actions: Vec<Action> = self.session.open().map(Action::Talk).into_iter().collect();
        if self.session.is_ready() {
            actions.extend(self.became_ready(Instant::now()));
        }
        actions
    }

    pub(super) fn received(&mut self, text: &str, now: Instant) -> Vec<Action> {
        let was_ready = self.session.is_ready();
        let Received { reply, payload, complaint, refusal, is_unexpected } = self.session.receive(text);
        if let Some(payload) = payload {
            self.arrived(&payload, now);
        }
        if is_unexpected {
            self.meter.note(|_, counts| counts.unexpected += 1);
        }
        if let Some(reason) = complaint {
            self.meter.note(|_, counts| counts.reason(&reason));
        }
        if let Some(reason) = refusal {
            self.dropped(reason);
            return vec![Action::Close];
        }
        let mut actions: Vec<Action> = reply.map(Action::Talk).into_iter().collect();
        if !was_ready && self.session.is_ready() {
            actions.extend(self.became_ready(now));
        }
        actions
    }

    /// The connection was lost, or an attempt failed.
    pub(super) fn dropped(&mut self, reason: String) {
        let was_ready = self.session.is_ready();
        self.session.close();
        let is_news = !core::mem::replace(&mut self.is_settled, true);
        self.meter.note(|now, counts| {
            now.settled += u64::from(is_news);
            counts.reason(&reason);
            if was_ready {
                now.connected -= 1;
                counts.disconnects += 1;
            } else {
                counts.failed_dials += 1;
            }
        });
    }

    /// The connection closed because a message was too large; every other one of this size would fail the same way.
    pub(super) fn too_large(&mut self, reason: &str) {
        self.meter.note(|_, counts| counts.too_large(reason));
    }

    /// Another attempt follows, at that time.
    pub(super) fn dials(&mut self, at: Instant) {
        self.dialled = at;
    }

    /// The socket had no room for a message that counts.
    pub(super) fn overflowed(&mut self) {
        self.meter.note(|_, counts| counts.overflowed += 1);
    }

    /// The socket has given back what it had taken.
    pub(super) fn given_back(&mut self, text: &str) {
        if Stamp::within(text, self.plan.run).is_some_and(|stamp| stamp.is_counted) {
            self.meter.note(|now, _| now.unsent += 1);
        }
    }

    fn became_ready(&mut self, at: Instant) -> Vec<Action> {
        let is_news = !core::mem::replace(&mut self.is_settled, true);
        let is_reconnect = core::mem::replace(&mut self.was_open, true);
        let dialled = self.dialled;
        let waiting = core::mem::take(&mut self.waiting);
        let unsent = waiting.iter().filter(|stamp| stamp.is_counted).count() as u64;
        self.meter.note(|now, counts| {
            now.settled += u64::from(is_news);
            now.connected += 1;
            now.unsent -= unsent;
            if is_reconnect {
                counts.reconnects += 1;
            } else {
                counts.opened += 1;
                counts.handshake.record(at - dialled);
            }
        });
        waiting.into_iter().map(|stamp| self.message(stamp)).collect()
    }

    fn message(&mut self, stamp: Stamp) -> Action {
        let text = self.session.wrap(stamp.payload(self.plan.payload));
        Action::Load { text, is_counted: stamp.is_counted }
    }

    fn send(&mut self, due: Instant, now: Instant) -> Option<Action> {
        let lag = now - due;
        let counted_from = due + lag.min(TIMER_RESOLUTION);
        let stamp = Stamp {
            run: self.plan.run,
            client: self.part.number,
            number: self.due,
            is_counted: self.counted_from.is_none_or(|start| start <= due),
            due: self.clock.micros(counted_from),
        };
        self.due += 1;
        let (is_ready, pings) = (self.session.is_ready(), self.part.purpose == Purpose::Ping);
        if stamp.is_counted {
            self.meter.note(|now, counts| {
                now.unsent += u64::from(!is_ready);
                counts.sent += u64::from(pings);
                counts.published += u64::from(!pings);
                counts.lag.record(lag);
            });
        }
        if is_ready {
            return Some(self.message(stamp));
        }
        self.waiting.push_back(stamp);
        None
    }

    fn arrived(&mut self, payload: &str, now: Instant) {
        let stamp = Stamp::read(payload).filter(|stamp| stamp.run == self.plan.run);
        if stamp.is_some_and(|stamp| !stamp.is_counted) {
            // The message itself says so, since its answer may arrive long after the warm-up.
            return;
        }
        let is_mine = |stamp: &Stamp| stamp.client == self.part.number && stamp.number < self.due;
        match (self.part.purpose, stamp) {
            (Purpose::Ping, Some(stamp)) if is_mine(&stamp) => {
                let is_news = self.seen.entry(stamp.client).or_default().note(stamp.number);
                let took = self.since(&stamp, now);
                self.meter.note(|_, counts| match is_news {
                    true => {
                        counts.answered += 1;
                        counts.round_trip.record(took);
                    }
                    false => counts.answered_again += 1,
                });
            }
            // A late subscriber is not expected to receive it, and would make up for the losses of others.
            (Purpose::Subscribe, Some(_)) if self.is_expecting == Some(false) => {}
            (Purpose::Subscribe, Some(stamp)) => {
                let is_news = self.seen.entry(stamp.client).or_default().note(stamp.number);
                let took = self.since(&stamp, now);
                self.meter.note(|_, counts| match is_news {
                    true => {
                        counts.delivered += 1;
                        counts.one_way.record(took);
                    }
                    false => counts.delivered_again += 1,
                });
            }
            // A server may send what is published to those who publish too.
            (Purpose::Publish, Some(_)) => {}
            _ => self.meter.note(|_, counts| counts.unexpected += 1),
        }
    }

    fn since(&self, stamp: &Stamp, now: Instant) -> Duration {
        Duration::from_micros(self.clock.micros(now).saturating_sub(stamp.due))
    }
}

#[cfg(test)]
mod tests;

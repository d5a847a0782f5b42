//! The state machine of one client, without I/O: it is handed events and the time, counts, and returns what to send.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::dialect::{DialectSession, Received, Role};
use crate::payload::{PayloadHeader, SequenceSet};
use crate::plan::{ClientPlan, Clock, Plan, Schedule, SendWindow};
use crate::statistics::WorkerCounters;

/// Timers have a resolution of one millisecond and may fire one millisecond later. That much lateness does not count as latency;
/// what exceeds it does, without a jump at the boundary, where the 99th percentile of the timers lies.
const TIMER_RESOLUTION: Duration = Duration::from_millis(2);

/// What the client has to do on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send a message of the load.
    SendLoad {
        text: String,
        /// Whether it counts, or warms the server up.
        is_counted: bool,
    },
    /// Send a message of the dialect, such as a handshake or an answer to a heartbeat.
    SendControl(String),
    /// Close the connection for good.
    Close,
}

#[derive(Debug)]
pub(super) struct ClientState {
    pub(super) plan: Arc<Plan>,
    pub(super) clock: Clock,
    client: ClientPlan,
    counters: Arc<WorkerCounters>,
    session: DialectSession,
    /// `None` before sending begins and after it ends.
    schedule: Option<Schedule>,
    /// Messages that are due earlier warm the server up and do not count.
    counted_from: Option<Instant>,
    /// When the latest connection attempt began, or the next one will.
    dialed_at: Instant,
    /// Whether this subscriber should receive every published message, since it was connected when sending began; `None` before.
    is_expecting: Option<bool>,
    /// Whether it has connected or failed to connect at least once.
    is_settled: bool,
    was_open: bool,
    /// The number of messages that came due.
    due: u32,
    /// Messages that came due without a connection.
    waiting: VecDeque<PayloadHeader>,
    /// The answers, or, by publisher, the deliveries.
    received: HashMap<u32, SequenceSet>,
}

impl ClientState {
    pub(super) fn new(
        plan: Arc<Plan>,
        client: ClientPlan,
        clock: Clock,
        counters: Arc<WorkerCounters>,
        now: Instant,
    ) -> Self {
        let session = DialectSession::new(plan.dialect, client.role);
        Self {
            plan,
            clock,
            client,
            counters,
            session,
            schedule: None,
            counted_from: None,
            dialed_at: now,
            is_expecting: None,
            is_settled: false,
            was_open: false,
            due: 0,
            waiting: VecDeque::new(),
            received: HashMap::new(),
        }
    }

    /// Sending begins.
    pub(super) fn start_load(&mut self, window: SendWindow<Instant>) {
        let SendWindow { start, counted_from, end } = window;
        self.counted_from = Some(counted_from);
        let period = match self.client.role {
            Role::Pinger => self.plan.ping_period,
            Role::Publisher => self.plan.publish_period,
            Role::Subscriber => return self.expect_deliveries(),
        };
        let seed = self.plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(self.client.number);
        self.schedule = Some(Schedule::new(period, start, end, seed)).filter(|schedule| schedule.due().is_some());
        self.counters.update(|gauges, _| gauges.sending += u64::from(self.schedule.is_some()));
    }

    /// A message may have arrived before the command to begin did, and the connection may be lost since: such a subscriber was
    /// connected as well.
    fn expect_deliveries(&mut self) {
        let is_expecting = self.session.is_ready() || !self.received.is_empty();
        self.is_expecting = Some(is_expecting);
        self.counters.update(|gauges, _| gauges.expecting += u64::from(is_expecting));
    }

    /// When to call [`on_due`](Self::on_due) next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.schedule.as_ref().and_then(Schedule::due)
    }

    /// Sends every message that is due. After a delay these are several, since the schedule does not move.
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

    /// Sends no more messages.
    pub(super) fn stop(&mut self) {
        if self.schedule.take().is_some() {
            self.counters.update(|gauges, _| gauges.sending -= 1);
        }
    }

    /// The WebSocket is open.
    pub(super) fn opened(&mut self) -> Vec<Action> {
        let mut actions: Vec<Action> = self.session.open().map(Action::SendControl).into_iter().collect();
        if self.session.is_ready() {
            actions.extend(self.became_ready(Instant::now()));
        }
        actions
    }

    pub(super) fn received(&mut self, text: &str, now: Instant) -> Vec<Action> {
        let was_ready = self.session.is_ready();
        let Received { reply, payload, call_error, rejection, is_unexpected } = self.session.receive(text);
        if let Some(payload) = payload {
            self.received_payload(&payload, now);
        }
        if is_unexpected {
            self.counters.update(|_, counts| counts.unexpected += 1);
        }
        if let Some(reason) = call_error {
            self.counters.update(|_, counts| counts.add_reason(&reason));
        }
        if let Some(reason) = rejection {
            self.disconnected(reason);
            return vec![Action::Close];
        }
        let mut actions: Vec<Action> = reply.map(Action::SendControl).into_iter().collect();
        if !was_ready && self.session.is_ready() {
            actions.extend(self.became_ready(now));
        }
        actions
    }

    /// The connection was lost, or an attempt failed.
    pub(super) fn disconnected(&mut self, reason: String) {
        let was_ready = self.session.is_ready();
        self.session.close();
        let settles = !core::mem::replace(&mut self.is_settled, true);
        self.counters.update(|gauges, counts| {
            gauges.settled += u64::from(settles);
            counts.add_reason(&reason);
            if was_ready {
                gauges.connected -= 1;
                counts.disconnects += 1;
            } else {
                counts.failed_dials += 1;
            }
        });
    }

    /// The connection closed because a message was too large; every other one of this size would fail the same way.
    pub(super) fn too_large(&mut self, reason: &str) {
        self.counters.update(|_, counts| counts.too_large(reason));
    }

    /// The next connection attempt begins at this time.
    pub(super) fn dials_at(&mut self, at: Instant) {
        self.dialed_at = at;
    }

    /// The outbox had no room for a message that counts.
    pub(super) fn overflowed(&mut self) {
        self.counters.update(|_, counts| counts.overflowed += 1);
    }

    /// The socket was closed with this message still in its outbox.
    pub(super) fn discarded(&mut self, text: &str) {
        if PayloadHeader::find(text, self.plan.run).is_some_and(|header| header.is_counted) {
            self.counters.update(|gauges, _| gauges.unsent += 1);
        }
    }

    fn became_ready(&mut self, at: Instant) -> Vec<Action> {
        let settles = !core::mem::replace(&mut self.is_settled, true);
        let is_reconnect = core::mem::replace(&mut self.was_open, true);
        let dialed_at = self.dialed_at;
        let waiting = core::mem::take(&mut self.waiting);
        let unsent = waiting.iter().filter(|header| header.is_counted).count() as u64;
        self.counters.update(|gauges, counts| {
            gauges.settled += u64::from(settles);
            gauges.connected += 1;
            gauges.unsent -= unsent;
            if is_reconnect {
                counts.reconnects += 1;
            } else {
                counts.opened += 1;
                counts.handshake.record(at - dialed_at);
            }
        });
        waiting.into_iter().map(|header| self.message(header)).collect()
    }

    fn message(&mut self, header: PayloadHeader) -> Action {
        let text = self.session.wrap(header.payload(self.plan.payload));
        Action::SendLoad { text, is_counted: header.is_counted }
    }

    fn send(&mut self, due: Instant, now: Instant) -> Option<Action> {
        let lag = now - due;
        let latency_from = due + lag.min(TIMER_RESOLUTION);
        let header = PayloadHeader {
            run: self.plan.run,
            client: self.client.number,
            number: self.due,
            is_counted: self.counted_from.is_none_or(|start| start <= due),
            due: self.clock.micros(latency_from),
        };
        self.due += 1;
        let (is_ready, is_ping) = (self.session.is_ready(), self.client.role == Role::Pinger);
        if header.is_counted {
            self.counters.update(|gauges, counts| {
                gauges.unsent += u64::from(!is_ready);
                counts.sent += u64::from(is_ping);
                counts.published += u64::from(!is_ping);
                counts.lag.record(lag);
            });
        }
        if is_ready {
            return Some(self.message(header));
        }
        self.waiting.push_back(header);
        None
    }

    fn received_payload(&mut self, payload: &str, now: Instant) {
        let header = PayloadHeader::parse(payload).filter(|header| header.run == self.plan.run);
        if header.is_some_and(|header| !header.is_counted) {
            return;
        }
        let is_own = |header: &PayloadHeader| header.client == self.client.number && header.number < self.due;
        match (self.client.role, header) {
            (Role::Pinger, Some(header)) if is_own(&header) => {
                let is_first = self.received.entry(header.client).or_default().insert(header.number);
                let time = self.since(&header, now);
                self.counters.update(|_, counts| match is_first {
                    true => {
                        counts.answered += 1;
                        counts.round_trip.record(time);
                    }
                    false => counts.answered_again += 1,
                });
            }
            // No deliveries are expected of a late subscriber, so its own would make up for the losses of others.
            (Role::Subscriber, Some(_)) if self.is_expecting == Some(false) => {}
            (Role::Subscriber, Some(header)) => {
                let is_first = self.received.entry(header.client).or_default().insert(header.number);
                let time = self.since(&header, now);
                self.counters.update(|_, counts| match is_first {
                    true => {
                        counts.delivered += 1;
                        counts.one_way.record(time);
                    }
                    false => counts.delivered_again += 1,
                });
            }
            // A server may deliver published messages to the publishers, too.
            (Role::Publisher, Some(_)) => {}
            _ => self.counters.update(|_, counts| counts.unexpected += 1),
        }
    }

    fn since(&self, header: &PayloadHeader, now: Instant) -> Duration {
        Duration::from_micros(self.clock.micros(now).saturating_sub(header.due))
    }
}

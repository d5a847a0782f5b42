//! A connection that stays: the state machine that dials, detects dead links, retries, and keeps messages that wait. `io` is its
//! interface and `config` its options; `reconnect` plans attempts, and `environment` knows the network, the page and time.

mod config;
mod environment;
mod io;
mod reconnect;

pub use config::Config;
pub use io::{
    Action, AtRisk, CloseOutcome, ClosingHandshake, Decision, Delivery, DiscardReason, DropCause, Input, MessageId,
    Network, Page, Phase, Retry, SocketId, Traffic,
};
pub use reconnect::{Backoff, ReconnectRules};

use environment::{Environment, is_late};
pub(crate) use io::NO_CLOSE_FRAME;
use reconnect::{Loss, RetrySchedule};

use crate::{
    backpressure::SendBuffer,
    heartbeat::{HeartbeatAction, HeartbeatMode, LivenessDetector},
    latency::Latency,
    outbox::{Outbox, QueueOptions, Refusal},
    queue::ActionQueue,
    time::Time,
};

/// A connection over all its sockets: it dials, opens, loses the link, waits and dials again, until it is closed.
///
/// # The contract
/// 1. The driver reports everything that happens: a received message to [`receive`](Self::receive), another sign of life to
///    [`activity`](Self::activity), everything else with the time to [`handle`](Self::handle). Times are relative to any fixed start;
///    the driver reads its clock for each input.
/// 2. It sends a message by [`send_now`](Self::send_now); if that returns `None`, it keeps the message and calls
///    [`enqueue`](Self::enqueue). Neither reads a payload: texts, keys and bytes stay with the driver.
/// 3. After each of these calls it takes [`poll_action`](Self::poll_action) until that returns `None`, and carries the actions out in
///    order. A message that `send_now` accepted is handed to the socket before them.
/// 4. Then it sets its timer to [`poll_deadline`](Self::poll_deadline), and hands in [`Input::Wake`] when the timer fires. A timer that
///    fires early does no harm.
///
/// There is never more than one socket: before every [`Action::Dial`] the previous socket was reported as dropped, was detached, or
/// never opened.
#[derive(Debug)]
pub struct Connection {
    heartbeat: HeartbeatMode,
    reconnect: ReconnectRules,
    connect_timeout: Time,
    close_timeout: Time,
    phase: Phase,
    /// The latest time that was handed in.
    now: Time,
    retries: RetrySchedule,
    environment: Environment,
    outbox: Outbox,
    buffer: SendBuffer,
    /// Exists while a socket is open.
    liveness: Option<LivenessDetector>,
    latency: Latency,
    traffic: Traffic,
    actions: ActionQueue<Action>,
    /// How many of the actions are [`Action::Transmit`].
    pending_transmits: usize,
    /// The driver has taken the [`Action::Opened`] of the open socket. Until then nothing is sent, so that the on-open messages come first.
    is_opened: bool,
    /// The loss about which the application has yet to decide.
    undecided: Option<Loss>,
    next_socket: u64,
    next_message: u64,
    next_ping: u64,
}

impl Connection {
    /// Creates a connection that waits to be opened. All its random numbers follow from `seed`; give each connection a different one, or
    /// their retries coincide.
    pub fn new(config: Config, seed: u64) -> Self {
        let Config { backoff, heartbeat, outbox, watermarks, reconnect, connect_timeout, close_timeout } = config;
        Self {
            heartbeat,
            reconnect,
            connect_timeout,
            close_timeout,
            phase: Phase::Idle,
            now: Time::ZERO,
            retries: RetrySchedule::new(backoff, seed),
            environment: Environment::default(),
            outbox: Outbox::new(outbox),
            buffer: SendBuffer::new(watermarks),
            liveness: None,
            latency: Latency::default(),
            traffic: Traffic::default(),
            actions: ActionQueue::new(),
            pending_transmits: 0,
            is_opened: false,
            undecided: None,
            next_socket: 1,
            next_message: 1,
            next_ping: 1,
        }
    }

    /// Processes an input. A time before that of an earlier input counts as the earlier input's.
    pub fn handle(&mut self, now: Time, input: Input) {
        let before = self.now;
        self.now = before.max(now);
        let now = self.now;
        if let Some(liveness) = &mut self.liveness {
            liveness.correct(now);
        }
        // Checked at each input rather than by a timer of its own, which would wake an idle page for nothing.
        if let Phase::Open { since, .. } = self.phase
            && self.retries.is_stable(since, now)
        {
            self.retries.reset_failures();
        }
        // A driver that never answers must not leave the connection undecided, so any other input settles the loss first.
        if cfg!(feature = "socket")
            && let Some(loss) = self.undecided.take()
        {
            let decision = if let Input::Decided(decision) = input { decision } else { loss.default };
            self.conclude(now, loss, decision);
        }
        match input {
            Input::Open { since_last_dial } => self.open(now, since_last_dial),
            Input::Reconnect => self.reconnect(now),
            Input::Close => self.close(now),
            #[cfg(feature = "flush")]
            Input::Flush => self.flush(),
            Input::Opened { socket } => self.opened(now, socket),
            Input::Pong { socket, ping, server_time } => self.pong(now, socket, ping, server_time),
            Input::Dropped { socket, cause, buffered } => self.dropped(now, socket, cause, buffered),
            Input::Buffered { socket, bytes } => self.buffered(now, socket, bytes),
            Input::Decided(_) => {}
            Input::Network(network) => self.network(now, network),
            Input::Page(page) => self.page(now, page),
            Input::Wake { wall } => self.wake(now, before, wall),
        }
    }

    /// Reports a received message of `size` bytes, and returns whether to deliver it. `at` may be the time of the platform's event: one
    /// that lies ahead of the clock is corrected by the next input.
    pub fn receive(&mut self, at: Time, socket: SocketId, size: usize) -> Delivery {
        self.activity(at, socket);
        match self.phase {
            // Between our close frame and the server's, the server may still be sending.
            Phase::Open { socket: current, .. } | Phase::Closing { socket: current, .. } if current == socket => {
                self.traffic.count_in(size);
                Delivery::Deliver
            }
            _ => Delivery::Ignore,
        }
    }

    /// Reports a sign of life that is not a message, such as a protocol ping or a part of a message.
    pub fn activity(&mut self, at: Time, socket: SocketId) {
        if !self.phase.is_open_on(socket) {
            return;
        }
        if let Some(liveness) = &mut self.liveness {
            liveness.received(at.max(self.now), self.buffer.bytes());
        }
        if self.buffer.is_awaited() {
            self.measure();
        }
    }

    /// Accepts a message of `size` bytes if it may go to the open socket now; the driver then hands it over before it does anything else.
    /// Returns `None` if the message has to wait: see [`enqueue`](Self::enqueue).
    ///
    /// With `priority` it overtakes the outbox, whatever the platform's buffer holds: for credentials and subscriptions that answer
    /// [`Action::Opened`].
    pub fn send_now(&mut self, size: usize, priority: bool) -> Option<MessageId> {
        // Transmits that the driver has not carried out yet come first, or the order of messages would change.
        let may_overtake =
            priority || (self.outbox.is_empty() && self.pending_transmits == 0 && self.buffer.has_headroom());
        if !self.phase.is_open() || !self.is_opened || !may_overtake {
            return None;
        }
        let id = MessageId(self.next_message);
        self.next_message += 1;
        self.hand_over(Some(id), size);
        Some(id)
    }

    /// Accepts a message of `size` bytes into the outbox. [`Action::Transmit`] or [`Action::Discarded`] follows, at once or later.
    ///
    /// # Errors
    /// The outbox has no room for it, or the connection is closed.
    pub fn enqueue(&mut self, now: Time, size: usize, options: QueueOptions) -> Result<MessageId, Refusal> {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Closed) {
            return Err(Refusal::Closed);
        }
        self.now = self.now.max(now);
        self.expire();
        let id = MessageId(self.next_message);
        let discarded = |id, reason| self.actions.push(Action::Discarded { id, reason });
        self.outbox.push(self.now, id, size, options, discarded)?;
        self.next_message += 1;
        self.drain();
        Ok(id)
    }

    /// Replaces the heartbeat of the open socket and of later ones: for a protocol whose server announces how often it wants pings.
    pub fn set_heartbeat(&mut self, heartbeat: HeartbeatMode) {
        if let Some(liveness) = &mut self.liveness {
            liveness.set_heartbeat(heartbeat);
        }
        self.heartbeat = heartbeat;
    }

    /// Makes no attempt before `delay` has passed, because the server announced that it could not take one. Later attempts are spread as
    /// usual.
    pub fn delay_attempts(&mut self, now: Time, delay: Time) {
        self.now = self.now.max(now);
        self.retries.delay(self.now + delay);
    }

    /// Reports that the driver has handed an on-open message of `size` bytes to the socket, as [`Action::Opened`] demands.
    pub fn transmitted_on_open(&mut self, size: usize) {
        self.hand_over(None, size);
    }

    /// Returns what to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop();
        match action {
            Some(Action::Transmit { .. }) => self.pending_transmits -= 1,
            Some(Action::Opened { socket, .. }) => self.is_opened = self.phase.is_open_on(socket),
            _ => {}
        }
        action
    }

    /// Whether [`poll_action`](Self::poll_action) would return an action.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// When to hand in [`Input::Wake`]; `None` if nothing is due.
    pub fn poll_deadline(&self) -> Option<Time> {
        self.next_wake().planned()
    }

    /// The time of the latest input, to which the times in actions refer.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The phase that the connection is in.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The round trips and the server's clock.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The messages and bytes carried so far.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The messages that wait to be sent.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Whether the application should send more: the outbox has room, and the bytes that wait are below the high-water mark, or have come
    /// down to the low one after they exceeded it.
    pub fn is_ready(&self) -> bool {
        self.buffer.has_headroom()
            && self.outbox.has_room()
            && self.buffer.is_below_high_water_mark(self.outbox.bytes())
    }

    /// Whether every accepted message has been handed to the network.
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty() && self.buffer.bytes() == 0
    }

    /// How many attempts failed, or led to a connection that did not last, since a connection was last stable.
    pub fn failures(&self) -> u32 {
        self.retries.failures()
    }

    // Inputs of the application.

    fn open(&mut self, now: Time, since_last_dial: Option<Time>) {
        if self.phase == Phase::Idle {
            if let Some(ago) = since_last_dial {
                self.retries.dialed(now, ago);
            }
            self.dial_soonest(now);
        }
    }

    fn reconnect(&mut self, now: Time) {
        match self.phase {
            // A call in a loop would otherwise dial each time.
            Phase::Connecting { .. } => return,
            Phase::Idle | Phase::Waiting { .. } => {}
            Phase::Closed => self.retries.reset_failures(),
            Phase::Open { socket, .. } | Phase::Closing { socket, .. } => {
                let at_risk = self.detach(socket);
                let retry =
                    Retry { attempt: self.retries.next_attempt(), at: self.retries.earliest_dial(now).planned() };
                self.traffic.dropped += 1;
                self.actions.push(Action::Dropped { cause: DropCause::Requested, at_risk, retry });
            }
        }
        self.dial_soonest(now);
    }

    fn close(&mut self, now: Time) {
        match self.phase {
            Phase::Open { socket, .. } => {
                self.expire();
                self.phase = Phase::Closing { socket, give_up_at: now + self.close_timeout };
                self.stop_liveness();
                self.buffer.stop_measuring();
                // The platform sends everything it was given before the close frame, whatever its buffer holds.
                while let Some(waiting) = self.outbox.pop() {
                    self.transmit(socket, waiting.id, waiting.size);
                }
                self.actions.push(Action::Close { socket });
            }
            Phase::Idle | Phase::Connecting { .. } | Phase::Waiting { .. } => {
                let at_risk = self.phase.socket().map(|socket| self.detach(socket)).unwrap_or_default();
                self.end(CloseOutcome::ByApplication(ClosingHandshake::NotOpen), at_risk);
            }
            Phase::Closing { .. } | Phase::Closed => {}
        }
    }

    #[cfg(feature = "flush")]
    fn flush(&mut self) {
        self.buffer.set_flushing(!self.is_flushed());
        if self.buffer.is_flushing() {
            self.measure();
        }
    }

    // Inputs of the socket.

    fn opened(&mut self, now: Time, socket: SocketId) {
        if !matches!(self.phase, Phase::Connecting { socket: current, .. } if current == socket) {
            return;
        }
        self.phase = Phase::Open { socket, since: now };
        self.is_opened = false;
        self.liveness = Some(LivenessDetector::new(self.heartbeat, self.next_ping, now));
        let failures = self.retries.failures();
        self.actions.push(Action::Opened { socket, failures, is_reconnect: self.traffic.opened > 0 });
        self.traffic.opened += 1;
        self.expire();
        self.drain();
        if self.buffer.is_flushing() {
            self.measure();
        }
    }

    fn pong(&mut self, now: Time, socket: SocketId, ping: Option<u64>, server_time: Option<f64>) {
        self.activity(now, socket);
        if let (true, Some(liveness)) = (self.phase.is_open_on(socket), &mut self.liveness)
            && let Some(sent_at) = liveness.answer(now, ping, &mut self.latency)
        {
            self.latency.add_sample(sent_at, now, server_time);
            self.actions.push(Action::Latency(now - sent_at));
        }
    }

    fn dropped(&mut self, now: Time, socket: SocketId, cause: DropCause, buffered: u64) {
        // A platform may report the close of a socket that was detached, a minute late: it must not hit the next socket.
        if self.phase.socket() != Some(socket) {
            return;
        }
        let at_risk = self.reset_socket(Some(buffered));
        if let Phase::Closing { .. } = self.phase {
            let (code, was_clean) = match cause {
                DropCause::Closed { code, was_clean, .. } => (code, was_clean),
                _ => (NO_CLOSE_FRAME, false),
            };
            return self.end(CloseOutcome::ByApplication(ClosingHandshake::Ended { code, was_clean }), at_risk);
        }
        let cause = self.environment.attribute(now, cause);
        self.lost(now, cause, at_risk);
    }

    fn buffered(&mut self, now: Time, socket: SocketId, bytes: u64) {
        if !self.phase.is_open_on(socket) {
            return;
        }
        if self.buffer.measured(bytes)
            && let Some(liveness) = &mut self.liveness
        {
            liveness.moved(now, &self.latency);
        }
        self.expire();
        self.drain();
        if self.buffer.is_flushing() && self.is_flushed() {
            self.buffer.set_flushing(false);
        }
        self.buffer.plan_measurement(now);
    }

    // Inputs of the platform and the clock.

    fn network(&mut self, now: Time, network: Network) {
        self.environment.set_offline(now, network == Network::Offline);
        match (&mut self.phase, network) {
            (Phase::Waiting { .. }, Network::Online) => self.start_over(now),
            // An attempt that met no network hangs until it times out, although the network is back: a new one succeeds at once.
            (Phase::Connecting { had_no_network: true, .. }, Network::Online) => self.start_over(now),
            (Phase::Connecting { had_no_network, .. }, Network::Offline) => *had_no_network = true,
            _ => self.probe_now(now),
        }
    }

    fn page(&mut self, now: Time, page: Page) {
        match page {
            // A visible page is out of the cache, whether or not the platform sends `pageshow` too.
            Page::Visible | Page::Resumed | Page::Restored => {
                // A page may also be resumed without being visible.
                if page != Page::Resumed {
                    self.environment.set_hidden(false);
                }
                match self.phase {
                    Phase::Waiting { until: None } => self.dial_soonest(now),
                    _ => self.resume(now),
                }
            }
            Page::Hidden => self.environment.set_hidden(true),
            Page::Frozen => {
                if let Some(liveness) = &mut self.liveness {
                    liveness.suspend();
                }
            }
            Page::Suspended => self.suspend(now),
        }
    }

    fn suspend(&mut self, now: Time) {
        // A page with an open socket is not admitted to the back/forward cache, so even one that is closing has to go.
        let at_risk = match self.phase {
            Phase::Connecting { socket, .. } | Phase::Open { socket, .. } => self.detach(socket),
            Phase::Closing { socket, .. } => {
                let at_risk = self.detach(socket);
                return self.end(CloseOutcome::ByApplication(ClosingHandshake::Suspended), at_risk);
            }
            Phase::Idle | Phase::Waiting { until: None } | Phase::Closed => return,
            Phase::Waiting { .. } => AtRisk::default(),
        };
        self.report(now, self.retries.suspended(at_risk));
    }

    /// `before` is the time of the previous input. A deadline that an input set in the past was not due before that input, so it does not
    /// prove that the timer fired late.
    fn wake(&mut self, now: Time, before: Time, wall: Time) {
        let received = self.liveness.as_ref().map_or(Time::ZERO, LivenessDetector::last_received);
        let due = self.next_wake().max(before).max(received);
        if self.environment.slept(now, wall) {
            self.after_sleep(now);
        } else if self.environment.was_frozen(due, now) {
            self.resume(now);
        }
        self.expire();
        if self.buffer.is_measurement_due(now) {
            self.measure();
        }
        match self.phase {
            Phase::Connecting { socket, give_up_at, .. } if give_up_at <= now => {
                let at_risk = self.detach(socket);
                self.lost(now, DropCause::ConnectTimeout, at_risk);
            }
            Phase::Closing { socket, give_up_at } if give_up_at <= now => {
                let at_risk = self.detach(socket);
                self.end(CloseOutcome::ByApplication(ClosingHandshake::TimedOut), at_risk);
            }
            Phase::Waiting { until: Some(until) } if until <= now => self.dial(now),
            Phase::Open { socket, .. } => {
                let Some(liveness) = &mut self.liveness else { return };
                match liveness.wake(now, is_late(due, now), &mut self.latency) {
                    // The buffer may have moved since the last measurement, which would show that the link is alive.
                    HeartbeatAction::Dead if self.buffer.bytes() > 0 && liveness.extend_to_measure(now) => {
                        self.measure();
                    }
                    HeartbeatAction::Dead => {
                        let ever_answered = liveness.give_up(&mut self.latency);
                        let at_risk = self.detach(socket);
                        self.lost(now, DropCause::HeartbeatTimeout { ever_answered }, at_risk);
                    }
                    action => self.apply(socket, action),
                }
            }
            _ => {}
        }
    }

    fn next_wake(&self) -> Time {
        let of_phase = match self.phase {
            Phase::Connecting { give_up_at, .. } | Phase::Closing { give_up_at, .. } => give_up_at,
            Phase::Waiting { until } => until.unwrap_or(Time::NEVER),
            Phase::Open { .. } => self.liveness.as_ref().map_or(Time::NEVER, LivenessDetector::next_wake),
            Phase::Idle | Phase::Closed => Time::NEVER,
        };
        of_phase.min(self.outbox.next_expiry()).min(self.buffer.measure_at())
    }

    /// Probes an open link and shortens a pending backoff: the page is back.
    fn resume(&mut self, now: Time) {
        self.environment.note_trouble(now);
        self.shorten_backoff(now);
        self.probe_now(now);
    }

    /// Handles the end of a sleep: pings and attempts in progress are as old as the sleep was long.
    fn after_sleep(&mut self, now: Time) {
        self.environment.note_trouble(now);
        if let Some(liveness) = &mut self.liveness {
            liveness.reset_pings();
        }
        match self.phase {
            Phase::Connecting { .. } | Phase::Waiting { .. } => self.start_over(now),
            _ => self.probe_now(now),
        }
    }

    /// Resets the count of failures and retries soon: the condition that made earlier attempts fail has changed.
    fn start_over(&mut self, now: Time) {
        self.retries.reset_failures();
        if let Phase::Connecting { socket, .. } = self.phase {
            let at_risk = self.detach(socket);
            self.lost(now, DropCause::NetworkChanged, at_risk);
        } else {
            self.shorten_backoff(now);
        }
    }

    fn shorten_backoff(&mut self, now: Time) {
        if let Phase::Waiting { until: Some(until) } = self.phase {
            let soon = self.retries.quick(now);
            self.phase = Phase::Waiting { until: Some(until.min(soon)) };
        }
    }

    /// Probes an open link after an event that often kills one.
    fn probe_now(&mut self, now: Time) {
        if let (Phase::Open { socket, .. }, Some(liveness)) = (self.phase, &mut self.liveness) {
            let action = liveness.probe(now, &mut self.latency);
            self.apply(socket, action);
        }
    }

    fn apply(&mut self, socket: SocketId, action: HeartbeatAction) {
        if let HeartbeatAction::Ping(ping) = action {
            if self.buffer.bytes() > 0 {
                // The measurement at the deadline is compared with this one: without it, a moving buffer could not save the link.
                self.measure();
            }
            self.actions.push(Action::Ping { socket, ping });
        }
    }

    // From one socket to the next.

    fn dial(&mut self, now: Time) {
        let socket = SocketId(self.next_socket);
        self.next_socket += 1;
        self.retries.dialed(now, Time::ZERO);
        self.phase = Phase::Connecting {
            socket,
            give_up_at: now + self.connect_timeout,
            had_no_network: self.environment.is_offline(),
        };
        self.actions.push(Action::Dial { socket, failures: self.retries.failures() });
    }

    /// Dials at once, or as soon as the floor allows.
    fn dial_soonest(&mut self, now: Time) {
        let earliest = self.retries.earliest_dial(now);
        if earliest <= now {
            self.dial(now);
        } else {
            self.phase = Phase::Waiting { until: Some(earliest) };
        }
    }

    /// Plans the next attempt after the socket is gone.
    fn lost(&mut self, now: Time, cause: DropCause, at_risk: AtRisk) {
        let default = self.reconnect.default_decision(&cause);
        let had_no_network = matches!(self.phase, Phase::Connecting { had_no_network: true, .. });
        let loss = self.retries.plan(now, cause, at_risk, default, had_no_network, &self.environment);
        self.report(now, loss);
    }

    /// Leaves a loss to the application if it wants to decide, and follows the rules otherwise.
    fn report(&mut self, now: Time, loss: Loss) {
        let Loss { cause, default, retry, .. } = loss;
        if cause != DropCause::Suspended && self.retries.is_exhausted_by(loss.is_counted.into()) {
            let is_final = default == Decision::Stop;
            let outcome = if is_final { CloseOutcome::Final(cause) } else { CloseOutcome::Exhausted(cause) };
            return self.end(outcome, loss.at_risk);
        }
        if !cfg!(feature = "socket") || !self.reconnect.asks_application {
            return self.conclude(now, loss, default);
        }
        self.phase = Phase::Waiting { until: None };
        self.actions.push(Action::Decide { cause, default, retry });
        self.undecided = Some(loss);
    }

    fn conclude(&mut self, now: Time, loss: Loss, decision: Decision) {
        if decision == Decision::Stop {
            return self.end(CloseOutcome::Final(loss.cause), loss.at_risk);
        }
        let retry = self.retries.follow(now, &loss, decision, &self.environment);
        let Loss { cause, at_risk, .. } = loss;
        self.phase = Phase::Waiting { until: retry.at };
        self.traffic.dropped += 1;
        self.actions.push(Action::Dropped { cause, at_risk, retry });
    }

    fn end(&mut self, outcome: CloseOutcome, at_risk: AtRisk) {
        self.phase = Phase::Closed;
        while let Some(waiting) = self.outbox.pop() {
            self.actions.push(Action::Discarded { id: waiting.id, reason: DiscardReason::Closed });
        }
        self.buffer.set_flushing(false);
        self.actions.push(Action::Closed { outcome, at_risk });
    }

    /// Detaches from a socket that still exists.
    fn detach(&mut self, socket: SocketId) -> AtRisk {
        self.actions.push(Action::Detach { socket });
        self.reset_socket(None)
    }

    /// Drops the state of the socket. `buffered` is the platform's last report about its buffer, if it gave one.
    fn reset_socket(&mut self, buffered: Option<u64>) -> AtRisk {
        self.stop_liveness();
        let at_risk = self.buffer.reset(buffered);
        // A flush also covers the messages in the outbox, and continues over the next socket.
        if self.buffer.is_flushing() && self.is_flushed() {
            self.buffer.set_flushing(false);
        }
        at_risk
    }

    fn stop_liveness(&mut self) {
        if let Some(liveness) = self.liveness.take() {
            self.next_ping = liveness.next_ping();
        }
    }

    // Moving messages.

    /// Hands messages from the outbox to the open socket, as long as the network keeps up.
    fn drain(&mut self) {
        while let Phase::Open { socket, .. } = self.phase
            && self.buffer.has_headroom()
            && let Some(waiting) = self.outbox.pop()
        {
            self.transmit(socket, waiting.id, waiting.size);
        }
    }

    fn transmit(&mut self, socket: SocketId, id: MessageId, size: usize) {
        self.pending_transmits += 1;
        self.actions.push(Action::Transmit { socket, id });
        self.hand_over(Some(id), size);
    }

    /// Counts a message that the platform now holds.
    fn hand_over(&mut self, id: Option<MessageId>, size: usize) {
        if let Some(liveness) = &mut self.liveness {
            liveness.sent(size);
        }
        if id.is_some() {
            self.traffic.count_out(size);
        }
        if self.buffer.hand_over(id, size) {
            self.measure();
        }
    }

    /// Requests a measurement of the platform's buffer, unless one is in progress.
    fn measure(&mut self) {
        if let Phase::Open { socket, .. } = self.phase
            && self.buffer.request_measurement()
        {
            self.actions.push(Action::Measure { socket });
        }
    }

    /// Discards messages that have waited longer than their time to live.
    fn expire(&mut self) {
        self.outbox.expire(self.now, |id, reason| self.actions.push(Action::Discarded { id, reason }));
    }
}

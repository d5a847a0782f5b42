use super::{Action, At, Input, Phase, SocketId, State, surroundings::Surroundings, traffic::discarded};
use crate::{
    Config, Latency, MessageId, Outbox, Payload, Refusal, Refused, SendOptions, Sent,
    heartbeat::Monitor,
    outbox::InFlight,
    queue::Queue,
    random::Random,
    terms::{KeyOf, PolicyOf, TimeOf},
    time::Time,
};

/// A connection's whole life: dialling, open, lost, waiting, dialling again, until it is closed.
///
/// # The contract
/// 1. Hand every happening to [`handle`](Self::handle) (or [`send`](Self::send)) together with the time, which is a duration
///    since any fixed start and never goes back.
/// 2. Then take [`poll_action`](Self::poll_action) until it is empty and do what it says, in order.
/// 3. Then ask [`poll_deadline`](Self::poll_deadline), and when that time comes hand in [`Input::Wake`].
///
/// There is never more than one socket: before every [`Action::Dial`] the socket before was dropped, abandoned, or never
/// opened.
#[derive(Debug)]
pub struct Connection<M: Payload> {
    pub(super) config: Config<Time, PolicyOf<M>>,
    pub(super) random: Random,
    pub(super) phase: Phase,
    pub(super) surroundings: Surroundings,
    pub(super) outbox: Outbox<M>,
    pub(super) in_flight: InFlight,
    pub(super) monitor: Option<Monitor>,
    pub(super) latency: Latency,
    pub(super) actions: Queue<Action<M>>,
    pub(super) next_socket: u64,
    pub(super) next_message: u64,
    pub(super) next_ping: u64,
    /// Attempts that failed, and connections that did not last, since a connection was last stable.
    pub(super) failures: u32,
    /// The least time between two dials ends then.
    pub(super) earliest_dial: Time,
    pub(super) was_open: bool,
    /// The buffer was above the high-water mark and has not come down to the low one since.
    pub(super) is_congested: bool,
    /// Somebody waits until everything was handed to the network, over as many sockets as it takes.
    pub(super) flush_wanted: bool,
    /// The platform was asked about its buffer and has yet to answer.
    pub(super) is_measuring: bool,
    /// When to ask the platform about its buffer next.
    pub(super) measure_at: Time,
}

impl<M: Payload> Connection<M> {
    /// A connection that waits to be opened. All its random numbers follow from `seed`; give each connection another one, or
    /// their retries fall together.
    pub fn new(config: Config<impl Into<Time>, PolicyOf<M>>, seed: u64) -> Self {
        let config = config.timed();
        Self {
            outbox: Outbox::new(config.outbox.clone()),
            config,
            random: Random::new(seed),
            phase: Phase::Idle,
            surroundings: Surroundings::default(),
            in_flight: InFlight::default(),
            monitor: None,
            latency: Latency::default(),
            actions: Queue::new(),
            next_socket: 1,
            next_message: 1,
            next_ping: 1,
            failures: 0,
            earliest_dial: Time::ZERO,
            was_open: false,
            is_congested: false,
            flush_wanted: false,
            is_measuring: false,
            measure_at: Time::NEVER,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: TimeOf<M>, input: Input<M>) {
        self.at(now).happens(input);
    }

    /// As [`handle`](Self::handle), by a method for each [`Input`].
    pub fn at(&mut self, now: TimeOf<M>) -> At<'_, M> {
        At::new(self, now.into())
    }

    /// Sends a message: at once where the connection is open and the network keeps up, later otherwise.
    ///
    /// # Errors
    /// The message comes back where the outbox has no room for it or the connection is closed.
    pub fn send(
        &mut self,
        now: TimeOf<M>,
        message: M,
        options: SendOptions<KeyOf<M>, TimeOf<M>>,
    ) -> Result<Sent, Refused<M>> {
        let now = now.into();
        if matches!(self.phase, Phase::Closing { .. } | Phase::Closed) {
            return Err(Refused { message, refusal: Refusal::Closed });
        }
        let id = MessageId(self.next_message);
        if let Some(socket) = self.free_way(options.ahead) {
            self.next_message += 1;
            self.transmit(now, socket, Some(id), message);
            return Ok(Sent::Transmitted(id));
        }
        self.expire(now);
        let actions = &mut self.actions;
        self.outbox.push(now, id, message, options, |(waiting, reason)| {
            actions.push(discarded(waiting.id, waiting.message, reason))
        })?;
        self.next_message += 1;
        Ok(Sent::Queued(id))
    }

    /// As [`send`](Self::send), for a driver that keeps its messages: a message of `size` that may go to the socket at once is
    /// taken for transmitted, and the driver has to hand it over before it does anything else. `None` where `send` is to decide.
    pub fn transmit_now(&mut self, now: TimeOf<M>, size: usize, ahead: bool) -> Option<MessageId> {
        self.free_way(ahead)?;
        let id = MessageId(self.next_message);
        self.next_message += 1;
        self.follow(Some(id), size);
        self.watch_buffer(now.into());
        Some(id)
    }

    /// As [`Input::Received`], for a driver that keeps its messages: whether the one that arrived is for the application.
    pub fn receive(&mut self, now: TimeOf<M>, socket: SocketId) -> bool {
        self.at(now).receive(socket)
    }

    /// The socket that was dialled last, while anything of it is of interest.
    pub fn socket(&self) -> Option<SocketId> {
        self.phase.socket()
    }

    /// Whether a message that arrives on this socket is for the application.
    pub fn listens_to(&self, socket: SocketId) -> bool {
        matches!(self.phase, Phase::Open { socket: current, .. } | Phase::Closing { socket: current, .. } if current == socket)
    }

    /// Whether the link was asked and has yet to answer. Otherwise a message moves deadlines to later times only, so that a driver
    /// may keep from the core that it arrived, and when, until there is something else to tell.
    pub fn awaits_answer(&self) -> bool {
        self.monitor.as_ref().is_some_and(Monitor::awaits_answer)
    }

    /// Whether [`poll_action`](Self::poll_action) has anything to tell.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// What to do next.
    pub fn poll_action(&mut self) -> Option<Action<M>> {
        self.actions.pop()
    }

    /// When to hand in [`Input::Wake`]; `None` where nothing is due.
    pub fn poll_deadline(&self) -> Option<TimeOf<M>> {
        self.next_wake().planned()
    }

    pub(super) fn next_wake(&self) -> Time {
        let of_phase = match self.phase {
            Phase::Connecting { give_up_at, .. } | Phase::Closing { give_up_at, .. } => give_up_at,
            Phase::Waiting { until } => until,
            Phase::Open { .. } => self.monitor.as_ref().map_or(Time::NEVER, Monitor::next_wake),
            Phase::Idle | Phase::Closed => Time::NEVER,
        };
        of_phase.min(self.outbox.next_expiry()).min(self.measure_at)
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        self.phase.into()
    }

    /// The round trips and the server's clock.
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// What waits to be sent.
    pub fn outbox(&self) -> &Outbox<M> {
        &self.outbox
    }

    /// The bytes that wait in the outbox and, at most, in the platform's buffer.
    pub fn unsent_bytes(&self) -> u64 {
        self.in_flight.bytes().saturating_add(self.outbox.bytes() as u64)
    }

    /// Whether the application should send more: the outbox has room, and what waits is below the high-water mark or has come
    /// down to the low one.
    pub fn is_ready(&self) -> bool {
        self.has_headroom() && self.outbox.has_room() && self.outbox.bytes() as u64 <= self.config.watermarks.high
    }

    /// Whether everything that was accepted has been handed to the network.
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty() && self.in_flight.bytes() == 0
    }

    /// How many attempts failed, or led to a connection that did not last, since one was last stable.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

//! One connection in numbers: what happened, and what to do.

use everwire_core::{
    Action, AtRisk, CloseOutcome, Config, Connection, Decision, Delivery, DropCause, Input, MessageId, Network, Page,
    QueueOptions, Retry, SocketId, Time,
};

use crate::{
    Operands,
    codes::{action, cause, input, stat, status},
    options,
};

/// The arguments of an input, in the order of [`codes::input`](crate::codes::input).
pub type Arguments = [f64; 6];

/// The connection of one socket. Times are in milliseconds since any fixed start.
#[derive(Debug)]
pub struct Core {
    pub(crate) connection: Connection,
    /// What follows where JavaScript decides that another attempt is made.
    retry: Decision,
    /// When JavaScript's timer fires, in ms; infinite for never.
    timer: f64,
}

const _: () = assert!(stat::COUNT <= Operands::COUNT, "the block of operands has to hold the statistics");

impl Core {
    /// A connection that waits to be opened, with the options that the operands say. All its random numbers follow from the bits of
    /// `seed`.
    pub fn new(operands: &Operands, seed: f64) -> Self {
        Self::with(options::config(operands), seed)
    }

    pub(crate) fn with(config: Config, seed: f64) -> Self {
        let connection = Connection::new(config, seed.to_bits());
        Self { connection, retry: Decision::Retry, timer: f64::INFINITY }
    }

    /// Takes in what happened: one of [`codes::input`](crate::codes::input). One that does not exist has no effect. Only a
    /// client has inputs with a cursor, which is in the operands. Returns
    /// [`codes::status`](crate::codes::status).
    pub fn handle(&mut self, now: f64, input: u32, arguments: Arguments, _: &Operands) -> u32 {
        if input == input::WAKE {
            self.timer = f64::INFINITY;
        }
        let input = self.read(input, arguments);
        self.connection.handle(Time::from_millis_f64(now), input);
        self.status(millis(self.connection.poll_deadline()))
    }

    /// A message arrived. Returns [`codes::status`](crate::codes::status).
    pub fn receive(&mut self, at: f64, socket: u32, size: u32) -> u32 {
        let socket = SocketId(socket.into());
        match self.connection.receive(Time::from_millis_f64(at), socket, size as usize) {
            Delivery::Deliver => self.status(millis(self.connection.poll_deadline())) | status::ACCEPTED,
            Delivery::Ignore => self.status(millis(self.connection.poll_deadline())),
        }
    }

    /// Accepts a message if JavaScript may hand it to the socket now, before it does anything else. Returns
    /// [`codes::status`](crate::codes::status).
    pub fn send_now(&mut self, size: u32, priority: bool) -> u32 {
        match self.connection.send_now(size as usize, priority) {
            Some(_) => self.status(millis(self.connection.poll_deadline())) | status::ACCEPTED,
            None => status::NOTHING,
        }
    }

    /// Accepts a message that has to wait. Returns its number, negative where it is handed over by the actions that follow; 0 where
    /// it is refused. `time_to_live` is NaN for the default, `replaces` the number of a message or 0.
    pub fn enqueue(&mut self, now: f64, size: u32, time_to_live: f64, replaces: f64) -> f64 {
        let options = QueueOptions {
            time_to_live: (!time_to_live.is_nan()).then(|| Time::from_millis_f64(time_to_live)),
            replaces: (replaces > 0.0).then_some(MessageId(replaces as u64)),
        };
        let Ok(id) = self.connection.enqueue(Time::from_millis_f64(now), size as usize, options) else { return 0.0 };
        let id = id.0 as f64;
        if self.connection.outbox().is_empty() { -id } else { id }
    }

    /// The next thing to do: one of [`codes::action`](crate::codes::action).
    pub fn poll(&mut self, operands: &Operands) -> u32 {
        if let Some(action) = self.connection.poll_action() {
            return self.write(action, operands);
        }
        operands.write(&[self.connection.is_ready().into()]);
        self.poll_timer(millis(self.connection.poll_deadline()), operands)
    }

    /// What is left to do: to set the timer where it would fire after the deadline, or nothing.
    pub(crate) fn poll_timer(&mut self, deadline: f64, operands: &Operands) -> u32 {
        if self.is_timer_due(deadline) {
            self.timer = deadline;
            operands.write(&[deadline]);
            return action::TIMER;
        }
        action::NONE
    }

    /// Writes the statistics, in the order of [`codes::stat`](crate::codes::stat).
    pub fn stats(&self, operands: &Operands) {
        let latency = self.connection.latency();
        let histogram = latency.histogram();
        let traffic = self.connection.traffic();
        let set = |stat: u32, value: f64| operands.set(stat as usize, value);
        let set_time = |stat, time: Option<Time>| {
            set(stat, time.map_or(f64::NAN, Time::as_millis_f64));
        };
        set(stat::ANSWERED, histogram.count() as f64);
        set(stat::LOST, latency.lost() as f64);
        set_time(stat::LAST, latency.last());
        set_time(stat::MIN, histogram.min());
        set_time(stat::MAX, histogram.max());
        set_time(stat::MEAN, latency.mean());
        set_time(stat::STANDARD_DEVIATION, latency.standard_deviation());
        set_time(stat::JITTER, latency.jitter());
        set_time(stat::P50, histogram.percentile(50.0));
        set_time(stat::P90, histogram.percentile(90.0));
        set_time(stat::P99, histogram.percentile(99.0));
        set(stat::CLOCK_OFFSET, latency.clock().server_time(Time::ZERO).unwrap_or(f64::NAN));
        set(stat::OPENED, traffic.opened as f64);
        set(stat::DROPPED, traffic.dropped as f64);
        set(stat::MESSAGES_IN, traffic.messages_in as f64);
        set(stat::MESSAGES_OUT, traffic.messages_out as f64);
        set(stat::BYTES_IN, traffic.bytes_in as f64);
        set(stat::BYTES_OUT, traffic.bytes_out as f64);
    }

    #[inline(never)]
    pub(crate) fn status(&self, deadline: f64) -> u32 {
        if self.connection.has_actions() || self.is_timer_due(deadline) { status::ACTIONS } else { status::NOTHING }
    }

    /// Whether something is due before JavaScript's timer fires. One that fires early does no harm: a deadline that moves with every
    /// message need not set the timer each time.
    fn is_timer_due(&self, deadline: f64) -> bool {
        deadline < self.timer
    }

    // Out of line, so that each input is written to memory as a whole: with all of them in registers, the compiler takes their fields to
    // pieces.
    #[inline(never)]
    fn read(&self, input: u32, [a, b, c, ..]: Arguments) -> Input {
        let socket = SocketId(a as u64);
        let dropped = |cause| Input::Dropped { socket, cause, buffered: c as u64 };
        match input {
            input::OPEN => Input::Open { since_last_dial: Some(Time::from_millis_f64(a)) },
            input::RECONNECT => Input::Reconnect,
            input::CLOSE => Input::Close,
            input::OPENED => Input::Opened { socket },
            input::PONG => {
                Input::Pong { socket, ping: (b >= 0.0).then_some(b as u64), server_time: (c > 0.0).then_some(c) }
            }
            input::CLOSED => dropped(DropCause::closed(b.abs() as u16, b > 0.0)),
            input::PROVIDER_FAILED => dropped(DropCause::ProviderFailed),
            input::ADDRESS_REFUSED => dropped(DropCause::AddressRefused),
            input::BUFFERED => Input::Buffered { socket, bytes: b as u64 },
            input::ONLINE => Input::Network(Network::Online),
            input::OFFLINE => Input::Network(Network::Offline),
            input::VISIBLE => Input::Page(Page::Visible),
            input::HIDDEN => Input::Page(Page::Hidden),
            input::FROZEN => Input::Page(Page::Frozen),
            input::RESUMED => Input::Page(Page::Resumed),
            input::SUSPENDED => Input::Page(Page::Suspended),
            input::RESTORED => Input::Page(Page::Restored),
            input::WAKE => Input::Wake { wall: Time::from_millis_f64(a) },
            // DECIDED, which has no effect where nothing is to be decided.
            _ => Input::Decided(if a > 0.0 { self.retry } else { Decision::Stop }),
        }
    }

    pub(crate) fn write(&mut self, action: Action, operands: &Operands) -> u32 {
        match action {
            Action::Dial { socket, failures } => {
                operands.write(&[socket.0 as f64, failures.into()]);
                action::DIAL
            }
            #[cfg(feature = "socket")]
            Action::Transmit { id, .. } => {
                operands.write(&[id.0 as f64]);
                action::TRANSMIT
            }
            Action::Ping { ping, .. } => {
                operands.write(&[ping as f64]);
                action::PING
            }
            Action::Measure { socket } => {
                operands.write(&[socket.0 as f64]);
                action::MEASURE
            }
            Action::Close { .. } => action::CLOSE,
            Action::Detach { .. } => action::DETACH,
            #[cfg(feature = "socket")]
            Action::Decide { cause, default, retry } => {
                let stops = default == Decision::Stop;
                self.retry = if stops { Decision::Retry } else { default };
                let Retry { attempt, at } = retry;
                operands.write(&[number(cause), (!stops).into(), attempt.into(), planned(at)]);
                action::DECIDE
            }
            Action::Opened { .. } => action::OPENED,
            Action::Latency(round_trip) => {
                operands.write(&[round_trip.as_millis_f64()]);
                action::LATENCY
            }
            Action::Dropped { cause, at_risk, retry } => {
                let (messages, bytes) = numbers(&at_risk);
                let Retry { attempt, at } = retry;
                operands.write(&[number(cause), attempt.into(), planned(at), messages, bytes]);
                action::DROPPED
            }
            #[cfg(feature = "socket")]
            Action::Discarded { id, reason } => {
                use crate::codes::discarded;
                use everwire_core::DiscardReason;
                let reason = match reason {
                    DiscardReason::Evicted => discarded::EVICTED,
                    DiscardReason::Replaced => discarded::REPLACED,
                    DiscardReason::Closed => discarded::CLOSED,
                    // The others are all known here; the enum is open for crates outside of this workspace.
                    _ => discarded::EXPIRED,
                };
                operands.write(&[id.0 as f64, reason.into()]);
                action::DISCARDED
            }
            Action::Closed { outcome, at_risk } => {
                let cause = match outcome {
                    CloseOutcome::ByApplication(_) => cause::BY_APPLICATION.into(),
                    CloseOutcome::Final(cause) | CloseOutcome::Exhausted(cause) => number(cause),
                };
                let (messages, bytes) = numbers(&at_risk);
                operands.write(&[cause, messages, bytes]);
                action::ENDED
            }
            // What a connection without messages does not do.
            #[cfg(not(feature = "socket"))]
            _ => action::NONE,
        }
    }
}

/// A deadline in ms; infinite for none.
pub(crate) fn millis(deadline: Option<Time>) -> f64 {
    deadline.map_or(f64::INFINITY, Time::as_millis_f64)
}

fn planned(at: Option<Time>) -> f64 {
    at.map_or(-1.0, Time::as_millis_f64)
}

/// How many messages are at risk, which only a socket asks for, and how many bytes.
fn numbers(at_risk: &AtRisk) -> (f64, f64) {
    #[cfg(feature = "socket")]
    let messages = at_risk.messages.len() as f64;
    #[cfg(not(feature = "socket"))]
    let messages = 0.0;
    (messages, at_risk.bytes as f64)
}

fn number(cause: DropCause) -> f64 {
    let number = match cause {
        DropCause::Closed { .. } => cause::CLOSED,
        DropCause::ConnectTimeout => cause::CONNECT_TIMEOUT,
        DropCause::HeartbeatTimeout { ever_answered: true } => cause::HEARTBEAT_TIMEOUT,
        DropCause::HeartbeatTimeout { ever_answered: false } => cause::NEVER_ANSWERED,
        DropCause::NetworkChanged => cause::NETWORK_CHANGED,
        DropCause::ProviderFailed => cause::PROVIDER,
        DropCause::AddressRefused => cause::REFUSED,
        DropCause::Suspended => cause::SUSPENDED,
        DropCause::Requested => cause::REQUESTED,
    };
    number.into()
}

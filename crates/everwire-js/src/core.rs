use everwire_core::{Connection, SendOptions, Sent, Time};

use crate::{
    Knobs,
    actions::{self, Operands},
    body::Body,
    codes::{action, input, sent, status},
    inputs,
    numbers::Policy,
    statistics,
};

/// The connection of one socket.
pub struct Core {
    connection: Connection<Body>,
    policy: Policy,
    operands: Operands,
    /// When JavaScript's timer rings.
    alarm: Option<Time>,
}

impl Core {
    /// A connection that waits to be opened. All its random numbers follow from the bits of `seed`.
    pub fn new(knobs: Knobs, seed: f64) -> Self {
        let config = knobs.into_config();
        Self {
            policy: config.close_policy,
            connection: Connection::new(config, seed.to_bits()),
            operands: Operands::default(),
            alarm: None,
        }
    }

    /// Takes in what happened at `now`, in milliseconds: one of [`codes::input`](crate::codes::input) with its operands. Returns
    /// [`codes::status`](crate::codes::status).
    pub fn handle(&mut self, now: f64, input: u32, a: f64, b: f64, c: f64) -> u32 {
        if input == input::WAKE {
            self.alarm = None;
        }
        inputs::tell(self.connection.at(Time::from_millis_f64(now)), input, a, b, c);
        self.status()
    }

    /// Sends the message that JavaScript knows by `key`, where that is not 0: a message without a key is taken only if it can be handed
    /// to the socket at once, so that JavaScript need not copy it. `ahead` sends before what waits; `time_to_live` is in milliseconds,
    /// not a number for what the outbox says; `latest` is the number of the application's key, 0 for none. Returns
    /// [`codes::sent`](crate::codes::sent) and [`codes::status`](crate::codes::status) in one.
    pub fn send(&mut self, now: f64, size: u32, ahead: bool, key: u32, time_to_live: f64, latest: u32) -> u32 {
        let now = Time::from_millis_f64(now);
        if key == 0 {
            // Where nothing else is to be done before, the way to the socket is free.
            let is_free = ahead || !self.connection.has_actions();
            let is_sent = is_free && self.connection.transmit_now(now, size as usize, ahead).is_some();
            return if is_sent { sent::TRANSMITTED | self.status() } else { sent::REFUSED };
        }
        let options = SendOptions {
            time_to_live: (!time_to_live.is_nan()).then(|| Time::from_millis_f64(time_to_live)),
            key: (latest > 0).then_some(latest),
            ahead,
        };
        let outcome = match self.connection.send(now, Body { size, key }, options) {
            Ok(Sent::Transmitted(_)) => sent::ORDERED,
            Ok(Sent::Queued(_)) => sent::QUEUED,
            Err(_) => sent::REFUSED,
        };
        outcome | self.status()
    }

    /// The next thing to do: one of [`codes::action`](crate::codes::action), whose operands [`operand`](Self::operand) tells.
    pub fn poll(&mut self) -> u32 {
        if let Some(action) = self.connection.poll_action() {
            return actions::write(action, self.policy, &mut self.operands);
        }
        if self.is_alarm_due() {
            self.alarm = self.connection.poll_deadline();
            self.operands[0] = self.alarm.map_or(0.0, Time::as_millis_f64);
            return action::ALARM;
        }
        action::NONE
    }

    /// An operand of the action that was polled last.
    pub fn operand(&self, index: usize) -> f64 {
        self.operands.get(index).copied().unwrap_or_default()
    }

    /// One of [`codes::stat`](crate::codes::stat); NaN where there is nothing to tell yet.
    pub fn stat(&self, stat: u32) -> f64 {
        statistics::read(&self.connection, stat)
    }

    fn status(&self) -> u32 {
        if self.connection.has_actions() || self.is_alarm_due() { status::ACTIONS } else { 0 }
    }

    /// Whether something is due before JavaScript's timer rings. A timer that rings early does no harm: a deadline that moves
    /// with every message need not set a new one each time.
    fn is_alarm_due(&self) -> bool {
        match (self.connection.poll_deadline(), self.alarm) {
            (Some(deadline), Some(alarm)) => deadline < alarm,
            (deadline, None) => deadline.is_some(),
            (None, Some(_)) => false,
        }
    }
}

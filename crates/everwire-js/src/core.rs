use alloc::collections::VecDeque;
use ::core::time::Duration;

use everwire_core::{Action, Connection, Event, Input, SendOptions, Sent};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    Knobs,
    actions::{self, Operands},
    body::{self, Body},
    codes::{action, sent, status},
    inputs, statistics, time,
};

/// The connection of one socket.
#[wasm_bindgen]
pub struct Core {
    connection: Connection<Body>,
    actions: VecDeque<Action<Body>>,
    operands: Operands,
    /// When JavaScript's timer rings.
    alarm: Option<Duration>,
}

#[wasm_bindgen]
impl Core {
    /// A connection that waits to be opened. All its random numbers follow from the bits of `seed`.
    #[wasm_bindgen(constructor)]
    pub fn new(knobs: Knobs, seed: f64) -> Self {
        Self {
            connection: Connection::new(knobs.into_config(), seed.to_bits()),
            actions: VecDeque::new(),
            operands: Operands::default(),
            alarm: None,
        }
    }

    /// Takes in what happened at `now`, in milliseconds: one of [`codes::input`](crate::codes::input) with its operands. Returns
    /// [`codes::status`](crate::codes::status).
    pub fn handle(&mut self, now: f64, input: u32, a: f64, b: f64, c: f64) -> u32 {
        let Some(input) = inputs::read(input, a, b, c) else { return 0 };
        if matches!(input, Input::Wake { .. }) {
            self.alarm = None;
        }
        self.connection.handle(time::from_millis(now), input);
        self.sort()
    }

    /// Sends the message that JavaScript knows by `key`. `time_to_live` is in milliseconds, 0 for what the outbox says; `latest`
    /// is the number of the application's key, 0 for none; `ahead` sends before what waits. Returns
    /// [`codes::sent`](crate::codes::sent) and [`codes::status`](crate::codes::status) in one.
    pub fn send(&mut self, now: f64, size: u32, key: u32, time_to_live: f64, latest: u32, ahead: bool) -> u32 {
        let options = SendOptions {
            time_to_live: (time_to_live > 0.0).then(|| time::from_millis(time_to_live)),
            key: (latest > 0).then(|| body::name(latest)),
            ahead,
        };
        let outcome = match self.connection.send(time::from_millis(now), Body { size, key }, options) {
            // The way to the socket is free: JavaScript hands the message over by itself, and saves a round through `poll`.
            Ok(Sent::Transmitted(_)) if ahead || self.actions.is_empty() => {
                let _transmit = self.connection.poll_action();
                sent::TRANSMITTED
            }
            Ok(Sent::Transmitted(_)) => sent::ORDERED,
            Ok(Sent::Queued(_)) => sent::QUEUED,
            Err(_) => sent::REFUSED,
        };
        outcome | self.sort()
    }

    /// The next thing to do: one of [`codes::action`](crate::codes::action), whose operands [`operand`](Self::operand) tells.
    pub fn poll(&mut self) -> u32 {
        if let Some(action) = self.actions.pop_front() {
            return actions::write(action, &mut self.operands);
        }
        if self.is_alarm_due() {
            self.alarm = self.connection.poll_deadline();
            self.operands[0] = self.alarm.map_or(0.0, time::to_millis);
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

    fn sort(&mut self) -> u32 {
        let mut told = 0;
        while let Some(action) = self.connection.poll_action() {
            match action {
                Action::Notify(Event::Message(_)) => told |= status::DELIVER,
                action => self.actions.push_back(action),
            }
        }
        if !self.actions.is_empty() || self.is_alarm_due() { told | status::ACTIONS } else { told }
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

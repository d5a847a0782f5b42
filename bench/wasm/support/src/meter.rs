use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use crate::{Payload, Tick};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// What a client has sent and received. A client's reading task reports each message to it.
pub struct Meter {
    payload: RefCell<Payload>,
    received: Cell<u32>,
    sum: Cell<f64>,
    run: RefCell<Option<Run>>,
}

/// So many messages out and back, with so many on their way at a time.
struct Run {
    left_to_send: u32,
    left_to_receive: u32,
    round_trips: Option<RoundTrips>,
    done: Function,
}

/// The times of messages that travel one at a time, in ms.
struct RoundTrips {
    sent: f64,
    times: Vec<f64>,
}

impl Meter {
    /// With nothing sent or received.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            payload: RefCell::new(Payload::new(true, 0)),
            received: Cell::new(0),
            sum: Cell::new(0.0),
            run: RefCell::new(None),
        })
    }

    /// Chooses what is sent from now on.
    pub fn prepare(&self, is_text: bool, size: usize) {
        *self.payload.borrow_mut() = Payload::new(is_text, size);
    }

    /// A copy of the payload, as every message is a value of its own to an application.
    pub fn payload(&self) -> Payload {
        self.payload.borrow().clone()
    }

    /// How many messages came in.
    pub fn received(&self) -> u32 {
        self.received.get()
    }

    /// The sum of the prices of all ticks.
    pub fn sum(&self) -> f64 {
        self.sum.get()
    }

    /// Starts a run and says how many messages to send at once. With `timed`, one message travels at a time and `done` is
    /// called with their times in ms; else it is called without arguments.
    pub fn start(&self, count: u32, in_flight: u32, timed: bool, done: Function) -> u32 {
        let at_once = if timed { 1 } else { in_flight.min(count) };
        let round_trips = timed.then(|| RoundTrips { sent: now(), times: Vec::with_capacity(count as usize) });
        let run = Run { left_to_send: count - at_once, left_to_receive: count, round_trips, done };
        *self.run.borrow_mut() = Some(run);
        at_once
    }

    /// Waits for messages that the server pushes.
    pub fn expect(&self, count: u32, done: Function) {
        let run = Run { left_to_send: 0, left_to_receive: count, round_trips: None, done };
        *self.run.borrow_mut() = Some(run);
    }

    /// A message has come in. Says whether another is to be sent.
    pub fn message(&self) -> bool {
        self.received.set(self.received.get() + 1);
        let mut run = self.run.borrow_mut();
        let Some(current) = run.as_mut() else {
            return false;
        };
        if let Some(round_trips) = &mut current.round_trips {
            let now = now();
            round_trips.times.push(now - round_trips.sent);
            round_trips.sent = now;
        }
        current.left_to_receive -= 1;
        if current.left_to_receive == 0 {
            let run = run.take();
            if let Some(run) = run {
                let times = run.round_trips.map(|round_trips| js_sys::Float64Array::from(&round_trips.times[..]));
                let _ = run.done.call1(&JsValue::UNDEFINED, &times.into());
            }
            return false;
        }
        if current.left_to_send == 0 {
            return false;
        }
        current.left_to_send -= 1;
        true
    }

    /// A tick has come in.
    pub fn tick(&self, tick: &Tick) {
        self.sum.set(self.sum.get() + tick.sum());
        self.message();
    }
}

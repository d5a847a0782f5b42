//! What the wasm clients under measurement have in common: the driver, and the content of messages.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use serde::Deserialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Counts what comes back, keeps messages in flight, and records round trips. A client reports each message to it. The clients in
/// JavaScript have the same, in `page/adapters.js`.
pub struct Driver {
    payload: RefCell<Payload>,
    received: Cell<u32>,
    sum: Cell<f64>,
    run: RefCell<Option<Run>>,
}

/// A run that waits for messages.
struct Run {
    left_to_send: u32,
    left_to_receive: u32,
    round_trips: Option<RoundTrips>,
    done: Function,
}

/// The round trips with one message in flight, in ms.
struct RoundTrips {
    sent: f64,
    times: Vec<f64>,
}

impl Driver {
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            payload: RefCell::new(Payload::new(true, 0)),
            received: Cell::new(0),
            sum: Cell::new(0.0),
            run: RefCell::new(None),
        })
    }

    /// Selects the payload of the following messages.
    pub fn prepare(&self, is_text: bool, size: usize) {
        *self.payload.borrow_mut() = Payload::new(is_text, size);
    }

    /// A copy of the payload, since an application sends a new value with each message.
    pub fn payload(&self) -> Payload {
        self.payload.borrow().clone()
    }

    /// The number of received messages.
    pub fn received(&self) -> u32 {
        self.received.get()
    }

    /// The sum of the prices in all received ticks.
    pub fn sum(&self) -> f64 {
        self.sum.get()
    }

    /// Starts a run, and returns how many messages to send at once. With `timed` there is one message in flight, and `done` gets the
    /// round trips in ms.
    pub fn start(&self, count: u32, in_flight: u32, timed: bool, done: Function) -> u32 {
        let at_once = if timed { 1 } else { in_flight.min(count) };
        let round_trips = timed.then(|| RoundTrips { sent: now(), times: Vec::with_capacity(count as usize) });
        let run = Run { left_to_send: count - at_once, left_to_receive: count, round_trips, done };
        *self.run.borrow_mut() = Some(run);
        at_once
    }

    /// Calls `done` after `count` messages that the server pushes.
    pub fn expect(&self, count: u32, done: Function) {
        let run = Run { left_to_send: 0, left_to_receive: count, round_trips: None, done };
        *self.run.borrow_mut() = Some(run);
    }

    /// Reports a received message. Returns whether to send another one.
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

    /// Reports a received tick.
    pub fn tick(&self, tick: &Tick) {
        self.sum.set(self.sum.get() + tick.sum());
        self.message();
    }
}

/// Exports the methods that the page calls on a client with a field `driver`. The client has a function `send`, which is passed the
/// driver and the field that is named here.
#[macro_export]
macro_rules! export_driver {
    ($client:ident, $sink:ident) => {
        #[wasm_bindgen]
        impl $client {
            pub fn prepare(&self, is_text: bool, size: usize) {
                self.driver.prepare(is_text, size);
            }

            pub fn send(&self) {
                send(&self.driver, &self.$sink);
            }

            pub fn received(&self) -> u32 {
                self.driver.received()
            }

            pub fn sum(&self) -> f64 {
                self.driver.sum()
            }

            pub fn start(&self, count: u32, in_flight: u32, timed: bool, done: js_sys::Function) {
                for _ in 0..self.driver.start(count, in_flight, timed, done) {
                    self.send();
                }
            }

            pub fn expect(&self, count: u32, done: js_sys::Function) {
                self.driver.expect(count, done);
            }
        }
    };
}

/// The content of a message.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Payload {
    /// ASCII text or bytes of this size.
    pub fn new(is_text: bool, size: usize) -> Self {
        if is_text { Self::Text("x".repeat(size)) } else { Self::Binary(vec![120; size]) }
    }
}

/// A message of the companion server's `/ticker`, as an application would type it.
#[derive(Debug, Deserialize)]
pub struct Tick {
    /// The time of sending, in ms since the Unix epoch.
    pub server_time: f64,
    /// One or more price changes.
    pub updates: Vec<Update>,
}

/// A price change.
#[derive(Debug, Deserialize)]
pub struct Update {
    /// The sequence number in the stream.
    pub seq: u64,
    /// The symbol.
    pub symbol: String,
    /// The new price.
    pub price: f64,
    /// The time of the change, in ms since the Unix epoch.
    pub time: f64,
}

impl Tick {
    /// The sum of the prices.
    pub fn sum(&self) -> f64 {
        self.updates.iter().map(|update| update.price).sum()
    }
}

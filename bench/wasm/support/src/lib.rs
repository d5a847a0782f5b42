//! What the wasm clients under measurement have in common.
//!
//! # Layout
//! - [`Payload`]: what is sent, made once and copied for each message as an application's value would be
//! - [`Meter`]: counts what comes back, keeps so many messages in flight, and notes round trips
//! - [`Tick`]: a pushed message as a typed value
//! - [`measured`]: what the page calls, the same for every client

mod meter;
mod payload;
mod tick;

pub use meter::Meter;
pub use payload::Payload;
pub use tick::Tick;

/// Exports what the page calls of a client with a field `meter`. It sends by a function `send` of the client's own, which is given
/// the meter and the field named here.
#[macro_export]
macro_rules! measured {
    ($client:ident, $way:ident) => {
        #[wasm_bindgen]
        impl $client {
            pub fn prepare(&self, is_text: bool, size: usize) {
                self.meter.prepare(is_text, size);
            }

            pub fn send(&self) {
                send(&self.meter, &self.$way);
            }

            pub fn received(&self) -> u32 {
                self.meter.received()
            }

            pub fn sum(&self) -> f64 {
                self.meter.sum()
            }

            pub fn start(&self, count: u32, in_flight: u32, timed: bool, done: js_sys::Function) {
                for _ in 0..self.meter.start(count, in_flight, timed, done) {
                    self.send();
                }
            }

            pub fn expect(&self, count: u32, done: js_sys::Function) {
                self.meter.expect(count, done);
            }
        }
    };
}

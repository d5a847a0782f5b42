//! What the wasm clients under measurement have in common.
//!
//! # Layout
//! - [`Payload`]: what is sent, made once and copied for each message as an application's value would be
//! - [`Meter`]: counts what comes back, keeps so many messages in flight, and notes round trips
//! - [`Tick`]: a pushed message as a typed value

mod meter;
mod payload;
mod tick;

pub use meter::Meter;
pub use payload::Payload;
pub use tick::Tick;

//! The core behind the npm package: every decision is made here, and no payload ever enters.
//!
//! JavaScript keeps the messages, the sockets, the timers and the listeners; this module is told what happened and says what
//! to do, in numbers only. A message is known by its size and by a key that JavaScript chose. So nothing is copied across
//! the border, the module imports nothing, and neither a JSON parser nor the formatting machinery is in it.
//!
//! # Layout
//! - [`Core`]: one for each socket, which JavaScript knows by its number
//! - [`Knobs`]: the options, by number
//! - [`codes`]: the numbers of inputs, actions, causes and the like, which `js/codes.js` repeats
//! - `exports`: the functions that JavaScript calls
//! - `inputs`: from numbers to what the core is told
//! - `actions`: from what the core asks for to numbers
//! - `numbers`: what is left out of the core, since JavaScript keeps it
//! - `statistics`: the latency, by number
//! - `runtime`: allocator and panic handler

#![cfg_attr(all(target_family = "wasm", not(test)), no_std)]

extern crate alloc;

mod actions;
#[cfg(test)]
mod agreement;
mod body;
pub mod codes;
mod core;
#[cfg(target_family = "wasm")]
mod exports;
mod inputs;
mod knobs;
#[cfg(test)]
mod life;
mod numbers;
#[cfg(all(target_family = "wasm", not(test)))]
mod runtime;
mod statistics;

pub use crate::core::Core;
pub use knobs::Knobs;

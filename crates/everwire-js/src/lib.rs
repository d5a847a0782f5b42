//! The core behind the npm package: every decision is made here, and no payload ever enters.
//!
//! JavaScript keeps the messages, the sockets, the timers and the listeners; this module is handed what happened and answers with what
//! to do, in numbers only. A message is known by its size and its number. So nothing is copied across the border, the module imports
//! nothing, and neither a JSON parser nor the formatting machinery is in it.
//!
//! # Layout
//! - [`Core`]: one for each socket, which JavaScript knows by its number
//! - [`Client`]: the same for each client of `everwire.v1`, with its session; the feature `client` exports it in place of [`Core`]
//! - [`Operands`]: the block of memory in which the operands of inputs, actions and options cross the border
//! - `options`: the options, by number
//! - [`codes`]: the numbers of inputs, actions, causes and the like
//! - `javascript`: the same and the defaults as a module of JavaScript
//! - `exports`: the functions that JavaScript calls
//! - `runtime`: allocator and panic handler

#![cfg_attr(all(target_family = "wasm", not(test)), no_std)]

extern crate alloc;

mod client;
pub mod codes;
mod core;
#[cfg(target_family = "wasm")]
mod exports;
#[cfg(not(target_family = "wasm"))]
mod javascript;
mod operands;
mod options;
#[cfg(all(target_family = "wasm", not(test)))]
mod runtime;
#[cfg(test)]
mod tests;

pub use crate::core::{Arguments, Core};
pub use client::Client;
#[cfg(not(target_family = "wasm"))]
pub use javascript::javascript;
pub use operands::Operands;
